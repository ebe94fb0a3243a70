#include "format/avro/avro_schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "format/avro/avro_schema_parser.h"

namespace millrace::format {

const char* AvroKindName(AvroKind kind) {
  static constexpr const char* kNames[] = {"null",   "boolean", "int",    "long",   "float",
                                           "double", "bytes",   "string", "record", "enum",
                                           "array",  "map",     "union",  "fixed"};
  return kNames[static_cast<size_t>(kind)];
}

std::string_view AvroShortName(std::string_view full_name) {
  const size_t dot = full_name.rfind('.');
  return dot == std::string_view::npos ? full_name : full_name.substr(dot + 1);
}

const AvroField* FindAvroField(const AvroType& record, std::string_view name) {
  auto found = std::find_if(record.fields.begin(), record.fields.end(),
                            [&](const AvroField& field) { return field.name == name; });
  return found == record.fields.end() ? nullptr : &*found;
}

bool AvroType::named() const {
  return kind == AvroKind::kRecord || kind == AvroKind::kEnum || kind == AvroKind::kFixed;
}

std::string AvroType::Describe() const {
  return named() ? fmt::format("{} \"{}\"", AvroKindName(kind), name) : AvroKindName(kind);
}

Result<std::shared_ptr<const AvroSchema>> AvroSchema::Parse(
    std::string_view text, const std::vector<NamedSchema>& references) {
  std::shared_ptr<AvroSchema> schema(new AvroSchema());
  AvroSchemaParser parser(*schema);
  for (size_t i = 0; i < references.size(); i++) {
    // Two types of one schema may be referred to, each by its name.
    const auto known = std::find_if(references.begin(), references.begin() + i,
                                    [&](const auto& r) { return r.text == references[i].text; });
    if (known == references.begin() + i) MR_RETURN_IF_ERROR(parser.Parse(references[i].text));
  }
  MR_RETURN_IF_ERROR(parser.Parse(text));
  return std::shared_ptr<const AvroSchema>(std::move(schema));
}

}  // namespace millrace::format
