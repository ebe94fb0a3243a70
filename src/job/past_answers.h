// PastAnswers: answers the lookups of a copy of a job with what the job was answered then, from its
// state directory (state/answer_history.h). Nobody is asked again.
//
// A copy may be of the job's query, or of a part of it. A lookup of the copy is taken for the one
// of the job that asks the same table by the same columns for the same columns.
//
// In which epoch a row was asked for is not recorded: it may have waited for time in a join before.
// It is not before the epoch that read its record; all look-ups on its way have it in common; and
// next_epoch() is the next one that would give other answers. Who knows what came out tries them.
//
// Contract: one thread. When an answer is not there, failure() says so, and what the copy made is
// void (the row is a dead letter).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "job/compiled_job.h"
#include "state/answer_history.h"
#include "stream/asker.h"

namespace millrace::job {

// What a table, or the service of a function, said of a key.
struct PastAnswer {
  std::string from;
  std::vector<std::string> key_columns;
  std::vector<duckdb::Value> key;
  std::vector<std::string> columns;
  std::vector<std::vector<duckdb::Value>> rows;
  std::string unusable;    // why the answer could not be used; "": it could
  std::string version;     // of who answered, as he called himself; "": he did not
  model::Epoch epoch = 0;  // in which the job asked
  int64_t time_ms = 0;     // wall clock of the answer
  std::string note;        // what is not sure about it; "": nothing
};

class PastAnswers : public stream::Asker {
 public:
  // `job`: compiled as it runs, with its shards.
  static Result<std::unique_ptr<PastAnswers>> Open(std::unique_ptr<CompiledJob> job,
                                                   const std::string& state_directory);

  // Answers `copy` from now on, which lives until the last Ask, with what was known in `epoch`.
  void AnswerFor(const CompiledJob& copy, model::Epoch epoch);
  Status Ask(uint32_t asker, const stream::EncodedKeys& requests,
             std::vector<std::string>& responses) override;

  const Status& failure() const { return failure_; }
  std::optional<model::Epoch> next_epoch() const { return next_epoch_; }
  // What was used since AnswerFor, in the order of asking.
  const std::vector<PastAnswer>& used() const { return used_; }

 private:
  PastAnswers() = default;
  std::vector<uint32_t> AskersOf(const stream::LookupUse& use) const;
  Result<std::string> Find(const stream::LookupUse& use, std::string_view request);

  std::unique_ptr<CompiledJob> job_;
  std::unique_ptr<state::AnswerHistory> history_;
  const CompiledJob* copy_ = nullptr;
  model::Epoch epoch_ = 0;
  std::optional<model::Epoch> next_epoch_;
  std::vector<PastAnswer> used_;
  Status failure_;
};

}  // namespace millrace::job
