// The options 's3.…' of tables whose files lie in an S3 store.
#pragma once

#include <duckdb.hpp>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/connector.h"

namespace millrace::connectors::s3 {

// Access to a store, as DuckDB's CREATE SECRET (TYPE s3) takes it: endpoint, region, url_style,
// use_ssl, key_id, secret, session_token.
using Access = std::map<std::string, std::string>;

std::vector<OptionSpec> AccessOptions();
// What these options say; 'use_ssl' always, the others where they are given.
Access AccessOf(const Options& options);

// Whether files of S3 are meant: "s3://…", or as Hadoop writes it, "s3a://…", "s3n://…".
bool IsS3(const std::string& location);

// Gives the database of `connection` access to the store; what it was told before is forgotten.
// Error kFailedPrecondition: DuckDB's extension is not there.
Status UseAccess(duckdb::Connection& connection, const Access& access);
// The same, and leaves it to DuckDB to load what it needs. Where databases are attached, too:
// UseAccess turns persistent secrets off, which PostgreSQL's extension asks for.
Status MakeSecret(duckdb::Connection& connection, const Access& access);

}  // namespace millrace::connectors::s3
