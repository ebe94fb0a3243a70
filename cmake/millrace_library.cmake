# millrace_library(NAME <folder> [DEPS <our folders>] [LINK <third-party targets>] [DUCKDB])
#
# One call per folder of src/. Every .cc in the folder (and below) belongs to the library, except
#   foo_test.cc  -> all of a folder's make one GoogleTest program, <folder>_test
#   foo_fuzz.cc  -> one libFuzzer program each (with -DMILLRACE_FUZZ=ON)
# DEPS is the layer rule: a folder can include only what it names here (and what those name).
# DUCKDB: the folder uses DuckDB's types; its sources get a precompiled header with them.
add_library(millrace_options INTERFACE)
target_compile_options(millrace_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these inside its own and DuckDB's headers once they are inlined into our code.
  target_compile_options(millrace_options INTERFACE
    -Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow
    -Wno-stringop-overread -Wno-dangling-pointer -fpch-preprocess)
else()
  target_compile_options(millrace_options INTERFACE -Wno-shadow -Wno-unused-private-field)
endif()
target_include_directories(millrace_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
# Boost 1.81 finds its asio code in headers; fmt and spdlog are linked, not header-only.
target_compile_definitions(millrace_options INTERFACE BOOST_ASIO_NO_DEPRECATED)
if(MILLRACE_SANITIZE)
  add_compile_options(-fsanitize=${MILLRACE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
endif()
if(MILLRACE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
endif()

# Precompiled headers: DuckDB's, which take seconds, and what most files include beside them. One for
# the folders, one for the tests. (What a file uses it still includes: clang's builds have others.)
set(millrace_pch_headers <algorithm> <atomic> <chrono> <functional> <map> <memory> <mutex> <optional> <set>
  <string> <string_view> <thread> <unordered_map> <variant> <vector> <duckdb.hpp> <fmt/format.h>
  <simdjson.h> <spdlog/spdlog.h>)
function(millrace_precompiled NAME)
  file(WRITE ${CMAKE_BINARY_DIR}/${NAME}_anchor.cc "// carries the precompiled header\n")
  add_library(millrace_${NAME} OBJECT ${CMAKE_BINARY_DIR}/${NAME}_anchor.cc)
  target_link_libraries(millrace_${NAME} PRIVATE millrace_options duckdb_headers ${millrace_pch_libraries})
  target_precompile_headers(millrace_${NAME} PRIVATE ${millrace_pch_headers} ${ARGN})
endfunction()
# Whoever uses a precompiled header needs the definitions that it was made with.
set(millrace_pch_libraries fmt::fmt spdlog::spdlog simdjson::simdjson)
millrace_precompiled(pch)
if(MILLRACE_TESTS AND NOT MILLRACE_FUZZ)
  millrace_precompiled(test_pch <filesystem> <fstream> <random> <gmock/gmock.h> <gtest/gtest.h>)
  target_link_libraries(millrace_test_pch PRIVATE gtest gmock)
endif()

set_property(GLOBAL PROPERTY MILLRACE_TEST_PROGRAMS "")

function(millrace_library)
  cmake_parse_arguments(ARG "DUCKDB" "NAME" "DEPS;LINK;TEST_LINK;TEST_DEPS" ${ARGN})
  file(GLOB_RECURSE all CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(srcs ${all})
  list(FILTER srcs EXCLUDE REGEX "_(test|fuzz)\\.cc$")
  set(tests ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(fuzzers ${all})
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cc$")
  list(TRANSFORM ARG_DEPS PREPEND "millrace_")

  if(srcs)
    add_library(millrace_${ARG_NAME} STATIC ${srcs})
    target_link_libraries(millrace_${ARG_NAME} PUBLIC ${ARG_DEPS} ${ARG_LINK} PRIVATE millrace_options)
    if(ARG_DUCKDB)
      target_link_libraries(millrace_${ARG_NAME} PUBLIC duckdb_headers PRIVATE ${millrace_pch_libraries})
      target_precompile_headers(millrace_${ARG_NAME} REUSE_FROM millrace_pch)
    endif()
  else()
    add_library(millrace_${ARG_NAME} INTERFACE)
    target_link_libraries(millrace_${ARG_NAME} INTERFACE ${ARG_DEPS} ${ARG_LINK})
    if(ARG_DUCKDB)
      target_link_libraries(millrace_${ARG_NAME} INTERFACE duckdb_headers)
    endif()
  endif()

  if(tests AND MILLRACE_TESTS AND NOT MILLRACE_FUZZ)
    list(TRANSFORM ARG_TEST_DEPS PREPEND "millrace_")
    add_executable(${ARG_NAME}_test ${tests})
    target_link_libraries(${ARG_NAME}_test PRIVATE millrace_${ARG_NAME} ${ARG_TEST_DEPS} ${ARG_TEST_LINK}
      millrace_options duckdb_headers duckdb_shared ${millrace_pch_libraries} gtest gmock gtest_main Threads::Threads)
    target_precompile_headers(${ARG_NAME}_test REUSE_FROM millrace_test_pch)
    # CMake compiles executables with -fPIE, which does not fit the libraries' precompiled header.
    set_target_properties(${ARG_NAME}_test PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${ARG_NAME}_test PRIVATE -fPIC)
    target_compile_definitions(${ARG_NAME}_test PRIVATE MILLRACE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME}_test)
  endif()
  if(MILLRACE_FUZZ)
    foreach(f ${fuzzers})
      get_filename_component(n ${f} NAME_WE)
      add_executable(${n} ${f})
      target_link_libraries(${n} PRIVATE millrace_${ARG_NAME} millrace_options duckdb_headers duckdb_shared
        -fsanitize=fuzzer,address,undefined Threads::Threads)
    endforeach()
  endif()
endfunction()
