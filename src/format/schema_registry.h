// SchemaRegistry: where a format finds the schema whose number a record carries, and has that of
// the rows it writes numbered.
//
// Contract: any thread. What a number stands for never changes, so a schema may be kept for ever.
// Calls may wait for another system; kUnavailable with a retry hint when it does not answer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::format {

// A schema that another one uses: an import of Protobuf, a $ref of JSON Schema, a type of Avro.
struct NamedSchema {
  std::string name;  // as the other one calls it
  std::string text;
  bool operator==(const NamedSchema&) const = default;
};

struct RegisteredSchema {
  std::string type = "AVRO";  // or "JSON", "PROTOBUF"
  std::string text;
  // The schemas that this one uses, each after those that it uses itself.
  std::vector<NamedSchema> references = {};
};

class SchemaRegistry {
 public:
  virtual ~SchemaRegistry() = default;

  // kNotFound: no schema has this number.
  virtual Result<RegisteredSchema> Find(int32_t id) = 0;
  // The schema's number under the subject, given now unless it has one. kFailedPrecondition when
  // the subject's compatibility does not allow it.
  virtual Result<int32_t> Register(const std::string& subject, const RegisteredSchema& schema) = 0;
  // The number of the subject's latest version. kNotFound: there is no such subject.
  virtual Result<int32_t> Latest(const std::string& subject) = 0;
};

}  // namespace millrace::format
