// millrace.jobs, millrace.sources and millrace.topics: what runs, as tables.
#pragma once

#include "base/status.h"

namespace millrace::project {

class Runtime;

// `runtime` outlives its warehouse.
Status RegisterSystemTables(Runtime& runtime);

}  // namespace millrace::project
