#include "kafka/offset_store.h"

#include <algorithm>
#include <thread>

#include "env/diag.h"
#include "kafka/stored_message.h"

namespace millrace::kafka {

namespace {

constexpr int16_t kOffsetKey = 1;
constexpr int16_t kProducerIdsKey = 1000;
constexpr int16_t kOffsetValue = 3;
constexpr int64_t kIdBlock = 1000;
constexpr int64_t kSilenceMs = 7LL * 24 * 3600 * 1000;

bool IsKept(int16_t kind) {
  switch (static_cast<KeptKind>(kind)) {
    case KeptKind::kGroup:
    case KeptKind::kTransaction:
    case KeptKind::kConsumerGroup:
    case KeptKind::kConsumerMember:
      return true;
  }
  return false;
}

struct Key {
  int16_t version = kOffsetKey;
  std::string group;  // or what else a KeptKey names
  TopicPartition at;
  std::string member;
  template <class Io>
  void Visit(Io& io) {
    io(version);
    if (version == kOffsetKey) io(group, at.topic, at.partition);
    if (IsKept(version)) io(group);
    if (version == static_cast<int16_t>(KeptKind::kConsumerMember)) io(member);
  }
};

std::string EncodeKey(const KeptKey& key) {
  return EncodeStored(Key{static_cast<int16_t>(key.kind), key.id, {}, key.member});
}

struct Value {
  int16_t version = kOffsetValue;
  CommittedOffset committed;
  template <class Io>
  void Visit(Io& io) {
    io(version, committed.offset, committed.leader_epoch, committed.metadata, committed.commit_ms);
  }
};

struct IdsEnd {
  int64_t end = 0;
  template <class Io>
  void Visit(Io& io) {
    io(end);
  }
};

}  // namespace

Result<std::unique_ptr<OffsetStore>> OffsetStore::Open(log::Log& log, env::Clock& clock) {
  if (!log.Describe(kOffsetsTopic).ok()) {
    log::TopicConfig config;
    config.retention_ms = -1;
    config.segment_bytes = 4 << 20;
    MR_RETURN_IF_ERROR(log.CreateTopic(kOffsetsTopic, config));
  }
  std::unique_ptr<OffsetStore> store(new OffsetStore(log, clock));
  MR_RETURN_IF_ERROR(store->Replay());
  return store;
}

OffsetStore::~OffsetStore() {
  std::unique_lock lock(mutex_);
  none_in_flight_.wait(lock, [&] { return in_flight_ == 0; });
}

Status OffsetStore::Replay() {
  constexpr int64_t kBlockBytes = 1 << 20;
  MR_ASSIGN_OR_RETURN(const auto info, log_.DescribePartition(kOffsetsTopic, 0));
  for (int64_t at = info.start_offset; at < info.end_offset;) {
    const auto visit = [&](std::span<const model::Record> records) {
      for (const model::Record& record : records) {
        records_++;
        Key key;
        Value value;
        IdsEnd ids;
        if (!DecodeStored(record.key, &key)) continue;
        if (key.version == kProducerIdsKey && DecodeStored(record.value, &ids)) {
          next_id_ = ids_end_ = std::max(ids_end_, ids.end);
        } else if (IsKept(key.version)) {
          std::optional<std::string> kept;
          if (record.has_value) kept = std::string(record.value);
          Apply(KeptChange{{static_cast<KeptKind>(key.version), key.group, key.member},
                           std::move(kept)});
        } else if (key.version == kOffsetKey && !record.has_value) {
          Apply(Entry{key.group, key.at, std::nullopt});
        } else if (key.version == kOffsetKey && DecodeStored(record.value, &value)) {
          Apply(Entry{key.group, key.at, value.committed});
        }
      }
    };
    MR_ASSIGN_OR_RETURN(at, log_.Read(kOffsetsTopic, 0, at, info.end_offset, kBlockBytes, visit));
  }
  return {};
}

void OffsetStore::Apply(const Entry& entry) {
  if (entry.value) {
    groups_[entry.group][entry.at] = *entry.value;
    return;
  }
  const auto group = groups_.find(entry.group);
  if (group == groups_.end()) return;
  group->second.erase(entry.at);
  if (group->second.empty()) groups_.erase(group);
}

void OffsetStore::Apply(const KeptChange& change) {
  if (change.record) {
    kept_[change.key] = *change.record;
  } else {
    kept_.erase(change.key);
  }
}

void OffsetStore::Write(std::vector<Entry> entries, Done done, std::vector<KeptChange> kept) {
  const auto change =
      std::make_shared<const Change>(Change{std::move(entries), std::move(kept), std::move(done)});
  std::optional<Status> refused;
  {
    std::lock_guard order(order_mutex_);
    if (rewriting_) {
      deferred_.push_back(change);
      return;
    }
    refused = Append(change);
  }
  if (refused) Finish(*change, *refused);
}

std::optional<Status> OffsetStore::Append(const std::shared_ptr<const Change>& change) {
  const auto& [entries, kept, done] = *change;
  std::vector<std::string> keys;
  std::vector<std::string> values;
  for (const Entry& entry : entries) {
    keys.push_back(EncodeStored(Key{kOffsetKey, entry.group, entry.at, {}}));
    values.push_back(entry.value ? EncodeStored(Value{kOffsetValue, *entry.value}) : "");
  }
  for (const KeptChange& one : kept) keys.push_back(EncodeKey(one.key));
  std::vector<log::NewRecord> records(keys.size());
  for (size_t i = 0; i < keys.size(); i++) {
    records[i].key = keys[i];
    if (i < entries.size()) {
      if (entries[i].value) records[i].value = values[i];
    } else if (const auto& record = kept[i - entries.size()].record) {
      records[i].value = *record;
    }
  }
  // Only this thread looks at `refused`.
  std::optional<Status> refused;
  const auto self = std::this_thread::get_id();
  const auto appending = std::make_shared<bool>(true);
  {
    std::lock_guard lock(mutex_);
    in_flight_++;
  }
  log_.Append(kOffsetsTopic, 0, records, {},
              [this, self, appending, change, &refused](const log::AppendResult& result) {
                if (std::this_thread::get_id() == self && *appending) {
                  refused = result.status;
                } else {
                  Finish(*change, result.status);
                }
              });
  *appending = false;
  return refused;
}

void OffsetStore::Finish(const Change& change, const Status& status) {
  if (status.ok()) {
    std::lock_guard lock(mutex_);
    for (const Entry& entry : change.entries) Apply(entry);
    for (const KeptChange& one : change.kept) Apply(one);
    records_ += std::ssize(change.entries) + std::ssize(change.kept);
  }
  change.done(status);
  std::lock_guard lock(mutex_);
  if (--in_flight_ == 0) none_in_flight_.notify_all();
}

void OffsetStore::AppendDeferred() {
  std::vector<std::pair<std::shared_ptr<const Change>, Status>> refused;
  {
    std::lock_guard order(order_mutex_);
    rewriting_ = false;
    for (const auto& change : deferred_) {
      if (const auto status = Append(change)) refused.emplace_back(change, *status);
    }
    deferred_.clear();
  }
  for (const auto& [change, status] : refused) Finish(*change, status);
}

void OffsetStore::Keep(std::vector<KeptChange> changes, std::map<std::string, GroupOffsets> offsets,
                       Done done) {
  const int64_t now_ms = clock_.WallMicros() / 1000;
  std::vector<Entry> entries;
  for (auto& [group, committed_offsets] : offsets) {
    for (auto& [at, committed] : committed_offsets) {
      committed.commit_ms = now_ms;
      entries.push_back({group, at, std::move(committed)});
    }
  }
  Write(std::move(entries), std::move(done), std::move(changes));
}

std::map<KeptKey, std::string> OffsetStore::Kept(KeptKind kind) const {
  std::lock_guard lock(mutex_);
  std::map<KeptKey, std::string> found;
  for (auto it = kept_.lower_bound({kind, "", ""}); it != kept_.end() && it->first.kind == kind;
       ++it) {
    found.insert(*it);
  }
  return found;
}

void OffsetStore::Commit(const std::string& group, GroupOffsets offsets, Done done) {
  const int64_t now_ms = clock_.WallMicros() / 1000;
  std::vector<Entry> entries;
  for (auto& [at, committed] : offsets) {
    committed.commit_ms = now_ms;
    entries.push_back({group, at, std::move(committed)});
  }
  Write(std::move(entries), std::move(done));
}

void OffsetStore::Delete(const std::string& group, const std::vector<TopicPartition>* partitions,
                         Done done) {
  std::vector<Entry> entries;
  for (const auto& [at, committed] : Find(group)) {
    const bool named = partitions == nullptr ||
                       std::find(partitions->begin(), partitions->end(), at) != partitions->end();
    if (named) entries.push_back({group, at, std::nullopt});
  }
  Write(std::move(entries), std::move(done));
}

void OffsetStore::DeleteTopic(const std::string& topic, Done done) {
  std::vector<Entry> entries;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [group, offsets] : groups_) {
      for (const auto& [at, committed] : offsets) {
        if (at.topic == topic) entries.push_back({group, at, std::nullopt});
      }
    }
  }
  Write(std::move(entries), std::move(done));
}

