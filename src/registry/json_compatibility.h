// Whether documents of one JSON Schema are valid in another, and if not, why and where.
//
// Objects are told apart by their content model, of which most questions of added and removed
// properties are:
//   open            anything else is allowed; a property may be removed, but not added with a type
//   closed          `additionalProperties: false`; a property may be added, but not removed
//   partially open  of a schema (`additionalProperties`, `patternProperties`): properties come and
//                   go as far as that schema covers them
// The same holds for the items of arrays. A new required property needs a default.
//
// Source: the rules as Confluent's schema registry has them (its JsonSchema, policy STRICT).
#pragma once

#include <string>
#include <vector>

#include "format/json_schema/json_schema.h"
#include "registry/incompatibility.h"

namespace millrace::registry {

// Empty: whatever is valid in `writer` is valid in `reader`. The names are what messages call the
// schemas. Paths are JSON pointers into the reader's schema: "/properties/price/maximum".
std::vector<Incompatibility> CheckJson(const format::JsonSchemaNode& reader,
                                       const format::JsonSchemaNode& writer,
                                       const std::string& reader_name,
                                       const std::string& writer_name);

}  // namespace millrace::registry
