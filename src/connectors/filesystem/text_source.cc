// Source over text files: one split per file, positions are bytes at record boundaries.
#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "connectors/filesystem/file_list.h"
#include "connectors/filesystem/filesystem.h"
#include "connectors/filesystem/parquet_source.h"
#include "connectors/filesystem/record_scanner.h"
#include "connectors/filesystem/split_list.h"
#include "env/clock.h"
#include "env/files.h"
#include "format/format_options.h"

namespace millrace::connectors::filesystem {

namespace {

constexpr int64_t kBlockBytes = 1 << 20;
constexpr int64_t kTailBytes = 64 << 10;
// A record larger than this is a fault of the file; reading it would take all memory.
constexpr int64_t kRecordBytesMax = 256 << 20;
constexpr size_t kRecordsPerCall = STANDARD_VECTOR_SIZE;

class TextSource : public Source {
 public:
  TextSource(const TableContext& table, RecordScanner scanner, bool skip_empty)
      : splits_(table),
        clock_(table.services.clock ? *table.services.clock : *env::Clock::System()),
        monitored_(table.options.Has("source.monitor-interval")),
        monitor_us_(table.options.GetMicros("source.monitor-interval")),
        settle_us_(table.options.GetMicros("source.settle-time")),
        scanner_(scanner),
        skip_empty_(skip_empty) {}

  Status Open(const std::vector<size_t>&) override { return splits_.Refresh(); }

  Result<std::vector<Split>> Splits() override {
    if (monitored_) MR_RETURN_IF_ERROR(splits_.Refresh());
    return splits_.splits();
  }

  Result<model::Offset> Start(const Split&) override { return 0; }

  Result<Ready> Poll(const Split& split, model::Offset from, int64_t budget_bytes) override {
    const std::string path = splits_.PathOf(split);
    MR_ASSIGN_OR_RETURN(FileState state, StateOf(path));
    if (!monitored_) {
      // What is appended while a bounded source runs does not belong to it.
      state.size = bounded_sizes_.try_emplace(split.id, state.size).first->second;
    }
    if (from > state.size) {
      return Status(Code::kFailedPrecondition,
                    "file \"" + path + "\" has " + std::to_string(state.size) +
                        " bytes, fewer than were read of it already (" + std::to_string(from) + ")")
          .WithDetail("it was cut or replaced")
          .WithHint("write new data into a new file");
    }
    const bool complete = !monitored_ || clock_.WallMicros() - state.modified_us >= settle_us_;
    MR_ASSIGN_OR_RETURN(int64_t to, Boundary(path, from, from + std::max<int64_t>(1, budget_bytes),
                                             state.size, complete));
    return Ready{.to = to, .end = complete && to == state.size, .behind = state.size - to};
  }

  Status Read(const Split& split, model::Offset from, model::Offset to,
              SourceOutput& out) override {
    const std::string path = splits_.PathOf(split);
    MR_ASSIGN_OR_RETURN(env::File* const file, FileAt(path));
    std::vector<model::Record> records;
    int64_t block = kBlockBytes;
    while (from < to) {
      const int64_t want = std::min(block, to - from);
      MR_ASSIGN_OR_RETURN(std::string_view data, ReadBytes(*file, path, from, want));
      const bool at_end = from + want == to;
      size_t used = 0;
      while (used < data.size()) {
        const size_t size = scanner_.RecordSize(data.substr(used), at_end);
        if (size == 0) break;
        AddRecord(data.substr(used, size), from + static_cast<int64_t>(used), records);
        used += size;
        if (records.size() == kRecordsPerCall) {
          out.OnRecords(records);
          records.clear();
        }
      }
      if (!records.empty()) out.OnRecords(records);
      records.clear();
      from += static_cast<int64_t>(used);
      block = used == 0 ? block * 2 : kBlockBytes;
    }
    return Status::Ok();
  }

  void Wait(int64_t deadline_monotonic_us) override {
    int64_t left = deadline_monotonic_us - clock_.MonotonicMicros();
    if (monitored_) left = std::min(left, monitor_us_);
    if (left <= 0) return;
    std::unique_lock<std::mutex> lock(mutex_);
    interrupt_.wait_for(lock, std::chrono::microseconds(left), [&] { return interrupted_; });
    interrupted_ = false;
  }

  void Interrupt() override {
    std::lock_guard<std::mutex> lock(mutex_);
    interrupted_ = true;
    interrupt_.notify_all();
  }

 private:
  Result<env::File*> FileAt(const std::string& path) {
    if (!file_ || open_path_ != path) {
      auto opened = env::FileSystem::Real()->Open(path, env::OpenMode::kRead);
      if (!opened.ok()) return opened.status();
      file_ = std::move(*opened);
      open_path_ = path;
    }
    return file_.get();
  }