GroupOffsets OffsetStore::Find(const std::string& group) const {
  std::lock_guard lock(mutex_);
  const auto it = groups_.find(group);
  return it == groups_.end() ? GroupOffsets() : it->second;
}

std::vector<std::string> OffsetStore::Groups() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [group, offsets] : groups_) names.push_back(group);
  return names;
}

Result<int64_t> OffsetStore::NewProducerId() {
  std::lock_guard lock(ids_mutex_);
  if (next_id_ == ids_end_) {
    const std::string key = EncodeStored(Key{kProducerIdsKey, "", {}, {}});
    const std::string value = EncodeStored(IdsEnd{ids_end_ + kIdBlock});
    const log::NewRecord record{.key = key, .value = value};
    MR_RETURN_IF_ERROR(log_.AppendAndWait(kOffsetsTopic, 0, {&record, 1}).status());
    ids_end_ += kIdBlock;
    std::lock_guard records_lock(mutex_);
    records_++;
  }
  return next_id_++;
}

void OffsetStore::DropSilentGroups() {
  const int64_t now_ms = clock_.WallMicros() / 1000;
  std::vector<std::string> silent;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [group, offsets] : groups_) {
      int64_t newest_ms = 0;
      for (const auto& [at, committed] : offsets)
        newest_ms = std::max(newest_ms, committed.commit_ms);
      if (newest_ms < now_ms - kSilenceMs) silent.push_back(group);
    }
  }
  for (const std::string& group : silent) {
    if (in_use_ && in_use_(group)) continue;
    diag::Info("kafka: offsets dropped: group=\"{}\" reason=\"no commit for 7 days\"", group);
    Delete(group, nullptr, [](const Status&) {});
  }
}

