// ReprocessTask: one change of version on its way, on a thread of its own; see project/reprocess.h.
//
// Contract: Prepare on the caller's thread, then Start once. Progress from any thread.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "project/job_versions.h"
#include "project/known_letters.h"
#include "project/reprocess.h"

namespace millrace::project {

class Reprocessor::Task {
 public:
  Task(Runtime& runtime, ReprocessRequest request)
      : runtime_(runtime), request_(std::move(request)), known_letters_(runtime.log()) {}
  ~Task();

  // Chooses the version and opens its job. Nothing that serves changes.
  Status Prepare();
  void Start();
  ReprocessProgress Progress() const;

 private:
  // How far topics were read: by topic and partition.
  using Positions = std::map<std::pair<std::string, std::string>, model::Offset>;

  Status ChooseVersion();
  Status DiscardStaged();
  Status CheckPossible();
  Status OpenStaged();
  void Run();
  Status FillAndChange();
  Status Fill();
  Result<Positions> EndOfOld();
  Status CatchUp(const Positions& wanted);
  Status Change();
  bool StopWanted() const { return stop_ || runtime_.stopping(); }
  int64_t RecordsLeft(const job::JobStatus& status) const;
  static Positions PositionsOf(const job::JobStatus& status);
  void Publish(ReprocessProgress::Phase phase);

  Runtime& runtime_;
  const ReprocessRequest request_;
  KnownLetters known_letters_;
  JobVersions versions_;
  std::shared_ptr<const Project> text_;  // of the new version
  std::unique_ptr<job::Job> staged_;
  std::thread staged_thread_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  int64_t started_us_ = 0;
  bool goes_on_ = false;     // the version had read records before this run
  int64_t rows_before_ = 0;  // so many
  std::string note_;
  mutable std::mutex mutex_;
  ReprocessProgress progress_;
};

}  // namespace millrace::project
