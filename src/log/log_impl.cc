#include "log/log_impl.h"

#include <algorithm>

#include "base/strings.h"
#include "log/topic_files.h"

namespace millrace::log {

namespace {
constexpr size_t kOpenSegmentsMax = 256;
constexpr int64_t kCheckpointBytes = 64LL << 20;
}  // namespace

LogImpl::LogImpl(const LogOptions& options)
    : options_(options),
      files_(options.files != nullptr ? options.files : env::FileSystem::Real()),
      open_files_(kOpenSegmentsMax),
      committer_(&builders_, [this] { OnCommit(); }) {
  context_.files = files_;
  context_.clock = options.clock != nullptr ? options.clock : env::Clock::System();
  context_.open_files = &open_files_;
  context_.builders = &builders_;
  context_.committer = &committer_;
  context_.fsync = options.fsync;
  context_.compaction_keys_bytes = options.compaction_keys_bytes;
  context_.closing = &closing_;
}

LogImpl::~LogImpl() {
  closing_ = true;
  WakeWaiters();
  { std::lock_guard lock(upkeep_mutex_); }
  upkeep_wake_.notify_all();
  if (upkeep_.joinable()) upkeep_.join();
  committer_.Stop();
  for (const auto& partition : AllPartitions()) partition->Checkpoint(1);
}

Status LogImpl::Start() {
  MR_RETURN_IF_ERROR(files_->CreateDirectories(options_.directory));
  auto lock = files_->Lock(options_.directory + "/LOCK");
  if (!lock.ok()) {
    return std::move(lock).status().Annotate("cannot open the log in \"" + options_.directory +
                                             "\"");
  }
  lock_ = *std::move(lock);
  MR_ASSIGN_OR_RETURN(const auto names, files_->List(options_.directory));
  for (const std::string& name : names) {
    if (name.ends_with(kDeletedSuffix)) {
      MR_RETURN_IF_ERROR(FinishDeletion(name.substr(0, name.size() - kDeletedSuffix.size())));
    }
  }
  for (const std::string& name : names) {
    if (name.ends_with(kTopicSuffix)) {
      MR_RETURN_IF_ERROR(OpenTopic(name.substr(0, name.size() - kTopicSuffix.size())));
    }
  }
  committer_.Start();
  upkeep_ = std::thread([this] { Upkeep(); });
  return {};
}

std::string LogImpl::TopicPath(const std::string& name, std::string_view suffix) const {
  return options_.directory + "/" + name + std::string(suffix);
}

Status LogImpl::OpenTopic(const std::string& name) {
  const std::string path = TopicPath(name, kTopicSuffix);
  MR_ASSIGN_OR_RETURN(const std::string text, env::ReadWholeFile(*files_, path));
  Topic topic;
  MR_ASSIGN_OR_RETURN(const TopicInfo info, DecodeTopic(path, text));
  topic.config = info.config;
  topic.created_us = info.created_us;
  for (int i = 0; i < topic.config.partitions; i++) {
    const std::string directory = PartitionDirectory(options_.directory, name, i);
    auto partition = Partition::Open(context_, name, i, directory, topic.config);
    if (!partition.ok() && partition.status().code() == Code::kNotFound) {
      return Status(Code::kCorruption, "topic \"" + name + "\" has lost its partition " +
                                           std::to_string(i) + ": \"" + directory + "\" is missing")
          .WithHint("restore the directory, or create it empty to go on without its records");
    }
    MR_RETURN_IF_ERROR(partition.status());
    topic.partitions.push_back(*std::move(partition));
  }
  topics_.emplace(name, std::move(topic));
  return {};
}

Status LogImpl::FinishDeletion(const std::string& name) {
  const std::string path = TopicPath(name, kDeletedSuffix);
  MR_ASSIGN_OR_RETURN(const std::string text, env::ReadWholeFile(*files_, path));
  MR_ASSIGN_OR_RETURN(const TopicInfo info, DecodeTopic(path, text));
  for (int i = 0; i < info.config.partitions; i++) {
    MR_RETURN_IF_ERROR(RemoveDirectory(*files_, PartitionDirectory(options_.directory, name, i)));
  }
  // In this order also after a crash: while a directory is there, so is the note to remove it.
  MR_RETURN_IF_ERROR(files_->SyncDirectory(options_.directory));
  MR_RETURN_IF_ERROR(files_->Remove(path));
  return files_->SyncDirectory(options_.directory);
}

Status LogImpl::AddPartitions(const std::string& name, const TopicConfig& config, Topic* topic) {
  const auto first = static_cast<int>(topic->partitions.size());
  for (int i = first; i < config.partitions; i++) {
    const std::string directory = PartitionDirectory(options_.directory, name, i);
    // What stands there was left by a creation that a crash cut short.
    MR_RETURN_IF_ERROR(RemoveDirectory(*files_, directory));
    MR_RETURN_IF_ERROR(files_->CreateDirectory(directory));
  }
  MR_RETURN_IF_ERROR(files_->SyncDirectory(options_.directory));
  for (int i = first; i < config.partitions; i++) {
    const std::string directory = PartitionDirectory(options_.directory, name, i);
    MR_ASSIGN_OR_RETURN(auto partition, Partition::Open(context_, name, i, directory, config));
    topic->partitions.push_back(std::move(partition));
  }
  topic->config = config;
  return env::ReplaceFile(*files_, TopicPath(name, kTopicSuffix),
                          EncodeTopic(config, topic->created_us));
}

Status LogImpl::CreateTopic(const std::string& name, const TopicConfig& config) {
  MR_RETURN_IF_ERROR(CheckTopic(name, config));
  std::lock_guard admin_lock(admin_mutex_);
  if (Describe(name).ok()) {
    return Status(Code::kAlreadyExists, "topic \"" + name + "\" exists already");
  }
  // Directories of a topic of that name whose deletion could not be finished.
  if (files_->Size(TopicPath(name, kDeletedSuffix)).ok()) MR_RETURN_IF_ERROR(FinishDeletion(name));
  Topic topic;
  topic.created_us = context_.clock->WallMicros();
  MR_RETURN_IF_ERROR(AddPartitions(name, config, &topic));
  std::unique_lock lock(topics_mutex_);
  topics_.emplace(name, std::move(topic));
  return {};
}

Status LogImpl::AlterTopic(const std::string& name, const TopicConfig& config) {
  MR_RETURN_IF_ERROR(CheckTopic(name, config));
  std::lock_guard admin_lock(admin_mutex_);
  Topic altered;
  {
    std::shared_lock lock(topics_mutex_);
    const auto it = topics_.find(name);
    if (it == topics_.end()) return UnknownTopic(name);
    altered = it->second;
  }
  if (config.partitions < altered.config.partitions) {
    return Status(Code::kInvalidArgument,
                  "topic \"" + name + "\" has " + std::to_string(altered.config.partitions) +
                      " partitions and cannot go down to " + std::to_string(config.partitions))
        .WithHint("partitions can only be added; their records would be lost otherwise");
  }
  MR_RETURN_IF_ERROR(AddPartitions(name, config, &altered));
  for (const auto& partition : altered.partitions) partition->SetConfig(config);
  std::unique_lock lock(topics_mutex_);
  topics_[name] = std::move(altered);
  return {};
}

Status LogImpl::DeleteTopic(const std::string& name) {
  std::lock_guard admin_lock(admin_mutex_);
  MR_RETURN_IF_ERROR(Describe(name).status());
  MR_RETURN_IF_ERROR(
      files_->Rename(TopicPath(name, kTopicSuffix), TopicPath(name, kDeletedSuffix)));
  Topic topic;
  {
    std::unique_lock lock(topics_mutex_);
    topic = std::move(topics_[name]);
    topics_.erase(name);
  }
  for (const auto& partition : topic.partitions) partition->MarkDeleted();
  MR_RETURN_IF_ERROR(files_->SyncDirectory(options_.directory));
  return FinishDeletion(name);
}

Status LogImpl::UnknownTopic(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& [known, topic] : topics_) names.push_back(known);
  return Status(Code::kNotFound, "topic \"" + name + "\" does not exist")
      .WithHint(DidYouMean(name, names));
}

