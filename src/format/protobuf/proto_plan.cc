#include "format/protobuf/proto_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace millrace::format {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Kind = ProtoStep::Kind;

namespace {

// The place of a field's name, and the writer there; -1 and null where there is none.
struct Target {
  int place = -1;
  ColumnWriter* writer = nullptr;
};
using FindTarget = std::function<Target(const std::string& name)>;

bool TakesInteger(ColumnKind kind) {
  return kind == ColumnKind::kInt8 || kind == ColumnKind::kInt16 || kind == ColumnKind::kInt32 ||
         kind == ColumnKind::kInt64 || kind == ColumnKind::kFloat || kind == ColumnKind::kDouble ||
         kind == ColumnKind::kDecimal;
}

std::string Described(const FieldDescriptor& field) {
  if (field.message_type() != nullptr) return "message \"" + field.message_type()->name() + "\"";
  if (field.enum_type() != nullptr) return "enum \"" + field.enum_type()->name() + "\"";
  return field.type_name();
}

// What stands for a value that is not there.
WireField DefaultOf(const FieldDescriptor& field) {
  WireField value;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      value.bits = static_cast<uint64_t>(int64_t{field.default_value_int32()});
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      value.bits = static_cast<uint64_t>(field.default_value_int64());
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      value.bits = field.default_value_uint32();
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      value.bits = field.default_value_uint64();
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      value.bits = std::bit_cast<uint64_t>(field.default_value_double());
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      value.bits = std::bit_cast<uint32_t>(field.default_value_float());
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      value.bits = field.default_value_bool() ? 1 : 0;
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      value.bits = static_cast<uint64_t>(int64_t{field.default_value_enum()->number()});
      break;
    default:
      value.bytes = field.default_value_string();
  }
  const bool zig_zag =
      field.type() == FieldDescriptor::TYPE_SINT32 || field.type() == FieldDescriptor::TYPE_SINT64;
  if (zig_zag) value.bits = ToZigZag(static_cast<int64_t>(value.bits));
  return value;
}

class Planner {
 public:
  explicit Planner(bool defaults) : defaults_(defaults) {}

  void PlanFields(const Descriptor& message, size_t places, const FindTarget& find,
                  ProtoStep& step) const {
    std::vector<bool> taken(places, false);
    for (int i = 0; i < message.field_count(); i++) {
      const FieldDescriptor& field = *message.field(i);
      const Target target = find(field.name());
      const auto* oneof = field.real_containing_oneof();
      if (target.place < 0 && oneof == nullptr) continue;
      ProtoStep part = Plan(field, target.writer);
      part.place = target.place;
      if (oneof != nullptr) part.oneof = oneof->index();
      if (target.place >= 0) taken[static_cast<size_t>(target.place)] = true;
      step.steps.push_back(std::move(part));
    }
    std::sort(step.steps.begin(), step.steps.end(), [](const ProtoStep& a, const ProtoStep& b) {
      return a.field->number() < b.field->number();
    });
    for (size_t place = 0; place < places; place++) {
      if (!taken[place]) step.missing.push_back(static_cast<int>(place));
    }
  }

 private:
  // `writer`: null or one that skips: only whether the field is there counts.
  ProtoStep Plan(const FieldDescriptor& field, ColumnWriter* writer) const {
    ProtoStep step;
    step.field = &field;
    const bool scalar = field.message_type() == nullptr;
    if (!field.is_repeated() && scalar && (defaults_ || !field.has_presence())) {
      step.default_value = DefaultOf(field);
    }
    if (writer == nullptr || writer->skipped()) {
      step.kind = Kind::kSkip;
    } else if (field.is_map()) {
      PlanMap(field, *writer, step);
    } else if (field.is_repeated()) {
      if (writer->type().kind != ColumnKind::kList) return NoPlace(step, "repeated ", *writer);
      step.kind = Kind::kList;
      step.steps.push_back(PlanValue(field, writer->child(0)));
    } else {
      ProtoStep value = PlanValue(field, *writer);
      value.default_value = step.default_value;
      return value;
    }
    return step;
  }

  void PlanMap(const FieldDescriptor& field, ColumnWriter& writer, ProtoStep& step) const {
    if (writer.type().kind != ColumnKind::kMap) {
      step = NoPlace(step, "map of ", writer);
      return;
    }
    step.kind = Kind::kMap;
    ProtoStep key;
    key.field = field.message_type()->map_key();
    key.default_value = DefaultOf(*key.field);
    step.steps.push_back(std::move(key));
    const FieldDescriptor& value = *field.message_type()->map_value();
    step.steps.push_back(PlanValue(value, writer.child(1)));
    if (value.message_type() == nullptr) step.steps[1].default_value = DefaultOf(value);
  }

