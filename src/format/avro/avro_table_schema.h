// The Avro schema of a table's rows, as Flink derives it.
//
// Format: a record "org.apache.flink.avro.generated.record"; a column that may be NULL is a union
// of null and its type, with the default null; a ROW is a record named after the column, BIGINT a
// long, DECIMAL bytes with that logical type, DATE and TIME int (date, time-millis), TIMESTAMP and
// TIMESTAMP_LTZ long in milliseconds. So whatever is finer than a millisecond is cut off, as Flink
// declares it with its TIMESTAMP(3); a schema of one's own may say micros.
// Source: Flink's AvroSchemaConverter.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "format/column_type.h"
#include "model/schema.h"

namespace millrace::format {

// `local_times`: a TIMESTAMP is a local-timestamp-millis (Flink's corrected mapping) instead of a
// timestamp-millis. `types`: of the columns. Errors: kUnsupported for a name that Avro does not
// allow.
Result<std::string> AvroSchemaOf(const model::Schema& schema, const std::vector<ColumnType>& types,
                                 bool local_times);

}  // namespace millrace::format
