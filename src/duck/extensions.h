// DuckDB's extensions: S3 (httpfs), DuckLake, Iceberg, Delta, PostgreSQL and SQLite as databases.
//
// They are files, found by name when a statement needs one, never fetched from the network:
// <directory>/v1.5.5/linux_amd64/<name>.duckdb_extension, where <directory> is the first that
// exists of
//   $MILLRACE_EXTENSIONS
//   "extensions" beside the program
//   .deps/duckdb-1.5.5/extensions of the source tree that the program was built in
//   (scripts/setup.sh)
//   ~/.duckdb/extensions, where DuckDB's own clients put what INSTALL fetches
// They are signed by DuckDB's makers; the signature is checked.
#pragma once

#include <duckdb.hpp>
#include <string>

#include "base/status.h"

namespace millrace::duck {

// "" when only the last of the places is left.
std::string ExtensionDirectory();

// Makes the database of `connection` load extensions when a statement needs them.
Status UseExtensions(duckdb::Connection& connection);

// `status`; where it says that an extension is not there, also what to do about it.
Status ExplainMissingExtension(Status status);

}  // namespace millrace::duck
