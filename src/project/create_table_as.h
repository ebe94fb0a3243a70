// CREATE TABLE … AS SELECT: a table with the columns of a query, and the job that fills it.
#pragma once

#include "base/status.h"
#include "job/compiled_job.h"
#include "sql/catalog.h"
#include "sql/statement.h"

namespace millrace::project {

// Gives `definition` the columns of its query, which moves into the INSERT that comes back. Errors:
// what binding the query says; kUnsupported where columns are declared, too. A column of NULLs is
// an INT.
Result<sql::Insert> TakeQuery(const sql::Catalog& catalog, const job::JobSettings& settings,
                              sql::CreateTable& definition);

}  // namespace millrace::project
