# millrace_library(NAME <folder> [DEPS <our folders>] [LINK <third-party targets>] [DUCKDB]
#                  [JOBS] [TEST_FIXTURE <header>])
#
# One call per folder of src/. Every .cc in the folder (and below) belongs to the library, except
#   foo_test.cc  -> all of a folder's make one GoogleTest program, <folder>_test
#   foo_fuzz.cc  -> one libFuzzer program each (with -DMILLRACE_FUZZ=ON)
# DEPS is the layer rule: a folder can include only what it names here (and what those name).
# DUCKDB: the folder's public headers use DuckDB's types.
# JOBS: most of its files include job/job.h; it is precompiled for them.
# TEST_FIXTURE: what nearly all of the folder's tests include; precompiled for them.
add_library(millrace_options INTERFACE)
target_compile_options(millrace_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these inside its own and DuckDB's headers once they are inlined into our code.
  target_compile_options(millrace_options INTERFACE
    -Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow
    -Wno-stringop-overread -Wno-dangling-pointer -fpch-preprocess)
else()
  target_compile_options(millrace_options INTERFACE -Wno-unused-private-field
    -Wno-deprecated-declarations)  # libstdc++ 12: std::stable_sort
endif()
target_include_directories(millrace_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
# Boost 1.81 finds its asio code in headers; fmt is linked, not header-only.
target_compile_definitions(millrace_options INTERFACE BOOST_ASIO_NO_DEPRECATED)
if(MILLRACE_SANITIZE)
  add_compile_options(-fsanitize=${MILLRACE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
endif()
if(MILLRACE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
endif()

# Precompiled headers: those that take seconds. One for the folders, one for those with jobs, one for the
# tests. clang reads of one only what a file uses, and finds its templates instantiated; GCC instantiates
# them in every file, which takes it twice as long. (What a file uses it still includes:
# scripts/clang_tidy.sh has none.)
set(millrace_pch_headers <algorithm> <atomic> <charconv> <chrono> <condition_variable> <deque> <filesystem> <fstream>
  <functional> <map> <memory> <mutex> <numeric> <optional> <random> <set> <span> <string> <string_view> <thread>
  <unordered_map> <variant> <vector>
  <boost/asio/io_context.hpp> <boost/asio/ip/tcp.hpp> <boost/asio/read.hpp> <boost/asio/steady_timer.hpp>
  <boost/asio/write.hpp>
  <duckdb.hpp> <duckdb/execution/expression_executor.hpp> <duckdb/planner/expression_iterator.hpp>
  <duckdb/planner/operator/list.hpp> <duckdb/planner/planner.hpp>
  <fmt/chrono.h> <fmt/format.h> <simdjson.h>
  "base/check.h" "base/strings.h" "base/units.h" "env/clock.h" "env/diag.h"
  "env/files.h" "log/log.h" "model/option_spec.h" "model/position.h" "model/record.h" "model/row_error.h" "model/schema.h")
list(TRANSFORM millrace_pch_headers PREPEND ${CMAKE_SOURCE_DIR}/src/ REGEX "^[a-z]+/")
list(APPEND millrace_pch_headers ${CMAKE_CURRENT_LIST_DIR}/precompiled_types.h)
set(millrace_jobs_pch_headers ${millrace_pch_headers} ${CMAKE_SOURCE_DIR}/src/job/job.h)
set(millrace_pch_libraries duckdb_headers fmt::fmt simdjson::simdjson Boost::headers)
function(millrace_precompiled NAME)  # millrace_<NAME>, with the headers in millrace_<NAME>_headers
  file(WRITE ${CMAKE_BINARY_DIR}/${NAME}_anchor.cc "// carries the precompiled header\n")
  add_library(millrace_${NAME} OBJECT ${CMAKE_BINARY_DIR}/${NAME}_anchor.cc)
  target_link_libraries(millrace_${NAME} PRIVATE millrace_options ${millrace_pch_libraries})
  target_precompile_headers(millrace_${NAME} PRIVATE ${millrace_${NAME}_headers})
endfunction()
millrace_precompiled(pch)
millrace_precompiled(jobs_pch)
if(MILLRACE_TESTS AND NOT MILLRACE_FUZZ)
  # What is tested is optimised, the tests are not: that would be half of the time of a build.
  add_library(millrace_test_options INTERFACE)
  target_compile_options(millrace_test_options INTERFACE $<$<CONFIG:Release>:-O0>)
  target_link_libraries(millrace_test_options INTERFACE gtest gmock)
  set(millrace_test_pch_headers ${millrace_pch_headers} <gmock/gmock.h> <gtest/gtest.h>)
  millrace_precompiled(test_pch)
  target_link_libraries(millrace_test_pch PRIVATE millrace_test_options)
endif()
# Whoever uses one needs the definitions that it was made with. Further arguments: headers for a
# precompiled header of its own, beside those of the given one.
function(millrace_use_pch TARGET PCH)
  target_link_libraries(${TARGET} PRIVATE ${millrace_pch_libraries})
  if(ARGN)
    target_precompile_headers(${TARGET} PRIVATE ${millrace_${PCH}_headers} ${ARGN})
  else()
    target_precompile_headers(${TARGET} REUSE_FROM millrace_${PCH})
  endif()
  get_target_property(type ${TARGET} TYPE)
  if(type STREQUAL "EXECUTABLE")
    # CMake compiles executables with -fPIE, which does not fit the libraries' precompiled header.
    set_target_properties(${TARGET} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${TARGET} PRIVATE -fPIC)
  endif()
endfunction()

function(millrace_library)
  cmake_parse_arguments(ARG "DUCKDB;JOBS" "NAME;TEST_FIXTURE" "DEPS;LINK;TEST_LINK;TEST_DEPS" ${ARGN})
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
    set(pch pch)
    if(ARG_JOBS)
      set(pch jobs_pch)
    endif()
    millrace_use_pch(millrace_${ARG_NAME} ${pch})
    if(ARG_DUCKDB)
      target_link_libraries(millrace_${ARG_NAME} PUBLIC duckdb_headers)
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
      millrace_options duckdb_shared millrace_test_options gtest_main Threads::Threads)
    if(ARG_TEST_FIXTURE)
      set(fixture ${CMAKE_SOURCE_DIR}/src/${ARG_TEST_FIXTURE})
    endif()
    millrace_use_pch(${ARG_NAME}_test test_pch ${fixture})
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