std::vector<TopicInfo> LogImpl::Topics() const {
  std::shared_lock lock(topics_mutex_);
  std::vector<TopicInfo> infos;
  for (const auto& [name, topic] : topics_) {
    infos.push_back({name, topic.config, topic.created_us});
  }
  return infos;
}

Result<TopicInfo> LogImpl::Describe(const std::string& topic) const {
  std::shared_lock lock(topics_mutex_);
  const auto it = topics_.find(topic);
  if (it == topics_.end()) return UnknownTopic(topic);
  return TopicInfo{topic, it->second.config, it->second.created_us};
}

Result<std::shared_ptr<Partition>> LogImpl::Find(const std::string& topic, int partition) const {
  std::shared_lock lock(topics_mutex_);
  const auto it = topics_.find(topic);
  if (it == topics_.end()) return UnknownTopic(topic);
  const auto& partitions = it->second.partitions;
  if (partition < 0 || static_cast<size_t>(partition) >= partitions.size()) {
    return Status(Code::kNotFound, "topic \"" + topic + "\" has no partition " +
                                       std::to_string(partition) + "; it has partitions 0 to " +
                                       std::to_string(partitions.size() - 1));
  }
  return partitions[static_cast<size_t>(partition)];
}

std::vector<std::shared_ptr<Partition>> LogImpl::AllPartitions() const {
  std::shared_lock lock(topics_mutex_);
  std::vector<std::shared_ptr<Partition>> all;
  for (const auto& [name, topic] : topics_) {
    all.insert(all.end(), topic.partitions.begin(), topic.partitions.end());
  }
  return all;
}

void LogImpl::Append(const std::string& topic, int partition, std::span<const NewRecord> records,
                     const ProducerSequence& sequence, AppendCallback done) {
  auto found = Find(topic, partition);
  if (closing_) found = Status(Code::kCancelled, "the log is closing");
  if (!found.ok()) {
    done({std::move(found).status(), -1});
    return;
  }
  (*found)->Append(records, sequence, std::move(done));
}

