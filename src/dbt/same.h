// Whether two values, or two nodes, hold the same.
#pragma once

#include "dbt/node.h"

namespace millrace::dbt {

// The same kinds and contents; maps also in the same order.
bool Same(const Value& a, const Value& b);
// In every field.
bool Same(const Node& a, const Node& b);

}  // namespace millrace::dbt
