// A schema of a subject, and what can be said of its text alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "format/schema_registry.h"
#include "registry/incompatibility.h"

namespace millrace::registry {

// Another subject's version, whose types a schema uses under a name.
struct Reference {
  std::string name;
  std::string subject;
  int version = 0;
  bool operator==(const Reference&) const = default;
};

struct Schema {
  std::string type = "AVRO";  // or "JSON", "PROTOBUF"
  std::string text;
  std::vector<Reference> references = {};
  bool operator==(const Schema&) const = default;
};

// One version of a subject.
struct SubjectVersion {
  std::string subject;
  int version = 0;
  int32_t id = 0;
  Schema schema;
  bool deleted = false;  // softly: no longer listed, but records with its number can still be read
};

// A schema and those that it uses, each after those that it uses itself.
struct WholeSchema {
  Schema schema;
  std::vector<format::NamedSchema> references;
};

// Puts the text into the one form in which schemas are compared and kept: JSON without white space,
// the source of a .proto file as libprotobuf prints it. Error 42201 for a type nobody knows and for
// a text that is no such schema, saying what is wrong and where.
Status Normalize(WholeSchema& schema);

// Whether `reader` reads what `writer` wrote; see registry/avro_compatibility.h,
// registry/protobuf_compatibility.h, registry/json_compatibility.h.
Result<std::vector<Incompatibility>> CheckReads(const WholeSchema& reader,
                                                const WholeSchema& writer,
                                                const std::string& reader_name,
                                                const std::string& writer_name);

}  // namespace millrace::registry
