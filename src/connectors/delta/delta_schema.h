// The schema of a Delta table as JSON, and the types it shares with DuckDB.
//
//   boolean byte short integer long float double   BOOLEAN TINYINT … DOUBLE
//   string binary date decimal(p,s)                VARCHAR BLOB DATE DECIMAL(p, s)
//   timestamp                                      TIMESTAMP WITH TIME ZONE, a point in time
//   timestamp_ntz                                  TIMESTAMP; the table must say so in its protocol
//   array map struct                               T[] MAP(K, V) STRUCT(a T, …)
// Source: PROTOCOL.md of delta-io/delta, section "Schema Serialization Format".
#pragma once

#include <string>

#include "base/status.h"
#include "model/schema.h"

namespace millrace::connectors::delta {

// Error kType: a column that Delta has no type for (TIME, INTERVAL).
Result<std::string> SchemaJson(const model::Schema& schema);

// Error kCorruption; kUnsupported: a type or a rule of a column (generated, identity, invariant)
// that Millrace does not know.
Result<model::Schema> ParseSchemaJson(const std::string& json);

// `json` with `columns` behind those it has; they may be NULL, for the rows that are there.
Result<std::string> AddColumns(const std::string& json, const model::Schema& columns);

// Whether a column is TIMESTAMP, or has one in it.
bool HasLocalTimestamps(const model::Schema& schema);

}  // namespace millrace::connectors::delta
