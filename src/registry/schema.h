// A schema of a subject, and what can be said of its text alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "registry/avro_compatibility.h"

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

// A schema and the texts of those that it uses, each after those that it uses itself.
struct WholeSchema {
  Schema schema;
  std::vector<std::string> references;
};

// The text in the one form in which schemas are compared and kept: JSON without white space.
// Error 42201 for a type nobody knows and for a text that is no such schema.
Result<std::string> NormalText(const std::string& type, const std::string& text);

// Error 42201, saying what is wrong and where.
Status CheckValid(const WholeSchema& schema);

// Whether `reader` reads what `writer` wrote; see registry/avro_compatibility.h. Only of Avro:
// other types are refused with 42205.
Result<std::vector<Incompatibility>> CheckReads(const WholeSchema& reader,
                                                const WholeSchema& writer,
                                                const std::string& reader_name,
                                                const std::string& writer_name);

}  // namespace millrace::registry