void LogImpl::AppendBatch(const std::string& topic, int partition, std::string_view batch,
                          AppendCallback done) {
  auto found = Find(topic, partition);
  if (closing_) found = Status(Code::kCancelled, "the log is closing");
  if (!found.ok()) {
    done({std::move(found).status(), -1});
    return;
  }
  (*found)->AppendBatch(batch, std::move(done));
}

void LogImpl::AppendMarker(const std::string& topic, int partition, const TransactionMarker& marker,
                           AppendCallback done) {
  auto found = Find(topic, partition);
  if (closing_) found = Status(Code::kCancelled, "the log is closing");
  if (!found.ok()) {
    done({std::move(found).status(), -1});
    return;
  }
  (*found)->AppendMarker(marker, std::move(done));
}

Result<std::vector<AbortedTransaction>> LogImpl::Aborted(const std::string& topic, int partition,
                                                         int64_t from, int64_t to) const {
  MR_ASSIGN_OR_RETURN(const auto found, Find(topic, partition));
  return found->Aborted(from, to);
}

Result<BatchRange> LogImpl::FindBatches(const std::string& topic, int partition, int64_t from,
                                        int64_t to, int64_t max_bytes, bool at_least_one) {
  MR_ASSIGN_OR_RETURN(const auto found, Find(topic, partition));
  return found->FindBatches(from, to, max_bytes, at_least_one);
}

Result<std::vector<OffsetRange>> LogImpl::ClosedSegments(const std::string& topic,
                                                         int partition) const {
  MR_ASSIGN_OR_RETURN(const auto found, Find(topic, partition));
  return found->ClosedSegments();
}

Status LogImpl::HoldRetention(const std::string& topic, int partition, int64_t from) {
  MR_ASSIGN_OR_RETURN(const auto found, Find(topic, partition));
  found->HoldRetention(from);
  return {};
}

Result<int64_t> LogImpl::DeleteRecords(const std::string& topic, int partition, int64_t before) {
  MR_ASSIGN_OR_RETURN(const auto found, Find(topic, partition));
  return found->DeleteRecords(before);
}

Result<PartitionInfo> LogImpl::DescribePartition(const std::string& topic, int partition) const {
  MR_ASSIGN_OR_RETURN(const auto found, Find(topic, partition));
  return found->Describe();
}

Result<int64_t> LogImpl::NextSequence(const std::string& topic, int partition,
                                      int64_t producer_id) const {
  MR_ASSIGN_OR_RETURN(const auto found, Find(topic, partition));
  return found->NextSequence(producer_id);
}

Result<int64_t> LogImpl::Read(const std::string& topic, int partition, int64_t from, int64_t to,
                              int64_t max_bytes,
                              const std::function<void(std::span<const model::Record>)>& visit) {
  MR_ASSIGN_OR_RETURN(const auto found, Find(topic, partition));
  return found->Read(from, to, max_bytes, visit);
}

Result<int64_t> LogImpl::OffsetAfterBytes(const std::string& topic, int partition, int64_t from,
                                          int64_t budget_bytes) const {
  MR_ASSIGN_OR_RETURN(const auto found, Find(topic, partition));
  return found->OffsetAfterBytes(from, budget_bytes);
}

Result<int64_t> LogImpl::OffsetForTime(const std::string& topic, int partition,
                                       int64_t timestamp_ms) const {
  MR_ASSIGN_OR_RETURN(const auto found, Find(topic, partition));
  return found->OffsetForTime(timestamp_ms);
}

void LogImpl::OnCommit() {
  {
    std::lock_guard lock(commit_mutex_);
    commit_count_++;
  }
  committed_.notify_all();
}

uint64_t LogImpl::CommitCount() const {
  std::lock_guard lock(commit_mutex_);
  return commit_count_;
}

uint64_t LogImpl::WaitForCommit(uint64_t seen, int64_t timeout_us) {
  std::unique_lock lock(commit_mutex_);
  const uint64_t wakes = wake_count_;
  committed_.wait_for(lock, std::chrono::microseconds(timeout_us),
                      [&] { return commit_count_ > seen || wake_count_ != wakes || closing_; });
  return commit_count_;
}

void LogImpl::WakeWaiters() {
  {
    std::lock_guard lock(commit_mutex_);
    wake_count_++;
  }
  committed_.notify_all();
}

void LogImpl::Upkeep() {
  std::unique_lock lock(upkeep_mutex_);
  while (!closing_) {
    upkeep_wake_.wait_for(lock, std::chrono::milliseconds(options_.retention_check_ms));
    if (closing_) return;
    lock.unlock();
    const int64_t now_ms = context_.clock->WallMicros() / 1000;
    for (const auto& partition : AllPartitions()) {
      if (closing_) break;
      partition->ApplyRetention(now_ms);
      // What stands in its way (a full disk, damage) is met by whoever writes or reads next.
      (void)partition->ApplyCompaction(now_ms).ok();
      partition->Checkpoint(kCheckpointBytes);
    }
    lock.lock();
  }
}

}  // namespace millrace::log