  // One value of the field.
  ProtoStep PlanValue(const FieldDescriptor& field, ColumnWriter& writer) const {
    ProtoStep step;
    step.field = &field;
    if (writer.skipped()) return step;
    const ColumnKind kind = writer.type().kind;
    const bool text = kind == ColumnKind::kString || kind == ColumnKind::kBytes;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return PlanMessage(field, writer);
      case FieldDescriptor::CPPTYPE_ENUM:
        step.kind = TakesInteger(kind)            ? Kind::kInteger
                    : kind == ColumnKind::kString ? Kind::kEnumName
                                                  : Kind::kFault;
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        step.kind = kind == ColumnKind::kBool ? Kind::kBool : Kind::kFault;
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        step.kind = text ? Kind::kText : Kind::kFault;
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        const bool single = field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT;
        const bool takes = kind == ColumnKind::kDouble || (single && kind == ColumnKind::kFloat);
        step.kind = takes ? Kind::kFloating : Kind::kFault;
        break;
      }
      default:
        step.kind = TakesInteger(kind) ? Kind::kInteger : Kind::kFault;
    }
    return step.kind == Kind::kFault ? NoPlace(step, "", writer) : step;
  }

  ProtoStep PlanMessage(const FieldDescriptor& field, ColumnWriter& writer) const {
    ProtoStep step;
    step.field = &field;
    const Descriptor& message = *field.message_type();
    const ColumnKind kind = writer.type().kind;
    if (field.type() == FieldDescriptor::TYPE_GROUP) return NoPlace(step, "group ", writer);
    if (kind == ColumnKind::kStruct) {
      step.kind = Kind::kMessage;
      const auto& names = writer.type().field_names;
      const auto find = [&](const std::string& name) -> Target {
        const auto found = std::find(names.begin(), names.end(), name);
        if (found == names.end()) return {};
        const auto place = static_cast<size_t>(found - names.begin());
        return {static_cast<int>(place), &writer.child(place)};
      };
      PlanFields(message, names.size(), find, step);
      return step;
    }
    const std::string& file = message.file()->name();
    if (file == "google/protobuf/timestamp.proto" &&
        (kind == ColumnKind::kTimestamp || kind == ColumnKind::kTimestampTz)) {
      step.kind = Kind::kTimestamp;
    } else if (file == "confluent/type/decimal.proto" && kind == ColumnKind::kDecimal) {
      step.kind = Kind::kDecimal;
    } else if (file == "google/type/date.proto" && kind == ColumnKind::kDate) {
      step.kind = Kind::kDate;
    } else if (file == "google/type/timeofday.proto" && kind == ColumnKind::kTime) {
      step.kind = Kind::kTimeOfDay;
    } else if (file == "google/protobuf/wrappers.proto") {
      step.kind = Kind::kWrapper;
      step.steps.push_back(PlanValue(*message.field(0), writer));
      step.steps[0].default_value = DefaultOf(*message.field(0));
      if (step.steps[0].kind == Kind::kFault) return NoPlace(step, "", writer);
      return step;
    } else {
      return NoPlace(step, "", writer);
    }
    for (int i = 0; i < message.field_count(); i++) {
      ProtoStep part;
      part.field = message.field(i);
      part.default_value = DefaultOf(*part.field);
      step.steps.push_back(std::move(part));
    }
    return step;
  }

  static ProtoStep NoPlace(ProtoStep step, const char* what, const ColumnWriter& writer) {
    step.kind = Kind::kFault;
    step.steps.clear();
    step.fault = fmt::format("a Protobuf {}{} cannot be read as {}", what, Described(*step.field),
                             TypeNameWithArticle(writer.type()));
    return step;
  }

  const bool defaults_;
};

}  // namespace

std::shared_ptr<const ProtoPlan> ProtoPlan::Make(std::shared_ptr<const ProtoSchema> schema,
                                                 const Descriptor& message,
                                                 std::span<const TargetColumn> columns,
                                                 bool defaults) {
  std::shared_ptr<ProtoPlan> plan(new ProtoPlan());
  plan->schema_ = std::move(schema);
  plan->message_ = &message;
  plan->root_.kind = Kind::kMessage;
  const auto find = [&](const std::string& name) -> Target {
    for (size_t c = 0; c < columns.size(); c++) {
      if (columns[c].name == name) return {static_cast<int>(c), columns[c].writer};
    }
    return {};
  };
  Planner(defaults).PlanFields(message, columns.size(), find, plan->root_);
  return plan;
}

std::optional<std::string> ProtoPlan::ColumnFault(size_t column) const {
  const std::function<std::optional<std::string>(const ProtoStep&)> first =
      [&](const ProtoStep& step) -> std::optional<std::string> {
    if (step.kind == Kind::kFault) return step.fault;
    for (const ProtoStep& part : step.steps) {
      if (auto fault = first(part)) return fault;
    }
    return std::nullopt;
  };
  for (const ProtoStep& step : root_.steps) {
    if (step.place == static_cast<int>(column)) return first(step);
  }
  return std::nullopt;
}

bool ProtoPlan::Lacks(size_t column) const {
  return std::find(root_.missing.begin(), root_.missing.end(), static_cast<int>(column)) !=
         root_.missing.end();
}

WireType WireTypeOf(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_DOUBLE:
    case FieldDescriptor::TYPE_FIXED64:
    case FieldDescriptor::TYPE_SFIXED64:
      return WireType::kFixed64;
    case FieldDescriptor::TYPE_FLOAT:
    case FieldDescriptor::TYPE_FIXED32:
    case FieldDescriptor::TYPE_SFIXED32:
      return WireType::kFixed32;
    case FieldDescriptor::TYPE_STRING:
    case FieldDescriptor::TYPE_BYTES:
    case FieldDescriptor::TYPE_MESSAGE:
      return WireType::kBytes;
    case FieldDescriptor::TYPE_GROUP:
      return WireType::kGroup;
    default:
      return WireType::kVarint;
  }
}

bool IsEnumValue(const FieldDescriptor& field, int number) {
  const auto& type = *field.enum_type();
  return type.file()->syntax() != google::protobuf::FileDescriptor::SYNTAX_PROTO2 ||
         type.FindValueByNumber(number) != nullptr;
}

}  // namespace millrace::format
