// DuckDB as the target: a file, or memory.
#pragma once

#include "dbt/adapter.h"

namespace millrace::dbt {

Result<std::unique_ptr<Adapter>> OpenDuckDb(const Project& project);
// A database that is open already; it must outlive the adapter. Transactions are on a connection of
// their own: they hold up nobody else's, and fail where another wrote the same table.
std::unique_ptr<Adapter> UseDuckDb(duck::Warehouse& warehouse);

}  // namespace millrace::dbt
