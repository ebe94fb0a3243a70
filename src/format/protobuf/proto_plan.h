// ProtoPlan: how messages of one type become rows of a table, worked out once per schema.
//
//   - A column takes the field of its name; a field of a ROW likewise. A column that the message
//     has no field for is NULL.
//   - Integers go into integers, FLOAT, DOUBLE and DECIMAL, where they fit; float and double into
//     FLOAT (float only) and DOUBLE; string and bytes are read as each other; an enum is its name
//     or its number; google.protobuf.Timestamp a TIMESTAMP or TIMESTAMP_LTZ; a wrapper
//     (google.protobuf.Int64Value …) what it wraps; confluent.type.Decimal a DECIMAL;
//     google.type.Date a DATE, google.type.TimeOfDay a TIME; a message a ROW, `repeated` an ARRAY,
//     a map a MAP<STRING, …>.
//   - A field that is not there is NULL where the schema can tell (proto2, `optional`, of a
//     oneof, a message), else its default; a repeated one and a map are empty.
//   - What cannot be read is a fault of the records that have such a value.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/protobuf/proto_schema.h"
#include "format/protobuf/proto_wire.h"
#include "format/record_decoder.h"

namespace millrace::format {

struct ProtoStep {
  enum class Kind : uint8_t {
    kSkip,  // nobody wants the value; whether it is there may matter
    kInteger,
    kFloating,
    kBool,
    kText,  // string, bytes
    kEnumName,
    kMessage,
    kTimestamp,
    kDecimal,
    kDate,
    kTimeOfDay,
    kWrapper,
    kList,
    kMap,
    kFault,  // such a value has no place in the column
  };
  Kind kind = Kind::kSkip;
  const google::protobuf::FieldDescriptor* field = nullptr;  // null: of the root
  int place = -1;  // column, or field of the ROW; -1: none
  int oneof = -1;  // of the message, of which only one field can be set
  // Stands in where the field is not there; none: NULL.
  std::optional<WireField> default_value = {};
  // kMessage: of its fields, by number, and only those that matter; kList: of an element; kMap: of
  // key and value; kTimestamp, kDecimal, kDate, kTimeOfDay, kWrapper: of that message's fields.
  std::vector<ProtoStep> steps = {};
  std::vector<int> missing = {};  // kMessage: places that no field of the message has
  std::string fault = {};         // kFault
};

class ProtoPlan {
 public:
  // `defaults`: a field that is not there has its default, also where it could be NULL. The
  // columns' writers outlive the plan.
  static std::shared_ptr<const ProtoPlan> Make(std::shared_ptr<const ProtoSchema> schema,
                                               const google::protobuf::Descriptor& message,
                                               std::span<const TargetColumn> columns,
                                               bool defaults);

  // kMessage; places are indexes into the columns.
  const ProtoStep& root() const { return root_; }
  const google::protobuf::Descriptor& message() const { return *message_; }
  // Why the column cannot take the message's field; nothing: it can.
  std::optional<std::string> ColumnFault(size_t column) const;
  // Whether the message has no field for the column.
  bool Lacks(size_t column) const;

 private:
  ProtoPlan() = default;

  std::shared_ptr<const ProtoSchema> schema_;
  const google::protobuf::Descriptor* message_ = nullptr;
  ProtoStep root_;
};

// How a field's values lie on the wire, one by one.
WireType WireTypeOf(const google::protobuf::FieldDescriptor& field);

// Whether a field of an enum can have this value: of proto2 only those that are named.
bool IsEnumValue(const google::protobuf::FieldDescriptor& field, int number);

}  // namespace millrace::format
