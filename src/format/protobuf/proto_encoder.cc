#include "format/protobuf/proto_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/strings.h"
#include "format/avro/avro_decimal.h"
#include "format/civil_time.h"
#include "format/confluent.h"
#include "format/protobuf/proto_options.h"
#include "format/protobuf/proto_plan.h"
#include "format/protobuf/proto_table_schema.h"

namespace millrace::format {

using duckdb::idx_t;
using duckdb::UnifiedVectorFormat;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

namespace {

template <typename T>
T ValueAt(const UnifiedVectorFormat& column, idx_t index) {
  return UnifiedVectorFormat::GetData<T>(column)[index];
}

int64_t IntegerAt(const ColumnType& type, const UnifiedVectorFormat& column, idx_t index) {
  switch (type.physical) {
    case duckdb::PhysicalType::INT8:
      return ValueAt<int8_t>(column, index);
    case duckdb::PhysicalType::INT16:
      return ValueAt<int16_t>(column, index);
    case duckdb::PhysicalType::INT32:
      return ValueAt<int32_t>(column, index);
    default:
      return ValueAt<int64_t>(column, index);
  }
}

std::string_view TextAt(const UnifiedVectorFormat& column, idx_t index) {
  const auto& text = UnifiedVectorFormat::GetData<duckdb::string_t>(column)[index];
  return {text.GetData(), text.GetSize()};
}

// An integer, float or boolean as it lies on the wire.
void AppendScalar(const FieldDescriptor& field, int64_t integer, double floating,
                  std::string& out) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_SINT32:
    case FieldDescriptor::TYPE_SINT64:
      AppendVarint(ToZigZag(integer), out);
      break;
    case FieldDescriptor::TYPE_UINT32:
      AppendVarint(static_cast<uint32_t>(integer), out);
      break;
    case FieldDescriptor::TYPE_FIXED32:
    case FieldDescriptor::TYPE_SFIXED32:
      AppendFixed(static_cast<int32_t>(integer), out);
      break;
    case FieldDescriptor::TYPE_FIXED64:
    case FieldDescriptor::TYPE_SFIXED64:
      AppendFixed(integer, out);
      break;
    case FieldDescriptor::TYPE_FLOAT:
      AppendFixed(static_cast<float>(floating), out);
      break;
    case FieldDescriptor::TYPE_DOUBLE:
      AppendFixed(floating, out);
      break;
    default:
      AppendVarint(static_cast<uint64_t>(integer), out);
  }
}

// What stands for NULL where it cannot be told.
void AppendDefault(const FieldDescriptor& field, std::string& out) {
  if (WireTypeOf(field) == WireType::kBytes) {
    AppendBytes("", out);
  } else {
    AppendScalar(field, 0, 0, out);
  }
}

// Whether nothing but zeros was written: the default of a field that need not be there.
bool IsDefault(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char byte) { return byte == '\0'; });
}

// Puts the length of what was written since `start` before it.
void InsertLength(size_t start, std::string& out) {
  std::string length;
  AppendVarint(out.size() - start, length);
  out.insert(start, length);
}

// The fields 1, 2, … of a message.
void AppendIntegers(std::initializer_list<int64_t> values, std::string& out) {
  int number = 0;
  for (const int64_t value : values) {
    AppendTag(++number, WireType::kVarint, out);
    AppendVarint(static_cast<uint64_t>(value), out);
  }
}

bool CanWrite(const FieldDescriptor& field, const ColumnType& column) {
  const auto type = field.cpp_type();
  const auto* message = field.message_type();
  const std::string file = message == nullptr ? "" : message->file()->name();
  const bool wide =
      type == FieldDescriptor::CPPTYPE_INT64 || type == FieldDescriptor::CPPTYPE_UINT64;
  switch (column.kind) {
    case ColumnKind::kBool:
      return type == FieldDescriptor::CPPTYPE_BOOL;
    case ColumnKind::kInt8:
    case ColumnKind::kInt16:
    case ColumnKind::kInt32:
      return wide || type == FieldDescriptor::CPPTYPE_INT32 ||
             type == FieldDescriptor::CPPTYPE_UINT32 || type == FieldDescriptor::CPPTYPE_ENUM;
    case ColumnKind::kInt64:
      return wide;
    case ColumnKind::kFloat:
      return type == FieldDescriptor::CPPTYPE_FLOAT || type == FieldDescriptor::CPPTYPE_DOUBLE;
    case ColumnKind::kDouble:
      return type == FieldDescriptor::CPPTYPE_DOUBLE;
    case ColumnKind::kDecimal:
      return file == "confluent/type/decimal.proto";
    case ColumnKind::kString:
      return type == FieldDescriptor::CPPTYPE_STRING || type == FieldDescriptor::CPPTYPE_ENUM;
    case ColumnKind::kBytes:
      return field.type() == FieldDescriptor::TYPE_BYTES;
    case ColumnKind::kTimestamp:
    case ColumnKind::kTimestampTz:
      return file == "google/protobuf/timestamp.proto";
    case ColumnKind::kDate:
      return file == "google/type/date.proto";
    case ColumnKind::kTime:
      return file == "google/type/timeofday.proto";
    case ColumnKind::kStruct:
      return field.type() == FieldDescriptor::TYPE_MESSAGE;
    default:
      return false;
  }
}

