# millrace_embed(TARGET t DIRECTORY dir FALLBACK dir FUNCTION ns::Name)
#
# Compiles the files of DIRECTORY into TARGET, as `std::span<const EmbeddedFile> ns::Name()` (see
# serve/assets.h); those of FALLBACK when DIRECTORY has no index.html. The generated file is
# renewed on every build, and written only when it would differ, so the page can be rebuilt without
# configuring again. Whoever makes DIRECTORY adds a dependency of the target `<t>_embed` on it.
set(MILLRACE_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/embed_files.cmake)

function(millrace_embed)
  cmake_parse_arguments(ARG "" "TARGET;DIRECTORY;FALLBACK;FUNCTION" "" ${ARGN})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded_files.cc)
  add_custom_target(${ARG_TARGET}_embed
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DDIRECTORY=${ARG_DIRECTORY} -DFALLBACK=${ARG_FALLBACK}
      -DFUNCTION=${ARG_FUNCTION} -P ${MILLRACE_EMBED_SCRIPT}
    BYPRODUCTS ${out}
    COMMENT "Embedding the web page"
    VERBATIM)
  target_sources(${ARG_TARGET} PRIVATE ${out})
  add_dependencies(${ARG_TARGET} ${ARG_TARGET}_embed)
endfunction()
