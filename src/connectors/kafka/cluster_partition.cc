#include "connectors/kafka/cluster_partition.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "log/wire.h"

namespace millrace::connectors::kafka {

namespace {

// A block is handed to the job at once: large enough to be read at full speed, small enough for the
// cache.
constexpr size_t kBlockBytes = 1 << 20;
constexpr size_t kMessagesAtOnce = 1'000;

void AppendVarint(std::string& out, int64_t value) {
  char bytes[10];
  out.append(bytes, log::PutVarint(bytes, value));
}

// As they lie in Kafka's records; nothing when there are none.
void AppendHeaders(const rd_kafka_message_t& message, std::string& out) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  AppendVarint(out, static_cast<int64_t>(rd_kafka_header_cnt(headers)));
  const char* name = nullptr;
  const void* value = nullptr;
  size_t bytes = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR;
       i++) {
    const std::string_view text = name;
    AppendVarint(out, static_cast<int64_t>(text.size()));
    out += text;
    AppendVarint(out, value ? static_cast<int64_t>(bytes) : -1);
    if (value) out.append(static_cast<const char*>(value), bytes);
  }
}

}  // namespace

void Arrivals::Add() {
  std::lock_guard<std::mutex> lock(mutex_);
  count_++;
  changed_.notify_all();
}

void Arrivals::Wait(int64_t timeout_us) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, std::chrono::microseconds(timeout_us), [&] { return count_ != seen_; });
  seen_ = count_;
}

ClusterPartition::ClusterPartition(ClusterClient& client, rd_kafka_topic_t* topic, int partition,
                                   Arrivals& arrivals)
    : client_(client),
      topic_(topic),
      partition_(partition),
      where_("reading topic \"" + std::string(rd_kafka_topic_name(topic)) + "\" partition " +
             std::to_string(partition)),
      arrivals_(arrivals) {}

ClusterPartition::~ClusterPartition() {
  Stop();
}

void ClusterPartition::Stop() {
  if (!queue_) return;
  rd_kafka_queue_cb_event_enable(queue_, nullptr, nullptr);
  rd_kafka_consume_stop(topic_, partition_);
  rd_kafka_queue_destroy(queue_);
  queue_ = nullptr;
}

Status ClusterPartition::SeekTo(model::Offset from) {
  if (queue_ && begin_ <= from && from <= through_) {
    begin_ = from;
    while (!blocks_.empty() && blocks_.front().entries.back().offset < from) {
      bytes_ -= static_cast<int64_t>(blocks_.front().bytes.size());
      blocks_.pop_front();
    }
    return Status::Ok();
  }
  // With a queue of its own each time: a message that was under way from the place before could
  // not be told from one behind a gap.
  Stop();
  blocks_.clear();
  bytes_ = 0;
  at_end_ = false;
  begin_ = through_ = from;
  queue_ = rd_kafka_queue_new(client_.handle());
  rd_kafka_queue_cb_event_enable(
      queue_, [](rd_kafka_t*, void* arrivals) { static_cast<Arrivals*>(arrivals)->Add(); },
      &arrivals_);
  if (rd_kafka_consume_start_queue(topic_, partition_, from, queue_) != 0) {
    Status status = client_.Error(rd_kafka_last_error(), where_);
    rd_kafka_queue_destroy(queue_);
    queue_ = nullptr;
    return status;
  }
  return Status::Ok();
}

Status ClusterPartition::Take(int64_t bytes_max) {
  std::array<rd_kafka_message_t*, kMessagesAtOnce> messages;
  while (queue_ && bytes_ < bytes_max) {
    const ssize_t count = rd_kafka_consume_batch_queue(queue_, 0, messages.data(), messages.size());
    if (count <= 0) break;
    Status status;
    for (ssize_t i = 0; i < count; i++) {
      rd_kafka_message_t* message = messages[static_cast<size_t>(i)];
      if (status.ok()) status = Add(*message);
      rd_kafka_message_destroy(message);
    }
    if (status.ok()) continue;
    Stop();  // the next SeekTo begins anew
    return status;
  }
  return Status::Ok();
}

