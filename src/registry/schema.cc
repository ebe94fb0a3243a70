#include "registry/schema.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/strings.h"
#include "registry/registry_error.h"

namespace millrace::registry {

using format::AvroSchema;

namespace {

Result<std::shared_ptr<const AvroSchema>> ParseAvro(const WholeSchema& schema) {
  auto parsed = AvroSchema::Parse(schema.schema.text, schema.references);
  if (parsed.ok()) return parsed;
  return Fault(RegistryError::kInvalidSchema, "invalid AVRO schema: " + parsed.status().message())
      .WithHint(parsed.status().hint());
}

}  // namespace

Result<std::string> NormalText(const std::string& type, const std::string& text) {
  if (type == "PROTOBUF") {
    if (!Trim(text).empty()) return text;
    return Fault(RegistryError::kInvalidSchema, "invalid PROTOBUF schema: it is empty");
  }
  if (type != "AVRO" && type != "JSON") {
    return Fault(RegistryError::kInvalidSchema, fmt::format("\"{}\" is no type of schema", type))
        .WithHint("one of: AVRO, JSON, PROTOBUF");
  }
  simdjson::dom::parser parser;
  if (auto error = parser.parse(text).error(); error != simdjson::SUCCESS) {
    // A bare name, which Avro's parsers take for a primitive type, is the same with quotes.
    if (type == "AVRO" && AvroSchema::Parse(text).ok()) {
      return JsonQuote(Trim(text));
    }
    return Fault(RegistryError::kInvalidSchema,
                 fmt::format("invalid {} schema: not valid JSON: {}", type,
                             ToLower(simdjson::error_message(error))));
  }
  std::string normal(text.size(), '\0');
  size_t size = 0;
  if (simdjson::minify(text.data(), text.size(), normal.data(), size) != simdjson::SUCCESS) {
    return Fault(RegistryError::kInvalidSchema,
                 fmt::format("invalid {} schema: a text in it does not end", type));
  }
  normal.resize(size);
  return normal;
}

Status CheckValid(const WholeSchema& schema) {
  if (schema.schema.type != "AVRO") return {};
  return ParseAvro(schema).status();
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
  if (reader.schema.type != "AVRO") {
    return Fault(RegistryError::kNotPermitted,
                 fmt::format("whether {} schemas are compatible is not checked by this version",
                             reader.schema.type))
        .WithHint("set the subject's compatibility to NONE to register another version");
  }
  MR_ASSIGN_OR_RETURN(auto reads, ParseAvro(reader));
  MR_ASSIGN_OR_RETURN(auto wrote, ParseAvro(writer));
  return CheckAvro(reads->root(), wrote->root(), reader_name, writer_name);
}

}  // namespace millrace::registry
