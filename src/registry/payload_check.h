// PayloadCheck: whether the bytes behind a record's header are of one schema of the registry.
//
// Of Avro they are read to their end. Of JSON Schema the document is validated
// (format/json_schema/json_validator.h). Of Protobuf the message is parsed; fields that the schema
// does not have are allowed, those that it has with another type are not.
//
// Contract: any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "format/schema_registry.h"

namespace millrace::registry {

class PayloadCheck {
 public:
  virtual ~PayloadCheck() = default;

  // Errors: kInvalidArgument for a schema that is none of its type.
  static Result<std::unique_ptr<const PayloadCheck>> New(const format::RegisteredSchema& schema);

  // Why the bytes are not of the schema; nothing: they are.
  virtual std::optional<std::string> Fault(std::string_view bytes) const = 0;
};

}  // namespace millrace::registry
