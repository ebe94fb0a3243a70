// The macros of package `dbt` that Millrace brings: generic tests, names, SQL that differs by
// system.
#pragma once

#include <string>

namespace millrace::dbt {

const std::string& BuiltinMacros();

}  // namespace millrace::dbt
