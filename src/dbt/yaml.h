// Reads YAML files as values.
#pragma once

#include <string>

#include "dbt/value.h"

namespace millrace::dbt {

// `text` of `path`, scalars by the core schema of YAML 1.2: null, true, false, numbers, else text.
// Errors: kSyntax with the line and column.
Result<Value> ParseYaml(const std::string& text, const std::string& path);

}  // namespace millrace::dbt
