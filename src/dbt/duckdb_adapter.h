// DuckDB as the target: a file, or memory.
#pragma once

#include "dbt/adapter.h"

namespace millrace::dbt {

Result<std::unique_ptr<Adapter>> OpenDuckDb(const Project& project);

}  // namespace millrace::dbt
