// AvroSchemaParser: the JSON of an Avro schema -> the types of an AvroSchema.
#pragma once

#include <simdjson.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/avro/avro_schema.h"

namespace millrace::format {

class AvroSchemaParser {
 public:
  explicit AvroSchemaParser(AvroSchema& schema) : schema_(schema) {}

  // Adds the text's types and makes its type the schema's root. Names of texts before it are known.
  Status Parse(std::string_view text);

 private:
  using Json = simdjson::dom::element;

  Result<const AvroType*> ParseType(Json json, const std::string& space);
  Result<const AvroType*> ParseName(std::string_view name, const std::string& space);
  Result<const AvroType*> ParseUnion(simdjson::dom::array branches, const std::string& space);
  Result<const AvroType*> ParseObject(simdjson::dom::object object, const std::string& space);
  // Of a record, enum or fixed: its name, which must be new, and its aliases. `space` becomes the
  // namespace of the names inside.
  Status ParseNames(simdjson::dom::object object, AvroType& type, std::string& space);
  Status ParseFields(simdjson::dom::object object, AvroType& type, const std::string& space);
  Status ParseField(simdjson::dom::object object, AvroField& field, const std::string& space);
  Status ParseSymbols(simdjson::dom::object object, AvroType& type);
  static void ParseLogical(simdjson::dom::object object, AvroType& type);
  // The encoding of a default; false: it is not of the type.
  static bool EncodeDefault(Json json, const AvroType& type, std::string& out, int depth = 0);
  static bool EncodeDefaultRecord(Json json, const AvroType& type, std::string& out, int depth);

  AvroType& NewType(AvroKind kind);
  // An error at the place that path_ names.
  Status Fault(std::string message) const;

  AvroSchema& schema_;
  std::map<std::string, const AvroType*, std::less<>> by_name_;
  std::vector<std::string> path_;
  // Defaults are encoded when all types are whole: one may be of the record that it stands in.
  struct PendingDefault {
    AvroType* record;
    size_t field;
    Json json;
    std::vector<std::string> path;
  };
  std::vector<PendingDefault> pending_;
};

}  // namespace millrace::format
