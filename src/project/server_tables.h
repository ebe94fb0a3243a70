// Tables that live in a server (PostgreSQL, on targets where 'jdbc' is not embedded) as tables of
// the warehouse's SQL, for queries and dashboards.
#pragma once

#include "duck/warehouse.h"
#include "project/project.h"

namespace millrace::project {

Status RegisterServerTables(const Project& project, duck::Warehouse& warehouse);

}  // namespace millrace::project
