// WatchVersions: tells which versions the temporal joins of a job join its rows with, for traces.
//
// Contract: before the job is opened; `on_version` is called on the job's threads, with the columns
// that the query needs of the version.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "job/compiled_job.h"

namespace millrace::job {

// How many temporal joins the job has.
size_t WatchVersions(
    CompiledJob& job,
    const std::function<void(const std::vector<std::string>& names,
                             const std::vector<duckdb::Value>& version)>& on_version);

}  // namespace millrace::job