// The value of an enum by its name, or by its number as text, which is how a value without a name
// is read.
std::optional<int> EnumNumber(const FieldDescriptor& field, std::string_view text) {
  const auto* named = field.enum_type()->FindValueByName(std::string(text));
  if (named != nullptr) return named->number();
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && IsEnumValue(field, number) ? std::optional<int>(number) : std::nullopt;
}

std::string NoEnumValue(const FieldDescriptor& field, std::string_view text) {
  constexpr int kNamesMax = 20;
  const auto& type = *field.enum_type();
  std::vector<std::string> names;
  for (int i = 0; i < std::min(type.value_count(), kNamesMax); i++) {
    names.push_back(type.value(i)->name());
  }
  if (type.value_count() > kNamesMax) names.push_back("…");
  return fmt::format("not a message \"{}\": {} is no value of enum \"{}\" in field \"{}\": {}",
                     field.containing_type()->full_name(), JsonQuote(text), type.name(),
                     field.name(), Join(names, ", "));
}

Status NoPlace(const FieldDescriptor& field, const ColumnType& column) {
  const std::string label = field.is_map() ? "map" : field.is_repeated() ? "repeated " : "";
  std::string type = field.type_name();
  if (field.message_type() != nullptr) type += " \"" + field.message_type()->name() + "\"";
  if (field.is_map()) type = "";
  return {Code::kUnsupported, fmt::format("{} cannot be written as a Protobuf {}{}",
                                          TypeNameWithArticle(column), label, type)};
}

}  // namespace

Result<std::unique_ptr<Encoder>> ProtoEncoder::Create(std::string_view format,
                                                      const model::Schema& schema,
                                                      const FormatOptions& options,
                                                      SchemaRegistry* registry) {
  MR_ASSIGN_OR_RETURN(std::vector<ColumnType> types, MakeTypes(schema));
  std::unique_ptr<ProtoEncoder> encoder(new ProtoEncoder(std::move(types)));
  MR_ASSIGN_OR_RETURN(encoder->schema_, OwnProtoSchema(format, options));
  if (encoder->schema_ == nullptr) {
    MR_ASSIGN_OR_RETURN(std::string text, ProtoSchemaOf(schema, encoder->types()));
    MR_ASSIGN_OR_RETURN(encoder->schema_, ProtoSchema::Parse(text));
  }
  MR_ASSIGN_OR_RETURN(const Descriptor* message, OwnMessage(format, options, *encoder->schema_));
  MR_ASSIGN_OR_RETURN(encoder->steps_, PlanFields(*message, schema.Names(), encoder->types()));
  if (format == kProtobufConfluent) {
    if (registry == nullptr) return NoSchemaRegistry(format);
    const std::string subject = std::string(format) + ".subject";
    if (!options.Has(subject)) return NoSubject(format);
    MR_ASSIGN_OR_RETURN(int32_t id,
                        registry->Register(options.GetString(subject),
                                           {"PROTOBUF", encoder->schema_->Source(), {}}));
    AppendConfluentHeader(id, encoder->header_);
    AppendMessageIndexes(*message, encoder->header_);
  }
  return std::unique_ptr<Encoder>(std::move(encoder));
}

Result<ProtoEncoder::Step> ProtoEncoder::Plan(const FieldDescriptor& field,
                                              const ColumnType& type) {
  if (field.is_map()) {
    const FieldDescriptor& key = *field.message_type()->map_key();
    if (type.kind != ColumnKind::kMap || key.type() != FieldDescriptor::TYPE_STRING) {
      return NoPlace(field, type);
    }
    MR_ASSIGN_OR_RETURN(Step value,
                        PlanValue(*field.message_type()->map_value(), type.children[1]));
    Step step;
    step.field = &field;
    step.steps.push_back(std::move(value));
    return step;
  }
  if (!field.is_repeated()) return PlanValue(field, type);
  if (type.kind != ColumnKind::kList) return NoPlace(field, type);
  return PlanValue(field, type.children[0]);
}

