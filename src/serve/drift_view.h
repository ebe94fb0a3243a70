// The JSON of the fields that a job's tables do not declare: "drift" of GET /api/jobs/{name}.
#pragma once

#include <string>
#include <vector>

#include "job/job.h"

namespace millrace::serve {

std::string DriftJson(const std::vector<job::TableDrift>& drift);

}  // namespace millrace::serve