Status ClusterPartition::Add(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    through_ = std::max(through_, message.offset);
    at_end_ = true;
    return Status::Ok();
  }
  if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
      message.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    return OutOfRange();
  }
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return client_.Error(message.err, where_);
  if (message.offset < through_) return Status::Ok();  // of a batch that begins before `from`
  at_end_ = false;
  through_ = message.offset + 1;
  if (blocks_.empty() || blocks_.back().closed) blocks_.emplace_back();
  Block& block = blocks_.back();
  Entry entry;
  entry.offset = message.offset;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  entry.timestamp_ms = std::max<int64_t>(0, rd_kafka_message_timestamp(&message, &type));
  entry.append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
  entry.begin = block.bytes.size();
  entry.has_key = message.key != nullptr;
  entry.has_value = message.payload != nullptr;
  entry.key_bytes = message.key ? message.key_len : 0;
  entry.value_bytes = message.payload ? message.len : 0;
  block.bytes += std::string_view(static_cast<const char*>(message.key), entry.key_bytes);
  block.bytes += std::string_view(static_cast<const char*>(message.payload), entry.value_bytes);
  const size_t before_headers = block.bytes.size();
  AppendHeaders(message, block.bytes);
  entry.header_bytes = block.bytes.size() - before_headers;
  bytes_ += static_cast<int64_t>(block.bytes.size() - entry.begin);
  block.entries.push_back(entry);
  if (block.bytes.size() >= kBlockBytes) Close(block);
  return Status::Ok();
}

void ClusterPartition::Close(Block& block) {
  if (block.closed) return;
  block.bytes.append(model::kRecordPadding, '\0');
  block.closed = true;
}

Status ClusterPartition::OutOfRange() const {
  int64_t low = 0, high = 0;
  const auto code = rd_kafka_query_watermark_offsets(client_.handle(), rd_kafka_topic_name(topic_),
                                                     partition_, &low, &high, kAskTimeoutMs);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return client_.Error(code, where_);
  const std::string have =
      "it has those from " + std::to_string(low) + " to " + std::to_string(high) + " (exclusive)";
  if (through_ > high) {
    return Status(Code::kFailedPrecondition,
                  where_ + ": it ends before the job's position, " + std::to_string(through_))
        .WithDetail(have + "; the topic was deleted and created again, or it is another cluster")
        .WithHint("reset the job's state");
  }
  return Status(Code::kFailedPrecondition, where_ + ": records from " + std::to_string(through_) +
                                               " on, which the job has not read, are gone")
      .WithDetail(have + "; retention removed them")
      .WithHint(
          "keep records longer (retention.ms of the topic), or reset the job's state to go on "
          "from the oldest record");
}

model::Offset ClusterPartition::AfterBytes(model::Offset from, int64_t budget_bytes) const {
  int64_t bytes = 0;
  for (const Block& block : blocks_) {
    for (const Entry& entry : block.entries) {
      if (entry.offset < from) continue;
      if (bytes >= budget_bytes) return entry.offset;
      bytes += static_cast<int64_t>(entry.key_bytes + entry.value_bytes);
    }
  }
  return through_;
}

int64_t ClusterPartition::Behind(model::Offset from) const {
  if (at_end_) return from < through_ && has_records() ? through_ - from : 0;
  int64_t low = 0, high = 0;  // as of the last fetch; nothing is asked
  rd_kafka_get_watermark_offsets(client_.handle(), rd_kafka_topic_name(topic_), partition_, &low,
                                 &high);
  return std::max<int64_t>(0, high - from);
}

void ClusterPartition::Give(model::Offset from, model::Offset to, SourceOutput& out) {
  std::vector<model::Record> records;
  for (Block& block : blocks_) {
    Close(block);
    records.clear();
    auto entry =
        std::lower_bound(block.entries.begin(), block.entries.end(), from,
                         [](const Entry& e, model::Offset offset) { return e.offset < offset; });
    for (; entry != block.entries.end() && entry->offset < to; entry++) {
      model::Record& record = records.emplace_back();
      record.offset = entry->offset;
      record.timestamp_ms = entry->timestamp_ms;
      record.append_time = entry->append_time;
      record.has_key = entry->has_key;
      record.has_value = entry->has_value;
      const std::string_view bytes = std::string_view(block.bytes).substr(entry->begin);
      record.key = bytes.substr(0, entry->key_bytes);
      record.value = bytes.substr(entry->key_bytes, entry->value_bytes);
      record.headers = bytes.substr(entry->key_bytes + entry->value_bytes, entry->header_bytes);
    }
    if (!records.empty()) out.OnRecords(records);
  }
}

}  // namespace millrace::connectors::kafka
