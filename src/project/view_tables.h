// The project's views for whoever asks by SQL: `SELECT * FROM view` beside the tables of topics.
#pragma once

#include "duck/warehouse.h"
#include "project/project.h"

namespace millrace::project {

// What a view cannot be asked for (windows of event time: only a job has watermarks) is told when
// it is asked.
void RegisterViews(const Project& project, duck::Warehouse& warehouse);

}  // namespace millrace::project
