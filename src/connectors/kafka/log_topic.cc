#include "connectors/kafka/log_topic.h"

#include <xxhash.h>

#include <condition_variable>
#include <mutex>

namespace millrace::connectors::kafka {

namespace {

std::string Hex(uint64_t number) {
  static const char* const kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (int i = 15; i >= 0; i--, number >>= 4) text[static_cast<size_t>(i)] = kDigits[number & 15];
  return text;
}

// '\0' cannot be part of either name, so no two pairs give the same text.
std::string Owner(const TableContext& table) {
  return table.job + '\0' + table.name;
}

}  // namespace

int64_t ProducerId(const TableContext& table) {
  const std::string owner = Owner(table);
  return static_cast<int64_t>(XXH64(owner.data(), owner.size(), 0) >> 1);
}

Result<bool> EnsureTopic(const TableContext& table) {
  log::Log& log = *table.services.log;
  const Options& options = table.options;
  const std::string topic = options.GetString("topic");
  Note note(table, "created." + Hex(XXH64(topic.data(), topic.size(), 0)));
  MR_ASSIGN_OR_RETURN(auto noted, note.Read());
  if (log.Describe(topic).ok()) return noted.has_value();
  // First the note, then the topic: between the two nobody can have written a record.
  MR_RETURN_IF_ERROR(note.Write("created"));
  log::TopicConfig config;
  config.partitions = static_cast<int>(options.GetInt("properties.num.partitions"));
  config.retention_ms = options.GetInt("properties.retention.ms");
  config.retention_bytes = options.GetInt("properties.retention.bytes");
  Status created = log.CreateTopic(topic, config);
  // Someone else was quicker; the note still tells the truth.
  if (!created.ok() && created.code() != Code::kAlreadyExists) {
    return std::move(created).Annotate("table \"" + table.name + "\"");
  }
  return true;
}

Note::Note(const TableContext& table, const std::string& kind)
    : log_(table.services.log), owner_(Owner(table)) {
  topic_ = "__millrace_" + kind + "." + Hex(XXH64(owner_.data(), owner_.size(), 0));
}

Result<std::optional<std::string>> Note::Read() const {
  auto info = log_->DescribePartition(topic_, 0);
  if (!info.ok()) {
    if (info.status().code() == Code::kNotFound) return std::optional<std::string>();
    return info.status();
  }
  if (info->end_offset == info->start_offset) return std::optional<std::string>();
  std::optional<std::string> text;
  Status status;
  auto visit = [&](std::span<const model::Record> records) {
    for (const model::Record& record : records) {
      if (record.key != owner_) {
        status = Status(Code::kCorruption, "topic \"" + topic_ + "\" belongs to another job")
                     .WithDetail("the names of two jobs or tables have the same hash")
                     .WithHint("rename the job");
      }
      text = std::string(record.value);
    }
  };
  auto read = log_->Read(topic_, 0, info->end_offset - 1, info->end_offset, 1 << 20, visit);
  if (!read.ok()) return read.status();
  if (!status.ok()) return status;
  return text;
}

Status Note::Write(const std::string& text) const {
  if (!log_->Describe(topic_).ok()) {
    log::TopicConfig config;
    config.retention_ms = -1;
    config.retention_bytes = 1 << 20;
    config.segment_bytes = 256 << 10;
    Status created = log_->CreateTopic(topic_, config);
    if (!created.ok() && created.code() != Code::kAlreadyExists) return created;
  }
  log::NewRecord record;
  record.key = owner_;
  record.value = text;
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Status> result;
  log_->Append(topic_, 0, std::span(&record, 1), {}, [&](const log::AppendResult& appended) {
    std::lock_guard<std::mutex> lock(mutex);
    result = appended.status;
    changed.notify_one();
  });
  std::unique_lock<std::mutex> lock(mutex);
  changed.wait(lock, [&] { return result.has_value(); });
  return *result;
}

}  // namespace millrace::connectors::kafka