Status OffsetStore::Compact(int64_t records_min) {
  {
    std::lock_guard lock(mutex_);
    if (records_ < records_min) return {};
  }
  DropSilentGroups();
  // A change that comes meanwhile is kept, so that its record stands behind those written here. Its
  // thread must not wait: where it is the log's committer, nothing in flight would ever end.
  std::lock_guard ids_lock(ids_mutex_);
  {
    std::lock_guard order(order_mutex_);
    rewriting_ = true;
  }
  Status status = Rewrite();
  AppendDeferred();
  return status;
}

Status OffsetStore::Rewrite() {
  std::vector<std::string> keys{EncodeStored(Key{kProducerIdsKey, "", {}, {}})};
  std::vector<std::string> values{EncodeStored(IdsEnd{ids_end_})};
  {
    std::unique_lock lock(mutex_);
    // What is on its way to the disk is not in groups_ yet.
    none_in_flight_.wait(lock, [&] { return in_flight_ == 0; });
    int64_t living = 1 + std::ssize(kept_);
    for (const auto& [group, offsets] : groups_) living += std::ssize(offsets);
    if (records_ < 4 * living) return {};
    for (const auto& [group, offsets] : groups_) {
      for (const auto& [at, committed] : offsets) {
        keys.push_back(EncodeStored(Key{kOffsetKey, group, at, {}}));
        values.push_back(EncodeStored(Value{kOffsetValue, committed}));
      }
    }
    for (const auto& [key, record] : kept_) {
      keys.push_back(EncodeKey(key));
      values.push_back(record);
    }
  }
  std::vector<log::NewRecord> records(keys.size());
  for (size_t i = 0; i < keys.size(); i++) {
    records[i].key = keys[i];
    records[i].value = values[i];
  }
  MR_ASSIGN_OR_RETURN(const int64_t first, log_.AppendAndWait(kOffsetsTopic, 0, records));
  MR_RETURN_IF_ERROR(log_.DeleteRecords(kOffsetsTopic, 0, first).status());
  std::lock_guard lock(mutex_);
  records_ = std::ssize(records);
  return {};
}

}  // namespace millrace::kafka
