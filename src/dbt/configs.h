// How configs come together: dbt_project.yml by path, .yml files by name, config() in the file.
#pragma once

#include <string>
#include <vector>

#include "dbt/value.h"

namespace millrace::dbt {

// Adds `more` to `config`: tags add up, meta and column_types merge, hooks add up, anything else is
// replaced. Keys may start with "+"; "pre-hook" is "pre_hook".
void MergeConfig(const Value& more, Value& config);

// What a section of dbt_project.yml ("models: …") says to a node of this fqn, from the outside in.
Value ConfigByPath(const Value& section, const std::vector<std::string>& fqn);

}  // namespace millrace::dbt
