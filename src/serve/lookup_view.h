// The JSON of what a job asks other systems: "lookups" of GET /api/jobs/{name}.
#pragma once

#include <string>
#include <vector>

#include "job/lookup_meter.h"

namespace millrace::serve {

std::string LookupsJson(const std::vector<job::LookupStatus>& lookups);

}  // namespace millrace::serve
