// What a commit says of a data file's columns, so that readers can pass over the file.
#pragma once

#include <duckdb.hpp>
#include <string>

#include "model/schema.h"

namespace millrace::connectors::delta {

// {"numRecords": …, "minValues": {…}, "maxValues": {…}, "nullCount": {…}} from what DuckDB's COPY
// returns with RETURN_STATS: MAP(quoted column, MAP(name of the statistic, its text)). Smallest and
// largest values are given for numbers, dates, times and short texts; not for nested columns.
// Source: PROTOCOL.md of delta-io/delta, section "Per-file Statistics".
std::string StatsJson(int64_t rows, const duckdb::Value& column_statistics,
                      const model::Schema& columns);

// A partition's value as the log wants it, from DuckDB's text of it (in UTC).
std::string PartitionText(const std::string& text, const duckdb::LogicalType& type);

}  // namespace millrace::connectors::delta