Result<ProtoEncoder::Step> ProtoEncoder::PlanValue(const FieldDescriptor& field,
                                                   const ColumnType& type) {
  Step step;
  step.field = &field;
  const Descriptor* message = field.message_type();
  if (message != nullptr && message->file()->name() == "google/protobuf/wrappers.proto") {
    step.wrapper = true;
    MR_ASSIGN_OR_RETURN(Step inner, PlanValue(*message->field(0), type));
    step.steps.push_back(std::move(inner));
    return step;
  }
  if (!CanWrite(field, type)) return NoPlace(field, type);
  if (type.kind == ColumnKind::kStruct) {
    MR_ASSIGN_OR_RETURN(step.steps, PlanFields(*message, type.field_names, type.children));
  }
  return step;
}

Result<std::vector<ProtoEncoder::Step>> ProtoEncoder::PlanFields(
    const Descriptor& message, const std::vector<std::string>& names,
    const std::vector<ColumnType>& types) {
  std::vector<std::string> fields;
  for (int i = 0; i < message.field_count(); i++) fields.push_back(message.field(i)->name());
  std::vector<Step> steps;
  for (size_t i = 0; i < names.size(); i++) {
    const FieldDescriptor* field = message.FindFieldByName(names[i]);
    if (field == nullptr) {
      return Status(Code::kUnsupported,
                    fmt::format("message \"{}\" has no field \"{}\" for the column",
                                message.full_name(), names[i]))
          .WithHint(DidYouMean(names[i], fields));
    }
    auto step = Plan(*field, types[i]);
    if (!step.ok()) {
      return std::move(step).status().Annotate(fmt::format("column \"{}\"", names[i]));
    }
    step->column = i;
    steps.push_back(*std::move(step));
  }
  for (int i = 0; i < message.field_count(); i++) {
    const FieldDescriptor& field = *message.field(i);
    if (!field.is_required() ||
        std::find(names.begin(), names.end(), field.name()) != names.end()) {
      continue;
    }
    return Status(Code::kUnsupported,
                  fmt::format("field \"{}\" of message \"{}\" is required, and there is no column "
                              "to take it from",
                              field.name(), message.full_name()));
  }
  std::sort(steps.begin(), steps.end(),
            [](const Step& a, const Step& b) { return a.field->number() < b.field->number(); });
  return steps;
}

void ProtoEncoder::WriteRow(idx_t row, std::string& out) {
  out += header_;
  for (const Step& step : steps_) {
    WriteField(step, types()[step.column], views()[step.column], row, out);
  }
}

void ProtoEncoder::WriteField(const Step& step, const ColumnType& type, const ColumnView& view,
                              idx_t row, std::string& out) {
  const UnifiedVectorFormat& column = view.unified;
  const idx_t index = column.sel->get_index(row);
  if (!column.validity.RowIsValid(index)) return;
  const FieldDescriptor& field = *step.field;
  if (field.is_map()) return WriteMap(step, type, view, index, out);
  if (field.is_repeated()) return WriteList(step, type, view, index, out);
  const size_t before = out.size();
  AppendTag(field.number(), WireTypeOf(field), out);
  const size_t start = out.size();
  WriteValue(step, type, view, index, out);
  // Of a text only the length is 0 when it is empty.
  const bool bytes = WireTypeOf(field) == WireType::kBytes;
  const std::string_view value = std::string_view(out).substr(start);
  if (!field.has_presence() && (bytes ? value.size() == 1 : IsDefault(value))) out.resize(before);
}

void ProtoEncoder::WriteList(const Step& step, const ColumnType& type, const ColumnView& view,
                             idx_t index, std::string& out) {
  const auto list = ValueAt<duckdb::list_entry_t>(view.unified, index);
  if (list.length == 0) return;
  const FieldDescriptor& field = *step.field;
  const ColumnView& elements = view.children[0];
  const bool packed = field.is_packed();
  if (packed) AppendTag(field.number(), WireType::kBytes, out);
  const size_t start = out.size();
  for (idx_t i = list.offset; i < list.offset + list.length; i++) {
    if (!packed) AppendTag(field.number(), WireTypeOf(field), out);
    const idx_t at = elements.unified.sel->get_index(i);
    if (elements.unified.validity.RowIsValid(at)) {
      WriteValue(step, type.children[0], elements, at, out);
    } else {
      AppendDefault(field, out);
    }
  }
  if (packed) InsertLength(start, out);
}

