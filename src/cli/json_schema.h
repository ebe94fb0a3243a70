// JSON Schema to CREATE TABLE: columns from properties, CHECKs from what the values are bound to.
//
// Source: JSON Schema draft 2020-12 (and draft-07), the part that tables can express.
#pragma once

#include <string>

#include "base/status.h"

namespace millrace::cli {

// A CREATE TABLE over a JSON topic of the table's name. Types and `required` become columns and NOT
// NULL; minimum, maximum, exclusive ones, multipleOf, minLength, maxLength, pattern, enum and const
// of top-level properties become CHECKs; every keyword that is not carried over is named in a
// comment at the end. Errors: kSyntax (not JSON), kBadOption (no object with properties, a $ref
// that leads nowhere).
Result<std::string> TableFromJsonSchema(const std::string& schema_json, const std::string& table);

}  // namespace millrace::cli
