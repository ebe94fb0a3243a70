// FindRecords: which records of a table's topic hold a row with given values.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "project/trace.h"

namespace millrace::project {

// Those of `records` whose row in `table` has these values, in their order; each record once.
// Columns that the table does not read from a record are not compared. Errors: the table's format
// is none that can be read.
Result<std::vector<TraceRecord>> FindRecords(const Project& project, const sql::Table& table,
                                             const std::vector<TraceRecord>& records,
                                             const std::map<std::string, CellText>& values);

}  // namespace millrace::project
