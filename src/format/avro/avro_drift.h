// Fields of a writer's Avro schema that a table does not declare.
#pragma once

#include <vector>

#include "format/avro/avro_schema.h"
#include "format/record_decoder.h"

namespace millrace::format {

// `writer`: a record (of anything else: none). `reader`: the table's own schema, may be null; a
// field that it has, by name or alias, is declared. `types`: of the columns of `table`.
std::vector<UndeclaredField> UndeclaredAvroFields(const AvroType& writer, const AvroType* reader,
                                                  const model::Schema& table,
                                                  const std::vector<ColumnType>& types);

// The column that takes the type's values; none: null, a union of several, what no column holds.
std::optional<duckdb::LogicalType> AvroColumnType(const AvroType& type);

}  // namespace millrace::format
