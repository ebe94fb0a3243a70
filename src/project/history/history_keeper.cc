#include "project/history/history_keeper.h"

#include <algorithm>

#include "base/strings.h"
#include "env/clock.h"
#include "env/diag.h"
#include "project/history/history_storage.h"
#include "project/topic_table.h"

namespace millrace::project {

namespace {
constexpr int64_t kMemoryBytes = 512LL << 20;
constexpr auto kPause = std::chrono::seconds(1);
}  // namespace

Result<std::unique_ptr<HistoryKeeper>> HistoryKeeper::Open(const Project& project,
                                                           const connectors::Services& services) {
  std::unique_ptr<HistoryKeeper> keeper(new HistoryKeeper(*services.log));
  MR_ASSIGN_OR_RETURN(const auto tables, TopicTablesOf(project, services));
  const auto remotes = RemoteHistories(project);
  bool any_outlives = false;
  for (const auto& [table, format, changes] : tables) {
    const auto topic = project.config().topics.find(table->Option("topic"));
    if (changes || topic == project.config().topics.end() || !topic->second.history.on) continue;
    if (!keeper->database_) MR_RETURN_IF_ERROR(keeper->OpenDatabase(project));
    const bool outlives = topic->second.history.keep_ms.has_value();
    const auto remote = remotes.find(topic->first);
    const bool is_remote = remote != remotes.end();
    auto history = std::make_unique<TableHistory>(
        HistoryTable{table->name, topic->first, format, table->metadata, outlives},
        topic->second.history, is_remote ? remote->second : HistoryDirectory(project),
        is_remote ? *keeper->remote_ : *keeper->local_, *services.log, *keeper->database_);
    Status opened = history->Open();
    // A store that is away holds up who needs its files, and nobody else.
    if (!opened.ok() && opened.retry() == Retry::kNever) return opened;
    keeper->tables_[table->name] = std::move(history);
    any_outlives |= outlives;
  }
  for (const auto& [topic, settings] : project.config().topics) {
    const bool kept = std::any_of(
        keeper->tables_.begin(), keeper->tables_.end(),
        [name = topic](const auto& table) { return table.second->table().topic == name; });
    if (settings.history.on && !kept) keeper->without_table_.push_back(topic);
  }
  MR_RETURN_IF_ERROR(keeper->HoldRetention());
  if (any_outlives) {
    keeper->archive_ = std::make_unique<HistoryArchive>(keeper->tables_, *keeper->database_);
    services.log->SetArchive(keeper->archive_.get());
  }
  return keeper;
}

Status HistoryKeeper::OpenDatabase(const Project& project) {
  const std::string root = HistoryDirectory(project);
  MR_ASSIGN_OR_RETURN(
      database_, duck::Warehouse::Open("", {.threads = 1, .memory_limit_bytes = kMemoryBytes}));
  auto connection = database_->Connect();
  MR_RETURN_IF_ERROR(duck::Warehouse::Execute(
      *connection, "SET GLOBAL temp_directory = " + QuoteLiteral(root + "/spill")));
  local_ = NewLocalPlace();
  remote_ = NewRemotePlace(*database_, root + "/staged");
  MR_RETURN_IF_ERROR(UseHistoryStorage(project, *database_));
  if (RemoteHistories(project).empty()) return Status::Ok();
  // A file stays as it was written, so what was asked of it once need not be asked again.
  return duck::Warehouse::Execute(*connection,
                                  "SET GLOBAL enable_http_metadata_cache = true; SET GLOBAL "
                                  "parquet_metadata_cache = true");
}

HistoryKeeper::~HistoryKeeper() {
  Stop();
  if (archive_) log_.SetArchive(nullptr);
}

const TableHistory* HistoryKeeper::Find(const std::string& table) const {
  const auto found = tables_.find(table);
  return found == tables_.end() ? nullptr : found->second.get();
}

void HistoryKeeper::Start() {
  for (const std::string& topic : without_table_) {
    diag::Warn("topic \"{}\" is not kept as Parquet: no table over it only appends", topic);
  }
  if (!tables_.empty() && !thread_.joinable()) thread_ = std::thread([this] { Run(); });
}

void HistoryKeeper::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status HistoryKeeper::Pass(int64_t now_ms) {
  Status first;
  for (const auto& [name, table] : tables_) {
    Status kept = table->Keep(now_ms, [this] {
      std::lock_guard lock(mutex_);
      return stopping_;
    });
    table->RemoveGone(now_ms);
    if (first.ok() && !kept.ok()) first = std::move(kept).Annotate("table \"" + name + "\"");
  }
  Status held = HoldRetention();
  return first.ok() ? held : first;
}

Status HistoryKeeper::HoldRetention() {
  std::map<std::pair<std::string, int>, int64_t> from;
  for (const auto& [name, table] : tables_) {
    if (!table->settings().keep_ms) continue;
    const std::string& topic = table->table().topic;
    const auto info = log_.Describe(topic);
    if (!info.ok()) continue;  // deleted
    for (int p = 0; p < info->config.partitions; p++) {
      int64_t needed = INT64_MAX;
      if (!info->config.cleanup.compact) {
        MR_ASSIGN_OR_RETURN(needed, table->Needed(p));
      }
      auto [held, is_new] = from.try_emplace({topic, p}, needed);
      held->second = std::min(held->second, needed);
    }
  }
  for (const auto& [partition, offset] : from) {
    MR_RETURN_IF_ERROR(log_.HoldRetention(partition.first, partition.second, offset));
  }
  return Status::Ok();
}

void HistoryKeeper::Run() {
  std::string told;  // the trouble there is, once
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const Status kept = Pass(env::Clock::System()->WallMicros() / 1000);
    if (!kept.ok() && kept.message() != told) {
      diag::Warn("segments are not kept as Parquet: {}", kept.ToString());
    }
    told = kept.message();
    lock.lock();
    wake_.wait_for(lock, kPause, [this] { return stopping_; });
  }
}

}  // namespace millrace::project
