#include "registry/payload_check.h"

#include <fmt/format.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/unknown_field_set.h>
#include <simdjson.h>

#include "base/strings.h"
#include "format/avro/avro_plan.h"
#include "format/avro/avro_row_reader.h"
#include "format/json_schema/json_validator.h"
#include "format/protobuf/proto_options.h"

namespace millrace::registry {

namespace pb = google::protobuf;

namespace {

class AvroCheck : public PayloadCheck {
 public:
  // Null: of a schema that is no record's, any bytes are taken.
  explicit AvroCheck(std::shared_ptr<const format::AvroPlan> plan) : plan_(std::move(plan)) {}

  std::optional<std::string> Fault(std::string_view bytes) const override {
    format::AvroRowReader reader;
    if (plan_ == nullptr || reader.Read(*plan_, bytes, {}, 0)) return std::nullopt;
    const model::RowError& fault = reader.fault();
    const std::string where =
        fault.column.empty() ? "" : fmt::format("field \"{}\": ", fault.column);
    return where + fault.message;
  }

 private:
  std::shared_ptr<const format::AvroPlan> plan_;
};

class JsonCheck : public PayloadCheck {
 public:
  explicit JsonCheck(std::shared_ptr<const format::JsonSchema> schema)
      : schema_(std::move(schema)) {}

  std::optional<std::string> Fault(std::string_view bytes) const override {
    simdjson::dom::parser parser;
    simdjson::dom::element json;
    if (auto error = parser.parse(bytes.data(), bytes.size()).get(json)) {
      return fmt::format("not JSON: {}", ToLower(simdjson::error_message(error)));
    }
    return format::JsonSchemaFault(schema_->root(), json);
  }

 private:
  std::shared_ptr<const format::JsonSchema> schema_;
};

// The first field that the schema has with another type than it was written with.
std::optional<std::string> MistypedField(const pb::Message& message) {
  const pb::Reflection& reflection = *message.GetReflection();
  const pb::UnknownFieldSet& unknown = reflection.GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); i++) {
    const auto* field = message.GetDescriptor()->FindFieldByNumber(unknown.field(i).number());
    // A number that an enum does not know is kept as unknown, too.
    if (field == nullptr || field->enum_type() != nullptr) continue;
    return fmt::format("field \"{}\" is not written as {}", field->name(), field->type_name());
  }
  std::vector<const pb::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const pb::FieldDescriptor* field : fields) {
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int size = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < size; i++) {
      const pb::Message& inner = field->is_repeated()
                                     ? reflection.GetRepeatedMessage(message, field, i)
                                     : reflection.GetMessage(message, field);
      if (auto fault = MistypedField(inner)) {
        return fmt::format("{}, in \"{}\"", *fault, field->name());
      }
    }
  }
  return std::nullopt;
}

class ProtobufCheck : public PayloadCheck {
 public:
  explicit ProtobufCheck(std::shared_ptr<const format::ProtoSchema> schema)
      : schema_(std::move(schema)) {}

  std::optional<std::string> Fault(std::string_view bytes) const override {
    const pb::Descriptor* type = format::TakeMessage(schema_->file(), bytes);
    if (type == nullptr) return "it names no message of the schema";
    pb::DynamicMessageFactory messages;
    const std::unique_ptr<pb::Message> message(messages.GetPrototype(type)->New());
    const pb::LogSilencer quiet;
    if (!message->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return fmt::format("the bytes are no message \"{}\"", type->full_name());
    }
    if (!message->IsInitialized()) {
      return fmt::format("required fields are missing: {}", message->InitializationErrorString());
    }
    return MistypedField(*message);
  }

 private:
  std::shared_ptr<const format::ProtoSchema> schema_;
};

}  // namespace

Result<std::unique_ptr<const PayloadCheck>> PayloadCheck::New(
    const format::RegisteredSchema& schema) {
  if (schema.type == "AVRO") {
    MR_ASSIGN_OR_RETURN(auto parsed, format::AvroSchema::Parse(schema.text, schema.references));
    std::shared_ptr<const format::AvroPlan> plan;
    if (parsed->root().kind == format::AvroKind::kRecord) {
      MR_ASSIGN_OR_RETURN(plan, format::AvroPlan::Make(std::move(parsed), nullptr, {}));
    }
    return std::unique_ptr<const PayloadCheck>(std::make_unique<AvroCheck>(std::move(plan)));
  }
  if (schema.type == "JSON") {
    MR_ASSIGN_OR_RETURN(auto parsed, format::JsonSchema::Parse(schema.text, schema.references));
    return std::unique_ptr<const PayloadCheck>(std::make_unique<JsonCheck>(std::move(parsed)));
  }
  MR_ASSIGN_OR_RETURN(auto parsed, format::ProtoSchema::Parse(schema.text, schema.references));
  return std::unique_ptr<const PayloadCheck>(std::make_unique<ProtobufCheck>(std::move(parsed)));
}

}  // namespace millrace::registry
