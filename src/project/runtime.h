// Runtime: a project at work in this process: the log, the warehouse, the jobs, system tables.
//
// Contract: one per project directory (the log's lock sees to it). Start opens everything and runs
// one thread per job; Stop ends the jobs (commit, checkpoint) and closes the log last. All other
// methods may be called from any thread while it runs.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "duck/warehouse.h"
#include "job/job.h"
#include "log/log.h"
#include "project/dead_letter_book.h"
#include "project/drift_book.h"
#include "project/job_versions.h"
#include "project/project.h"
#include "registry/record_check.h"
#include "registry/registry.h"

namespace millrace::project {

class HistoryKeeper;

class Runtime {
 public:
  // Opens log and warehouse, creates missing topics, compiles and opens the jobs (not yet running).
  // `with_jobs` false: log, warehouse and system tables only (millrace sql, topics).
  static Result<std::unique_ptr<Runtime>> Open(std::unique_ptr<Project> project, bool with_jobs);
  ~Runtime();

  // Starts the jobs' threads.
  void Start();
  // Asks all jobs to stop and waits. May be called twice.
  void Stop();
  // Waits until every job has ended by itself (bounded sources), or `stop` is set. Returns the
  // first job error.
  Status WaitForJobs(const std::function<void()>& every_100ms, const std::atomic<bool>& stop);

  Project& project() { return *project_; }
  log::Log& log() { return *log_; }
  duck::Warehouse& warehouse() { return *warehouse_; }
  registry::Registry& schemas() { return *schemas_; }
  registry::RecordCheck& record_check() { return *record_check_; }
  // What connectors may use of this process.
  connectors::Services Services();
  // Closed segments as Parquet; of no topic unless millrace.yml says so.
  HistoryKeeper& history() { return *history_; }
  DeadLetterBook& dead_letters() { return *dead_letters_; }
  // What fields records have that tables do not declare, of those that want
  // columns added.
  std::vector<DriftNote> drift_notes() const;
  std::vector<job::JobStatus> JobStatuses() const;
  // Null when there is none, or when it is between two versions.
  std::shared_ptr<job::Job> FindJob(const std::string& name) const;
  // What whoever starts the project should know: queries that changed since their state was made.
  const std::vector<std::string>& notes() const { return notes_; }

  // ---- versions of a job: see project/job_versions.h and project/reprocess.h ----

  // The job of a version, opened. `serving`: its table has its own name, not that of a version.
  // `knows_letter`: as JobOptions.
  Result<std::unique_ptr<job::Job>> OpenVersion(
      const Project& text, const std::string& job, const JobVersions& versions, int version,
      bool serving, std::function<bool(const model::DeadLetter&)> knows_letter = nullptr);
  // The text by which the job that serves was made; the project's own where none was kept.
  Result<std::shared_ptr<const Project>> ServingText(const std::string& job) const;
  // Ends a running job: commit, checkpoint. Its last status; none when it does not run here.
  std::optional<job::JobStatus> StopJob(const std::string& name);
  // Opens the version that serves and runs it, where jobs run here; nothing to do otherwise.
  Status StartJob(const std::string& name);
  // Jobs are being ended, and none is to be started any more.
  bool stopping() const { return stopping_; }
  int64_t started_ms() const { return started_ms_; }

  // Registers a callback for committed results (table name); returns a number for Unsubscribe.
  int Subscribe(std::function<void(const std::string& table)> on_commit);
  void Unsubscribe(int subscription);

 private:
  Runtime() = default;
  Status OpenStores(bool serving);
  Status CreateTopics();
  // A job's place: the version that serves, and what is known of it while none runs.
  struct Place {
    std::string name;
    std::shared_ptr<job::Job> job;
    std::thread thread;
    job::JobStatus last;
  };
  Result<std::unique_ptr<job::Job>> OpenServing(const std::string& name, std::string& note);
  Result<std::unique_ptr<job::Job>> OpenOldText(const std::string& name,
                                                const JobVersions& versions, Status refused,
                                                std::string& note);
  void Run(Place& place);
  Status OpenJobs();
  Status RegisterSystemTables();
  void Announce(const std::string& table);

  std::shared_ptr<Project> project_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<registry::Registry> schemas_;
  std::unique_ptr<registry::RecordCheck> record_check_;
  std::unique_ptr<DeadLetterBook> dead_letters_;
  std::unique_ptr<HistoryKeeper> history_;
  std::unique_ptr<duck::Warehouse> warehouse_;
  mutable std::mutex jobs_mutex_;
  std::vector<Place> jobs_;
  std::vector<std::string> notes_;
  bool started_ = false;
  std::atomic<bool> stopping_{false};
  int64_t started_ms_ = 0;
  std::mutex subscribers_mutex_;
  std::map<int, std::function<void(const std::string&)>> subscribers_;
  int next_subscription_ = 1;
  std::unique_ptr<DriftBook> drift_;  // null: no table wants columns added, or nothing runs
};

}  // namespace millrace::project
