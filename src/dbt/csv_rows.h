// Reads rows that stand as CSV in a .yml file or a fixture: the rows of unit tests.
#pragma once

#include <string>

#include "dbt/value.h"

namespace millrace::dbt {

// A list of maps from the header's names to texts, null where a cell is empty. Cells may be quoted
// with "…", in which "" is one quote. Errors: kSyntax for a row that has more or fewer cells than
// the header.
Result<Value> ParseCsvRows(const std::string& text);

}  // namespace millrace::dbt
