// Whether a document is valid in a JSON Schema, and if not, why and where.
//
// `contains`, `propertyNames`, `format`, `unevaluated…` and the insides of `if` are not looked at,
// nor is a pattern that RE2 does not know (look-around, back-references).
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>

#include "format/json_schema/json_schema.h"

namespace millrace::format {

// Nothing: it is valid. Otherwise one line, with a JSON pointer to the value: `/lines/0/price: "a"
// is no number`.
std::optional<std::string> JsonSchemaFault(const JsonSchemaNode& schema,
                                           simdjson::dom::element document);

}  // namespace millrace::format