void ProtoEncoder::WriteMap(const Step& step, const ColumnType& type, const ColumnView& view,
                            idx_t index, std::string& out) {
  const auto list = ValueAt<duckdb::list_entry_t>(view.unified, index);
  const ColumnView& keys = view.children[0].children[0];  // of a struct of key and value
  const ColumnView& values = view.children[0].children[1];
  const Step& value = step.steps[0];
  for (idx_t i = list.offset; i < list.offset + list.length; i++) {
    AppendTag(step.field->number(), WireType::kBytes, out);
    const size_t start = out.size();
    AppendTag(1, WireType::kBytes, out);
    AppendBytes(TextAt(keys.unified, keys.unified.sel->get_index(i)), out);
    AppendTag(2, WireTypeOf(*value.field), out);
    const idx_t at = values.unified.sel->get_index(i);
    if (values.unified.validity.RowIsValid(at)) {
      WriteValue(value, type.children[1], values, at, out);
    } else {
      AppendDefault(*value.field, out);
    }
    InsertLength(start, out);
  }
}

void ProtoEncoder::WriteValue(const Step& step, const ColumnType& type, const ColumnView& view,
                              idx_t index, std::string& out) {
  const UnifiedVectorFormat& column = view.unified;
  const size_t start = out.size();
  if (step.wrapper) {
    const Step& inner = step.steps[0];
    AppendTag(1, WireTypeOf(*inner.field), out);
    WriteValue(inner, type, view, index, out);
    return InsertLength(start, out);
  }
  switch (type.kind) {
    case ColumnKind::kBool:
      AppendVarint(ValueAt<bool>(column, index) ? 1 : 0, out);
      break;
    case ColumnKind::kFloat:
      AppendScalar(*step.field, 0, ValueAt<float>(column, index), out);
      break;
    case ColumnKind::kDouble:
      AppendScalar(*step.field, 0, ValueAt<double>(column, index), out);
      break;
    case ColumnKind::kString:
      if (step.field->enum_type() != nullptr) {
        const std::string_view text = TextAt(column, index);
        const std::optional<int> number = EnumNumber(*step.field, text);
        if (!number && !fault_) fault_ = NoEnumValue(*step.field, text);
        AppendScalar(*step.field, number.value_or(0), 0, out);
        break;
      }
      [[fallthrough]];
    case ColumnKind::kBytes:
      AppendBytes(TextAt(column, index), out);
      break;
    case ColumnKind::kDecimal: {
      duckdb::hugeint_t value = type.physical == duckdb::PhysicalType::INT128
                                    ? ValueAt<duckdb::hugeint_t>(column, index)
                                    : duckdb::hugeint_t(IntegerAt(type, column, index));
      AppendTag(1, WireType::kBytes, out);
      const size_t bytes = out.size();
      AppendAvroDecimal(value, sizeof value, out);
      InsertLength(bytes, out);
      AppendTag(2, WireType::kVarint, out);
      AppendVarint(type.width, out);
      AppendTag(3, WireType::kVarint, out);
      AppendVarint(type.scale, out);
      InsertLength(start, out);
      break;
    }
    case ColumnKind::kTimestamp:
    case ColumnKind::kTimestampTz: {
      const int64_t micros = ValueAt<int64_t>(column, index);
      int64_t seconds = micros / kMicrosPerSecond;
      if (micros % kMicrosPerSecond < 0) seconds--;
      AppendIntegers({seconds, (micros - seconds * kMicrosPerSecond) * 1000}, out);
      InsertLength(start, out);
      break;
    }
    case ColumnKind::kDate: {
      const CivilDate date = CivilFromDays(ValueAt<int32_t>(column, index));
      AppendIntegers({date.year, date.month, date.day}, out);
      InsertLength(start, out);
      break;
    }
    case ColumnKind::kTime: {
      const int64_t micros = ValueAt<int64_t>(column, index);
      const int64_t seconds = micros / kMicrosPerSecond;
      AppendIntegers(
          {seconds / 3600, seconds / 60 % 60, seconds % 60, micros % kMicrosPerSecond * 1000}, out);
      InsertLength(start, out);
      break;
    }
    case ColumnKind::kStruct:
      WriteFields(step, type, view, index, out);
      InsertLength(start, out);
      break;
    default:
      AppendScalar(*step.field, IntegerAt(type, column, index), 0, out);
  }
}

void ProtoEncoder::WriteFields(const Step& step, const ColumnType& type, const ColumnView& view,
                               idx_t index, std::string& out) {
  for (const Step& field : step.steps) {
    WriteField(field, type.children[field.column], view.children[field.column], index, out);
  }
}

}  // namespace millrace::format
