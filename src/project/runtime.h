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
#include <string>
#include <thread>
#include <vector>

#include "duck/warehouse.h"
#include "job/job.h"
#include "log/log.h"
#include "project/dead_letter_book.h"
#include "project/project.h"

namespace millrace::project {

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
  DeadLetterBook& dead_letters() { return *dead_letters_; }
  std::vector<job::JobStatus> JobStatuses() const;
  job::Job* FindJob(const std::string& name) const;  // null when there is none
  int64_t started_ms() const { return started_ms_; }

  // Registers a callback for committed results (table name); returns a number for Unsubscribe.
  int Subscribe(std::function<void(const std::string& table)> on_commit);
  void Unsubscribe(int subscription);

 private:
  Runtime() = default;
  Status OpenStores(bool serving);
  Status CreateTopics();
  Result<std::unique_ptr<job::Job>> OpenJob(const JobStatement& statement);
  Status OpenJobs();
  Status RegisterSystemTables();
  void Announce(const std::string& table);

  std::unique_ptr<Project> project_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<DeadLetterBook> dead_letters_;
  std::unique_ptr<duck::Warehouse> warehouse_;
  std::vector<std::unique_ptr<job::Job>> jobs_;
  std::vector<std::thread> threads_;
  int64_t started_ms_ = 0;
  std::mutex subscribers_mutex_;
  std::map<int, std::function<void(const std::string&)>> subscribers_;
  int next_subscription_ = 1;
};

}  // namespace millrace::project
