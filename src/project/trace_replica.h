// Replica: a private copy of a project's jobs over one record: a log of its own with just that
// record and, where a query joins versions, the topic of the versions. Where it joins streams, the
// record runs among all others (project/trace_joined.h).
//
// Contract: one thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "job/past_answers.h"
#include "project/trace.h"
#include "project/trace_run.h"

namespace millrace::project {

class Replica {
 public:
  // Both outlive it.
  Replica(const Project& project, const TraceRecord& record, const TraceAccess& access);
  Status Open();

  // What a query makes of the record. One that needs more than can be told is the stage's note.
  // `answers`: for its lookups, as of `epoch`; may be null when it has none.
  Status RunSelect(const std::string& query, const job::JobSettings& settings,
                   job::PastAnswers* answers, model::Epoch epoch, TraceStage& stage);
  // The same for what an INSERT writes; the rows are as its sink takes them.
  Status RunInsert(const JobStatement& statement, job::PastAnswers* answers, model::Epoch epoch,
                   TraceStage& stage);

 private:
  Status Run(const CompilePlan& compile, bool names_partners, job::PastAnswers* answers,
             model::Epoch epoch, TraceStage& stage);
  Result<job::Binding> Bind(const sql::Table& table) const;
  std::string WhyNotTold(const job::CompiledJob& job, size_t temporal_joins,
                         const job::PastAnswers* answers) const;
  bool JoinsStreams(const job::CompiledJob& job, size_t temporal_joins) const;
  Status AddVersionTopics(const job::CompiledJob& job, TraceStage& stage);
  Status NameVersions(const std::vector<const sql::Table*>& versioned, TraceStage& stage) const;

  const Project& project_;
  const TraceRecord& record_;
  const TraceAccess& access_;
  PrivateRun run_;
  std::map<std::string, std::string> topics_;  // that were added; why not, "": they are there
};

}  // namespace millrace::project
