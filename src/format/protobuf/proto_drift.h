// Fields of a Protobuf message that a table does not declare.
#pragma once

#include <vector>

#include "format/protobuf/proto_schema.h"
#include "format/record_decoder.h"

namespace millrace::format {

// `types`: of the columns of `table`.
std::vector<UndeclaredField> UndeclaredProtoFields(const google::protobuf::Descriptor& message,
                                                   const model::Schema& table,
                                                   const std::vector<ColumnType>& types);

// The column that takes the field's values; none: no column does.
std::optional<duckdb::LogicalType> ProtoColumnType(const google::protobuf::FieldDescriptor& field);

}  // namespace millrace::format
