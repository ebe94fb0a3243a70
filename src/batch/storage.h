// S3 stores that DuckDB may use.
#pragma once

#include <duckdb.hpp>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "batch/settings.h"

namespace millrace::batch {

// NAME 'value', …: options as DuckDB's statements take them.
std::string OptionList(const std::map<std::string, std::string>& options);

// Gives the database of `connection` access to the stores, once. DuckDB finds the extension itself
// (duck/extensions.h).
Status UseStorage(duckdb::Connection& connection, const std::vector<Storage>& stores);

}  // namespace millrace::batch
