// Replica: a private copy of a project's jobs over one record: a log of its own with just that
// record and, where a query joins versions, the topic of the versions.
//
// Contract: one thread. Uses a directory below the system's for temporary files, which goes away
// with it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "env/hand_clock.h"
#include "job/job.h"
#include "job/past_answers.h"
#include "project/trace.h"

namespace millrace::project {

class Replica {
 public:
  // Both outlive it.
  Replica(const Project& project, const TraceRecord& record, const TraceAccess& access);
  ~Replica();
  Status Open();

  // What a query makes of the record. One that needs more than can be told is the stage's note.
  // `answers`: for its lookups, as of `epoch`; may be null when it has none.
  Status RunSelect(const std::string& query, const job::JobSettings& settings,
                   job::PastAnswers* answers, model::Epoch epoch, TraceStage& stage);
  // The same for what an INSERT writes; the rows are as its sink takes them.
  Status RunInsert(const JobStatement& statement, job::PastAnswers* answers, model::Epoch epoch,
                   TraceStage& stage);

 private:
  class Scratch;
  Status Run(Result<std::unique_ptr<job::CompiledJob>> compiled, job::PastAnswers* answers,
             model::Epoch epoch, TraceStage& stage);
  Result<job::Binding> Bind(const sql::Table& table) const;
  std::string WhyNotAlone(const job::CompiledJob& job, size_t temporal_joins,
                          const job::PastAnswers* answers) const;
  Status AddVersionTopics(const job::CompiledJob& job, TraceStage& stage);
  Status NameVersions(const std::vector<const sql::Table*>& versioned, TraceStage& stage) const;
  Status AddTopic(const std::string& topic, const std::vector<TraceRecord>& records);
  Status ReadLetters(TraceStage& stage);

  const Project& project_;
  const TraceRecord& record_;
  const TraceAccess& access_;
  std::unique_ptr<Scratch> scratch_;
  env::HandClock clock_;
  std::unique_ptr<log::Log> log_;
  std::map<std::string, std::string> topics_;  // that were added; why not, "": they are there
  int64_t next_letter_ = 0;
};

}  // namespace millrace::project
