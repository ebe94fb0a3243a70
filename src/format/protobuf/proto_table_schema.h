// The Protobuf schema of a table's rows, where the table gives none.
//
// Format: a message "Record" of proto3 without a package. Columns are fields in their order, from
// number 1 on; one that may be NULL is `optional`. TINYINT, SMALLINT and INT are int32, BIGINT
// int64, DECIMAL confluent.type.Decimal, TIMESTAMP and TIMESTAMP_LTZ google.protobuf.Timestamp,
// DATE google.type.Date, TIME google.type.TimeOfDay, an ARRAY `repeated`, a ROW a message inside,
// named after its column.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "format/column_type.h"
#include "model/schema.h"

namespace millrace::format {

// `types`: of the columns. Errors: kUnsupported for a name or type that Protobuf does not have
// (an ARRAY of ARRAY or MAP).
Result<std::string> ProtoSchemaOf(const model::Schema& schema,
                                  const std::vector<ColumnType>& types);

}  // namespace millrace::format
