// Topics as tables of the warehouse's SQL: every embedded 'kafka' table by its name, with the
// columns it declares (computed ones excepted); records that do not decode are left out. And
// millrace.dead_letters over the dead-letter topic.
#pragma once

#include "duck/warehouse.h"
#include "log/log.h"
#include "project/project.h"

namespace millrace::project {

Status RegisterTopicTables(const Project& project, log::Log& log, duck::Warehouse& warehouse);

}  // namespace millrace::project
