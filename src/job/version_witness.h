// What traces ask of a job's joins. WatchVersions: tells which versions the temporal joins of a job
// join its rows with.
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

// How many joins of streams the job has, semi joins of subqueries among them; not those with
// versions, nor look-ups.
size_t CountStreamJoins(const CompiledJob& job);

}  // namespace millrace::job
