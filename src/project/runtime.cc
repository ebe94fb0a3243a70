#include "project/runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "duck/functions.h"
#include "env/clock.h"
#include "project/history/history_keeper.h"
#include "project/history/history_rows.h"
#include "project/history/history_storage.h"
#include "project/ledger_report.h"
#include "project/reconcile.h"
#include "project/server_tables.h"
#include "project/system_tables.h"
#include "project/topic_table.h"
#include "project/view_tables.h"
#include "sql/functions.h"

namespace millrace::project {

Result<std::unique_ptr<Runtime>> Runtime::Open(std::unique_ptr<Project> project, bool with_jobs) {
  std::unique_ptr<Runtime> runtime(new Runtime());
  runtime->project_ = std::move(project);
  runtime->started_ms_ = env::Clock::System()->WallMicros() / 1000;
  MR_RETURN_IF_ERROR(runtime->OpenStores(with_jobs));
  MR_RETURN_IF_ERROR(runtime->CreateTopics());
  MR_ASSIGN_OR_RETURN(runtime->history_,
                      HistoryKeeper::Open(*runtime->project_, runtime->Services()));
  if (with_jobs) MR_RETURN_IF_ERROR(runtime->OpenJobs());
  MR_RETURN_IF_ERROR(runtime->RegisterSystemTables());
  return runtime;
}

Runtime::~Runtime() {
  Stop();
  jobs_.clear();  // they use log and warehouse
}

Status Runtime::OpenStores(bool serving) {
  std::string data = project_->data_directory();
  MR_RETURN_IF_ERROR(env::FileSystem::Real()->CreateDirectories(data + "/log"));
  log::LogOptions log_options;
  log_options.directory = data + "/log";
  MR_ASSIGN_OR_RETURN(log_, log::Log::Open(log_options));
  MR_ASSIGN_OR_RETURN(schemas_, registry::Registry::Open(*log_));
  std::set<std::string> strict;
  for (const auto& [name, topic] : project_->config().topics) {
    if (topic.strict) strict.insert(name);
  }
  record_check_ = std::make_unique<registry::RecordCheck>(*schemas_, std::move(strict));
  dead_letters_ = std::make_unique<DeadLetterBook>(*log_);
  duck::WarehouseOptions options;
  options.memory_limit_bytes = project_->config().warehouse_memory_bytes;
  options.threads = project_->config().warehouse_threads;
  // Whoever may ask over HTTP must not read the machine's files.
  if (serving) {
    options.readable_directories = HistoryDirectories(*project_);
    options.readable_directories.push_back(project_->directory());
  }
  MR_ASSIGN_OR_RETURN(warehouse_, duck::Warehouse::Open(
                                      project_->target_directory() + "/warehouse.duckdb", options));
  MR_RETURN_IF_ERROR(UseHistoryStorage(*project_, *warehouse_));
  // The functions that rewritten Flink SQL uses, so that a query can be asked as a batch too.
  duckdb::DuckDB database(warehouse_->instance());
  MR_RETURN_IF_ERROR(duck::RegisterFunctions(database));
  return sql::RegisterFlinkFunctions(database);
}

// Topics that a table or millrace.yml names exist from the start; later settings are applied.
Status Runtime::CreateTopics() {
  std::map<std::string, log::TopicConfig> wanted;
  for (const auto& [name, settings] : project_->config().topics) wanted[name] = settings.config;
  for (const sql::Table* table : project_->catalog().Tables()) {
    const std::string connector = table->Option("connector");
    const std::string topic = table->Option("topic");
    if (!project_->IsInLog(*table) || topic.empty()) continue;
    // Of a table with a key the first record counts as much as the last.
    log::TopicConfig config;
    if (connector == "upsert-kafka") config.retention_ms = -1;
    wanted.try_emplace(topic, config);
  }
  wanted.try_emplace(job::kDeadLetterTopic);
  wanted.try_emplace(kReconciliationTopic, log::TopicConfig{.retention_ms = -1});
  // About a kilobyte per second and job at work: by size, the oldest go first.
  wanted.try_emplace(job::kLedgerTopic, log::TopicConfig{.retention_ms = -1,
                                                         .retention_bytes = 256 << 20,
                                                         .segment_bytes = 16 << 20});
  // Small, and to be kept for longer than the letters.
  wanted.try_emplace(kDeadLetterAuditTopic, log::TopicConfig{.retention_ms = -1});
  for (const auto& [name, config] : wanted) {
    auto existing = log_->Describe(name);
    if (!existing.ok()) {
      MR_RETURN_IF_ERROR(log_->CreateTopic(name, config));
    } else if (project_->config().topics.count(name)) {
      log::TopicConfig next = config;
      // Partitions are never taken away: keys would move.
      next.partitions = std::max(next.partitions, existing->config.partitions);
      MR_RETURN_IF_ERROR(log_->AlterTopic(name, next));
    }
  }
  return Status::Ok();
}

// Side by side: opening a job is mostly waiting for the disk.
Status Runtime::OpenJobs() {
  const std::vector<JobStatement>& statements = project_->jobs();
  std::vector<Status> faults(statements.size());
  std::vector<std::string> notes(statements.size());
  jobs_.resize(statements.size());
  std::atomic<size_t> next{0};
  auto open_some = [&] {
    for (size_t i = next++; i < statements.size(); i = next++) {
      jobs_[i].name = statements[i].settings.name;
      auto opened = OpenServing(jobs_[i].name, notes[i]);
      if (opened.ok()) {
        jobs_[i].job = std::move(*opened);
      } else {
        faults[i] = opened.status();
      }
    }
  };
  std::vector<std::thread> workers;
  for (size_t i = 1; i < std::min<size_t>(8, statements.size()); i++) {
    workers.emplace_back(open_some);
  }
  open_some();
  for (std::thread& worker : workers) worker.join();
  for (std::string& note : notes) {
    if (!note.empty()) notes_.push_back(std::move(note));
  }
  for (Status& fault : faults) {
    if (fault.ok()) continue;
    jobs_.clear();  // some are not there
    return std::move(fault);
  }
  return Status::Ok();
}

connectors::Services Runtime::Services() {
  connectors::Services services;
  services.log = log_.get();
  services.warehouse = warehouse_.get();
  services.clock = env::Clock::System();
  services.registry = schemas_.get();
  services.base_dir = project_->directory();
  return services;
}

void Runtime::Run(Place& place) {
  // The job remembers how it ended; JobStatuses shows it.
  place.thread = std::thread([job = place.job] { (void)job->Run(); });
}

void Runtime::Start() {
  std::lock_guard<std::mutex> lock(jobs_mutex_);
  started_ = true;
  history_->Start();
  for (Place& place : jobs_) Run(place);
  drift_ = DriftBook::Start(*this);
}

std::vector<DriftNote> Runtime::drift_notes() const {
  std::lock_guard<std::mutex> lock(jobs_mutex_);
  return drift_ ? drift_->notes() : std::vector<DriftNote>();
}

void Runtime::Stop() {
  std::vector<std::thread> threads;
  {
    std::lock_guard<std::mutex> lock(jobs_mutex_);
    stopping_ = true;
    for (Place& place : jobs_) {
      if (place.job) place.job->RequestStop();
      if (place.thread.joinable()) threads.push_back(std::move(place.thread));
    }
  }
  if (history_) history_->Stop();
  if (log_) log_->WakeWaiters();
  for (std::thread& thread : threads) thread.join();
  if (drift_) drift_->Finish();
}

Status Runtime::WaitForJobs(const std::function<void()>& every_100ms,
                            const std::atomic<bool>& stop) {
  auto ended = [](const job::JobStatus& status) {
    return status.state == job::JobState::kFinished || status.state == job::JobState::kFailed ||
           status.state == job::JobState::kStopped;
  };
  for (;;) {
    std::vector<job::JobStatus> statuses = JobStatuses();
    if (every_100ms) every_100ms();
    if (stop || std::all_of(statuses.begin(), statuses.end(), ended)) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  Stop();
  for (const job::JobStatus& status : JobStatuses()) {
    if (status.state == job::JobState::kFailed) return status.error;
  }
  return Status::Ok();
}

std::vector<job::JobStatus> Runtime::JobStatuses() const {
  std::lock_guard<std::mutex> lock(jobs_mutex_);
  std::vector<job::JobStatus> statuses;
  for (const Place& place : jobs_) {
    statuses.push_back(place.job ? place.job->status() : place.last);
  }
  return statuses;
}

std::shared_ptr<job::Job> Runtime::FindJob(const std::string& name) const {
  std::lock_guard<std::mutex> lock(jobs_mutex_);
  for (const Place& place : jobs_) {
    if (place.name == name) return place.job;
  }
  return nullptr;
}

Status Runtime::RegisterSystemTables() {
  MR_RETURN_IF_ERROR(RegisterTopicTables(*project_, Services(), *history_));
  RegisterViews(*project_, *warehouse_);
  MR_RETURN_IF_ERROR(RegisterHistoryRows(*history_, *log_, *warehouse_));
  MR_RETURN_IF_ERROR(RegisterLedgerTables(*log_, *warehouse_));
  MR_RETURN_IF_ERROR(RegisterReconciliationTable(*log_, *warehouse_));
  MR_RETURN_IF_ERROR(RegisterDeadLetterTables(*log_, *dead_letters_, *warehouse_));
  MR_RETURN_IF_ERROR(RegisterServerTables(*project_, *warehouse_));
  return project::RegisterSystemTables(*this);
}

int Runtime::Subscribe(std::function<void(const std::string&)> on_commit) {
  std::lock_guard<std::mutex> lock(subscribers_mutex_);
  subscribers_[next_subscription_] = std::move(on_commit);
  return next_subscription_++;
}

void Runtime::Unsubscribe(int subscription) {
  std::lock_guard<std::mutex> lock(subscribers_mutex_);
  subscribers_.erase(subscription);
}

void Runtime::Announce(const std::string& table) {
  std::lock_guard<std::mutex> lock(subscribers_mutex_);
  for (auto& [number, callback] : subscribers_) callback(table);
}

}  // namespace millrace::project