  // A view into the buffer, followed by kRecordPadding bytes.
  Result<std::string_view> ReadBytes(env::File& file, const std::string& path, int64_t offset,
                                     int64_t size) {
    if (buffer_.size() < static_cast<size_t>(size) + model::kRecordPadding) {
      buffer_.resize(static_cast<size_t>(size) + model::kRecordPadding);
    }
    MR_ASSIGN_OR_RETURN(size_t got, file.ReadAt(offset, buffer_.data(), static_cast<size_t>(size)));
    if (got < static_cast<size_t>(size)) {
      return Status(Code::kFailedPrecondition,
                    "file \"" + path + "\" became shorter while it was read")
          .WithHint("write new data into a new file");
    }
    return std::string_view(buffer_.data(), got);
  }

  void AddRecord(std::string_view bytes, int64_t offset, std::vector<model::Record>& records) {
    if (bytes.ends_with('\n')) bytes.remove_suffix(1);
    if (bytes.ends_with('\r')) bytes.remove_suffix(1);
    if (offset == 0 && bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
    if (bytes.empty() && skip_empty_) return;
    model::Record& record = records.emplace_back();
    record.offset = offset;
    record.value = bytes;
  }

  // The last record boundary in (from, limit], or the first after limit when there is none; `from`
  // when no record is complete.
  Result<int64_t> Boundary(const std::string& path, int64_t from, int64_t limit, int64_t size,
                           bool complete) {
    if (from >= size) return from;
    if (limit >= size && complete) return size;
    MR_ASSIGN_OR_RETURN(env::File* const file, FileAt(path));
    limit = std::min(limit, size);
    if (scanner_.records_are_lines()) {
      const int64_t tail = std::max(from, limit - kTailBytes);
      MR_ASSIGN_OR_RETURN(std::string_view data, ReadBytes(*file, path, tail, limit - tail));
      const size_t newline = data.rfind('\n');
      if (newline != std::string_view::npos) return tail + static_cast<int64_t>(newline) + 1;
    }
    for (int64_t window = std::max(limit - from, kTailBytes);; window *= 2) {
      window = std::min(window, size - from);
      MR_ASSIGN_OR_RETURN(std::string_view data, ReadBytes(*file, path, from, window));
      const bool at_end = complete && from + window == size;
      int64_t at = 0;
      while (at < window && from + at < limit) {
        const size_t record = scanner_.RecordSize(data.substr(static_cast<size_t>(at)), at_end);
        if (record == 0) break;
        if (at > 0 && from + at + static_cast<int64_t>(record) > limit) break;
        at += static_cast<int64_t>(record);
      }
      if (at > 0 || from + window == size) return from + at;
      if (window > kRecordBytesMax) {
        return Status(Code::kCorruption, "file \"" + path + "\" has no line end in the " +
                                             std::to_string(window) + " bytes after " +
                                             std::to_string(from))
            .WithHint("is it a text file?");
      }
    }
  }

  SplitList splits_;
  env::Clock& clock_;
  const bool monitored_;
  const int64_t monitor_us_;
  const int64_t settle_us_;
  const RecordScanner scanner_;
  const bool skip_empty_;
  std::map<std::string, int64_t> bounded_sizes_;
  std::unique_ptr<env::File> file_;  // the one read last
  std::string open_path_;
  std::vector<char> buffer_;
  std::mutex mutex_;
  std::condition_variable interrupt_;
  bool interrupted_ = false;
};

}  // namespace

Result<std::unique_ptr<Source>> NewFileSource(const TableContext& table) {
  const Options& options = table.options;
  const std::string format = options.GetString("format");
  if (format == "parquet") return NewParquetSource(table);
  if (!table.partitioned_by.empty()) {
    return Status(Code::kUnsupported, "table \"" + table.name + "\" is partitioned: its columns " +
                                          "cannot be read from directory names in format \"" +
                                          format + "\" yet")
        .WithHint("use 'format' = 'parquet', or leave PARTITIONED BY and those columns out");
  }
  MR_RETURN_IF_ERROR(format::FindFormat(format).status());
  RecordScanner scanner;
  if (format == "csv") {
    auto character = [&](const char* name, char otherwise) {
      const std::string text = options.GetString(name);
      return text == "\\t" ? '\t' : text.empty() ? otherwise : text[0];
    };
    scanner =
        RecordScanner(character("csv.field-delimiter", ','), character("csv.quote-character", '"'),
                      options.GetBool("csv.allow-comments"));
  }
  return std::unique_ptr<Source>(new TextSource(table, scanner, format != "raw"));
}

}  // namespace millrace::connectors::filesystem
