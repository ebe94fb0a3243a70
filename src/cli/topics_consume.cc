#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <thread>

#include "cli/access.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/stop_signal.h"
#include "cli/terminal.h"

namespace millrace::cli {

namespace {

constexpr int64_t kBlockRecords = 1000;
constexpr int64_t kNewestDefault = 10;
constexpr auto kPollEvery = std::chrono::milliseconds(100);

// Reads a partition in blocks, up to `end` (-1: for ever).
struct Cursor {
  int partition = 0;
  int64_t next = 0;
  int64_t end = -1;
  std::deque<StoredRecord> ready = {};

  Status Fill(Access& access, const std::string& topic) {
    if (!ready.empty() || (end >= 0 && next >= end)) return Status::Ok();
    int64_t limit = end < 0 ? kBlockRecords : std::min(kBlockRecords, end - next);
    MR_ASSIGN_OR_RETURN(auto records, access.Read(topic, partition, next, limit));
    for (StoredRecord& record : records) {
      if (end >= 0 && record.offset >= end) break;
      next = record.offset + 1;
      ready.push_back(std::move(record));
    }
    // Everything that was wanted has expired meanwhile.
    if (ready.empty() && end >= 0) next = end;
    return Status::Ok();
  }
};

// The oldest record over all partitions, by time; none when nothing is there now.
Result<std::optional<StoredRecord>> TakeOldest(Access& access, const std::string& topic,
                                               std::vector<Cursor>& cursors) {
  Cursor* oldest = nullptr;
  for (Cursor& cursor : cursors) {
    MR_RETURN_IF_ERROR(cursor.Fill(access, topic));
    if (cursor.ready.empty()) continue;
    if (!oldest || cursor.ready.front().timestamp_ms < oldest->ready.front().timestamp_ms) {
      oldest = &cursor;
    }
  }
  if (!oldest) return std::optional<StoredRecord>();
  std::optional<StoredRecord> record = std::move(oldest->ready.front());
  oldest->ready.pop_front();
  return record;
}

std::vector<Cursor> MakeCursors(const TopicDescription& topic, const TopicsOptions& options) {
  std::vector<Cursor> cursors;
  int64_t newest = options.count >= 0 ? options.count : kNewestDefault;
  for (const TopicPartition& p : topic.partitions) {
    if (options.partition >= 0 && p.partition != options.partition) continue;
    Cursor cursor{p.partition, p.start_offset, options.follow ? -1 : p.end_offset};
    if (!options.from_beginning) {
      cursor.next = options.follow ? p.end_offset : std::max(p.start_offset, p.end_offset - newest);
    }
    cursors.push_back(std::move(cursor));
  }
  return cursors;
}

Status PrintInOrder(Access& access, const TopicsOptions& options, std::vector<Cursor> cursors,
                    const std::atomic<bool>& stop) {
  int64_t printed = 0;
  while (!stop && (options.count < 0 || printed < options.count)) {
    MR_ASSIGN_OR_RETURN(auto record, TakeOldest(access, options.topic, cursors));
    if (record) {
      fmt::print("{}", FormatRecord(options.format, options.topic, *record));
      printed++;
    } else if (options.follow) {
      std::fflush(stdout);
      std::this_thread::sleep_for(kPollEvery);
    } else {
      break;
    }
  }
  return Status::Ok();
}

// The last `count` records over all partitions.
Status PrintNewest(Access& access, const TopicsOptions& options, std::vector<Cursor> cursors) {
  size_t count = static_cast<size_t>(options.count >= 0 ? options.count : kNewestDefault);
  std::deque<StoredRecord> newest;
  for (;;) {
    MR_ASSIGN_OR_RETURN(auto record, TakeOldest(access, options.topic, cursors));
    if (!record) break;
    newest.push_back(std::move(*record));
    if (newest.size() > count) newest.pop_front();
  }
  for (const StoredRecord& record : newest) {
    fmt::print("{}", FormatRecord(options.format, options.topic, record));
  }
  return Status::Ok();
}

Status Consume(const TopicsOptions& options) {
  MR_RETURN_IF_ERROR(CheckRecordFormat(options.format));
  MR_ASSIGN_OR_RETURN(auto access, Access::Open(options.directory, options.target));
  MR_ASSIGN_OR_RETURN(TopicDescription topic, access->Topic(options.topic));
  std::vector<Cursor> cursors = MakeCursors(topic, options);
  if (cursors.empty()) {
    return Status(Code::kInvalidArgument,
                  fmt::format("topic \"{}\" has no partition {}", topic.name, options.partition))
        .WithHint(fmt::format("its partitions are 0 to {}", topic.partitions.size() - 1));
  }
  if (!options.follow && !options.from_beginning) {
    return PrintNewest(*access, options, std::move(cursors));
  }
  static const std::atomic<bool> kNever{false};
  const std::atomic<bool>& stop = options.follow ? CatchStopSignals() : kNever;
  return PrintInOrder(*access, options, std::move(cursors), stop);
}

}  // namespace

int RunTopicsConsume(const TopicsOptions& options) {
  Status status = Consume(options);
  return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
}

}  // namespace millrace::cli
