// Any two texts as schemas of a subject, one the reader's and one the writer's, apart by a zero
// byte: never a crash nor an endless comparison; a schema reads what it wrote itself, and what was
// normalized once stays as it is. Of JSON Schemas the second text is a document, too. The first
// byte chooses the type.
#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "format/json_schema/json_validator.h"
#include "registry/schema.h"

namespace millrace::registry {
namespace {

void CheckDocument(const std::string& schema, std::string_view document) {
  const auto parsed = format::JsonSchema::Parse(schema);
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  if (!parsed.ok() || parser.parse(std::string(document)).get(element) != simdjson::SUCCESS) return;
  (void)format::JsonSchemaFault((*parsed)->root(), element);
}

void FuzzOne(std::string_view input) {
  if (input.empty()) return;
  const char* const types[] = {"AVRO", "JSON", "PROTOBUF"};
  const std::string type = types[static_cast<uint8_t>(input[0]) % 3];
  const std::string_view texts = input.substr(1);
  const size_t zero = texts.find('\0');
  WholeSchema reader{{type, std::string(texts.substr(0, zero))}, {}};
  if (!Normalize(reader).ok()) return;
  WholeSchema again = reader;
  MR_CHECK(Normalize(again).ok() && again.schema == reader.schema, "normal is normal");
  if (zero == std::string_view::npos) return;
  const std::string_view other = texts.substr(zero + 1);
  if (type == "JSON") CheckDocument(reader.schema.text, other);
  WholeSchema writer{{type, std::string(other)}, {}};
  if (!Normalize(writer).ok()) return;
  MR_CHECK(CheckReads(reader, writer, "reader", "writer").ok(), "two schemas can be compared");
}

}  // namespace
}  // namespace millrace::registry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  millrace::registry::FuzzOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
