#include "registry/schema.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/strings.h"
#include "format/avro/avro_schema.h"
#include "format/protobuf/proto_schema.h"
#include "registry/avro_compatibility.h"
#include "registry/json_compatibility.h"
#include "registry/protobuf_compatibility.h"
#include "registry/registry_error.h"

namespace millrace::registry {

using format::AvroSchema;
using format::JsonSchema;
using format::ProtoSchema;

namespace {

Status Invalid(const std::string& type, const std::string& message) {
  return Fault(RegistryError::kInvalidSchema, fmt::format("invalid {} schema: {}", type, message));
}

// `Parsed`: AvroSchema, JsonSchema, ProtoSchema.
template <typename Parsed>
Result<std::shared_ptr<const Parsed>> Parse(const WholeSchema& schema) {
  auto parsed = Parsed::Parse(schema.schema.text, schema.references);
  if (parsed.ok()) return parsed;
  return Invalid(schema.schema.type, parsed.status().message()).WithHint(parsed.status().hint());
}

Status NormalizeJson(Schema& schema) {
  simdjson::dom::parser parser;
  if (auto error = parser.parse(schema.text).error(); error != simdjson::SUCCESS) {
    // A bare name, which Avro's parsers take for a primitive type, is the same with quotes.
    if (schema.type == "AVRO" && AvroSchema::Parse(schema.text).ok()) {
      schema.text = JsonQuote(Trim(schema.text));
      return {};
    }
    return Invalid(schema.type, "not valid JSON: " + ToLower(simdjson::error_message(error)));
  }
  std::string normal(schema.text.size(), '\0');
  size_t size = 0;
  if (simdjson::minify(schema.text.data(), schema.text.size(), normal.data(), size) !=
      simdjson::SUCCESS) {
    return Invalid(schema.type, "a text in it does not end");
  }
  normal.resize(size);
  schema.text = std::move(normal);
  return {};
}

}  // namespace

Status Normalize(WholeSchema& whole) {
  Schema& schema = whole.schema;
  if (schema.type == "PROTOBUF") {
    MR_ASSIGN_OR_RETURN(auto parsed, Parse<ProtoSchema>(whole));
    schema.text = parsed->Source();
    return {};
  }
  if (schema.type == "AVRO") {
    MR_RETURN_IF_ERROR(NormalizeJson(schema));
    return Parse<AvroSchema>(whole).status();
  }
  if (schema.type == "JSON") {
    MR_RETURN_IF_ERROR(NormalizeJson(schema));
    return Parse<JsonSchema>(whole).status();
  }
  return Fault(RegistryError::kInvalidSchema,
               fmt::format("\"{}\" is no type of schema", schema.type))
      .WithHint("one of: AVRO, JSON, PROTOBUF");
}

Result<std::vector<Incompatibility>> CheckReads(const WholeSchema& reader,
                                                const WholeSchema& writer,
                                                const std::string& reader_name,
                                                const std::string& writer_name) {
  if (reader.schema.type != writer.schema.type) {
    return std::vector<Incompatibility>{
        {"SCHEMA_TYPE_MISMATCH", "/",
         fmt::format("{} is of type {}, but {} of type {}", reader_name, reader.schema.type,
                     writer_name, writer.schema.type)}};
  }
  if (reader.schema == writer.schema) return std::vector<Incompatibility>();
  if (reader.schema.type == "AVRO") {
    MR_ASSIGN_OR_RETURN(auto reads, Parse<AvroSchema>(reader));
    MR_ASSIGN_OR_RETURN(auto wrote, Parse<AvroSchema>(writer));
    return CheckAvro(reads->root(), wrote->root(), reader_name, writer_name);
  }
  if (reader.schema.type == "PROTOBUF") {
    MR_ASSIGN_OR_RETURN(auto reads, Parse<ProtoSchema>(reader));
    MR_ASSIGN_OR_RETURN(auto wrote, Parse<ProtoSchema>(writer));
    return CheckProtobuf(*reads, *wrote, reader_name, writer_name);
  }
  MR_ASSIGN_OR_RETURN(auto reads, Parse<JsonSchema>(reader));
  MR_ASSIGN_OR_RETURN(auto wrote, Parse<JsonSchema>(writer));
  return CheckJson(reads->root(), wrote->root(), reader_name, writer_name);
}

}  // namespace millrace::registry
