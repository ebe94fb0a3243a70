# Everything third-party, found once. scripts/setup.sh installs all of it.
set(DUCKDB_DIR ${MILLRACE_DEPS}/duckdb-1.5.5)
if(NOT EXISTS ${DUCKDB_DIR}/include/duckdb.hpp)
  message(FATAL_ERROR "DuckDB is not in ${DUCKDB_DIR}: run scripts/setup.sh first")
endif()

# Our libraries see only DuckDB's headers; an executable chooses how it is linked:
#   duckdb_static  the shipped program, one file
#   duckdb_shared  tests and tools, which then link in a moment
add_library(duckdb_headers INTERFACE)
target_include_directories(duckdb_headers SYSTEM INTERFACE ${DUCKDB_DIR}/include)

file(GLOB DUCKDB_ARCHIVES ${DUCKDB_DIR}/static/*.a)
add_library(duckdb_static INTERFACE)
# DuckDB is C++11, where a constexpr static member has one strong definition; our C++20 code emits the
# same member as an inline variable. They are the same constant.
target_link_options(duckdb_static INTERFACE -Wl,--allow-multiple-definition)
target_link_libraries(duckdb_static INTERFACE
  -Wl,--start-group ${DUCKDB_ARCHIVES} -Wl,--end-group pthread dl m)

add_library(duckdb_shared SHARED IMPORTED)
set_target_properties(duckdb_shared PROPERTIES IMPORTED_LOCATION ${DUCKDB_DIR}/shared/libduckdb.so
  IMPORTED_NO_SONAME ON)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(simdjson REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
pkg_check_modules(rocksdb REQUIRED IMPORTED_TARGET rocksdb)
pkg_check_modules(rdkafka REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(libpq REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(yamlcpp REQUIRED IMPORTED_TARGET yaml-cpp)
pkg_check_modules(lz4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(snappy REQUIRED IMPORTED_TARGET snappy)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)

# Not by pkg-config: its file defines _FILE_OFFSET_BITS, with which the precompiled header is of no use.
find_library(HIREDIS_LIBRARY hiredis REQUIRED)
add_library(hiredis INTERFACE)
target_link_libraries(hiredis INTERFACE ${HIREDIS_LIBRARY})

# Likewise.
find_library(RE2_LIBRARY re2 REQUIRED)
add_library(re2 INTERFACE)
target_link_libraries(re2 INTERFACE ${RE2_LIBRARY})

# Likewise.
find_library(PROTOBUF_LIBRARY protobuf REQUIRED)
add_library(protobuf INTERFACE)
target_link_libraries(protobuf INTERFACE ${PROTOBUF_LIBRARY})

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_INODECACHE=1 ${CCACHE})  # the precompiled headers are not read for each file
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")  # the same bytes each time
  endif()
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
