// The macros of package `dbt` that Millrace brings: generic tests, names, SQL that differs by
// system.
#pragma once

#include <string>

namespace millrace::dbt {

// `adapter`: dbt's name of the target's type.
std::string BuiltinMacros(const std::string& adapter);

}  // namespace millrace::dbt
