// Points in time (TIMESTAMP_LTZ) in the session's time zone, where DuckDB answers otherwise than
// Flink, as DuckDB functions:
//
//   mr_local(t)                        a point in time as a TIMESTAMP; any other value: itself
//   mr_instant(t), mr_try_instant(t)   a TIMESTAMP, DATE or text as a point in time, by
//                                      Java's rules for local times that are there twice or not
//                                      at all
//                                      (duck/time_zone.h); any other value, and in UTC all: itself
//   +, -, date_sub                     of points in time exactly, where DuckDB's days are 23 to 25
//                                      hours long when the clocks change
#pragma once

#include <duckdb.hpp>
#include <vector>

namespace millrace::sql {

std::vector<duckdb::ScalarFunctionSet> InstantFunctions();

// One of DuckDB's own functions, with what it does to points in time replaced by what it does to
// TIMESTAMPs.
duckdb::ScalarFunctionSet ExactOnInstants(duckdb::ScalarFunctionSet own);

}  // namespace millrace::sql
