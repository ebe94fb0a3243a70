// What is common to those who change a job's version: its plan by a given text, the tables of its
// versions, and which of them readers really see.
#pragma once

#include <memory>
#include <string>

#include "connectors/table_versions.h"
#include "job/compiled_job.h"
#include "project/job_versions.h"
#include "project/runtime.h"

namespace millrace::project {

// Error kNotFound with did-you-mean.
Result<std::unique_ptr<job::CompiledJob>> CompileJob(const Project& text, const std::string& job);

// Null when the sink of the job, as `text` has it, is no table that can be exchanged.
Result<std::unique_ptr<connectors::TableVersions>> OpenTables(Runtime& runtime, const Project& text,
                                                              const std::string& job);

// Deletes table, state and text of a version that does not serve. May be repeated.
Status DropVersion(Runtime& runtime, const std::string& job, const JobVersions& versions,
                   int version);

// The tables are exchanged first and versions.json follows, and what is retired is deleted last: a
// crash in between is mended here.
Status SettleVersions(Runtime& runtime, const std::string& job, JobVersions& versions);

}  // namespace millrace::project
