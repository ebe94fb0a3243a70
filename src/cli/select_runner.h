// Runs a SELECT of a script: over the warehouse's tables once, over streams for as long as they
// last.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/status.h"
#include "project/runtime.h"
#include "sql/statement.h"

namespace millrace::cli {

// True when the query is the warehouse's to answer: it names a table that is kept there, or none of
// the project's tables at all (system tables, SELECT 1).
bool IsForWarehouse(const project::Project& project, const sql::Fragment& query);

// Prints the rows. A query over streams ends with its sources, after `rows_max` rows (0: no limit),
// or when `stop` is set. Errors point into the script.
Status RunSelect(project::Runtime& runtime, const sql::Select& select, int64_t rows_max,
                 const std::atomic<bool>& stop);

}  // namespace millrace::cli
