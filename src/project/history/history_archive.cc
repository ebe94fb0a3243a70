#include "project/history/history_archive.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "project/history/offset_set.h"
#include "project/history/stored_records.h"

namespace millrace::project {

namespace {

// Files being read at a time; each holds a row group in memory.
constexpr size_t kOpenFilesMax = 8;

class Reader : public log::ArchiveReader {
 public:
  Reader(const HistoryArchive& archive, std::string topic)
      : archive_(archive), topic_(std::move(topic)) {}

  Result<int64_t> Read(int partition, int64_t from, int64_t to,
                       const std::function<void(std::span<const model::Record>)>& visit) override {
    auto open = open_.find(partition);
    if (open == open_.end() || open->second.next != from || open->second.end <= from) {
      if (open != open_.end()) open_.erase(open);
      MR_ASSIGN_OR_RETURN(open, Open(partition, from));
    }
    Result<int64_t> next = ReadSome(open->second, to, visit);
    if (!next.ok()) open_.erase(open);
    return next;
  }

 private:
  struct OpenFile {
    std::unique_ptr<StoredRecords> records;
    std::span<const model::Record> ready;  // not visited yet
    int64_t next = 0;                      // offset to go on from
    int64_t end = 0;                       // of the file
  };
  using OpenFiles = std::map<int, OpenFile>;  // by partition

  Result<OpenFiles::iterator> Open(int partition, int64_t from) {
    MR_ASSIGN_OR_RETURN(const HistoryFile file, archive_.FileOf(topic_, partition, from));
    OpenFile opened{.records = nullptr, .ready = {}, .next = from, .end = file.offsets.to};
    MR_ASSIGN_OR_RETURN(opened.records, StoredRecords::Open(archive_.database(), file.Path(),
                                                            fmt::format("mr_offset >= {}", from)));
    // Partitions are read in turns, so the one that was opened last is needed last.
    if (open_.size() >= kOpenFilesMax) open_.erase(newest_);
    newest_ = partition;
    return open_.insert_or_assign(partition, std::move(opened)).first;
  }

  static Result<int64_t> ReadSome(
      OpenFile& file, int64_t to,
      const std::function<void(std::span<const model::Record>)>& visit) {
    if (file.ready.empty()) {
      MR_ASSIGN_OR_RETURN(file.ready, file.records->Next());
    }
    const auto behind = std::find_if(file.ready.begin(), file.ready.end(),
                                     [&](const model::Record& r) { return r.offset >= to; });
    const auto count = static_cast<size_t>(behind - file.ready.begin());
    const auto records = file.ready.first(count);
    file.ready = file.ready.subspan(count);
    // Offsets between records are those of markers and of aborted transactions.
    const bool at_end = records.empty() && file.ready.empty();
    file.next = !file.ready.empty() ? to
                : at_end            ? std::min(to, file.end)
                                    : records.back().offset + 1;
    if (!records.empty()) visit(records);
    return file.next;
  }

  const HistoryArchive& archive_;
  const std::string topic_;
  OpenFiles open_;
  int newest_ = -1;  // the partition whose file was opened last
};

}  // namespace

Result<std::vector<HistoryFile>> HistoryArchive::Files(const std::string& topic,
                                                       int partition) const {
  std::vector<HistoryFile> files;
  for (const auto& [name, table] : tables_) {
    if (table->table().topic != topic) continue;
    MR_ASSIGN_OR_RETURN(const auto some, table->RecordFiles(partition));
    files.insert(files.end(), some.begin(), some.end());
  }
  std::sort(files.begin(), files.end(), [](const HistoryFile& a, const HistoryFile& b) {
    return a.offsets.from < b.offsets.from;
  });
  return files;
}

Result<HistoryFile> HistoryArchive::FileOf(const std::string& topic, int partition,
                                           int64_t offset) const {
  MR_ASSIGN_OR_RETURN(const auto files, Files(topic, partition));
  const HistoryFile* found = nullptr;
  for (const HistoryFile& file : files) {
    if (file.offsets.from > offset || file.offsets.to <= offset) continue;
    if (!found || file.offsets.to > found->offsets.to) found = &file;
  }
  if (found) return *found;
  return Status(Code::kNotFound, fmt::format("no Parquet file of topic \"{}\" partition {} has "
                                             "the record {}",
                                             topic, partition, offset))
      .WithDetail("it was older than 'keep' says, or the file was removed by hand")
      .WithHint("reset the job's state to go on from the oldest record");
}

Result<int64_t> HistoryArchive::Start(const std::string& topic, int partition,
                                      int64_t before) const {
  MR_ASSIGN_OR_RETURN(const auto files, Files(topic, partition));
  OffsetSet covered;
  for (const HistoryFile& file : files) covered.Add(file.offsets);
  const auto missing = covered.Missing({0, before});
  return missing.empty() ? 0 : missing.back().to;
}

Result<int64_t> HistoryArchive::OffsetAfterBytes(const std::string& topic, int partition,
                                                 int64_t from, int64_t budget_bytes) const {
  MR_ASSIGN_OR_RETURN(const HistoryFile file, FileOf(topic, partition, from));
  MR_ASSIGN_OR_RETURN(const int64_t bytes, RecordBytes(file));
  const auto offsets = static_cast<double>(file.offsets.to - file.offsets.from);
  const double share = static_cast<double>(budget_bytes) / static_cast<double>(bytes + 1);
  const double count = std::clamp(share * offsets, 1.0, offsets);
  return std::min(file.offsets.to, from + static_cast<int64_t>(count));
}

Result<int64_t> HistoryArchive::RecordBytes(const HistoryFile& file) const {
  const std::string path = file.Path();
  {
    std::lock_guard lock(mutex_);
    if (auto known = record_bytes_.find(path); known != record_bytes_.end()) return known->second;
  }
  auto connection = database_.Connect();
  const auto answer = duck::Warehouse::QueryOn(
      *connection,
      fmt::format("SELECT coalesce(sum(total_uncompressed_size), 0)::BIGINT FROM "
                  "parquet_metadata({}) WHERE path_in_schema IN ('mr_key', 'mr_headers', "
                  "'mr_value')",
                  QuoteLiteral(path)));
  if (!answer.ok()) return AskAgain(answer.status(), path);
  const auto bytes = answer->Get(0, 0).GetValue<int64_t>();
  std::lock_guard lock(mutex_);
  return record_bytes_[path] = bytes;
}

Result<int64_t> HistoryArchive::OffsetForTime(const std::string& topic, int partition,
                                              log::OffsetRange range, int64_t timestamp_ms) const {
  MR_ASSIGN_OR_RETURN(const auto files, Files(topic, partition));
  auto connection = database_.Connect();
  for (const HistoryFile& file : files) {
    if (file.offsets.to <= range.from || file.newest_ms < timestamp_ms) continue;
    const auto answer = duck::Warehouse::QueryOn(
        *connection,
        fmt::format("SELECT min(mr_offset) FROM read_parquet({}, hive_partitioning = false) "
                    "WHERE mr_timestamp_ms >= {} AND mr_offset >= {} AND mr_offset < {}",
                    QuoteLiteral(file.Path()), timestamp_ms, range.from, range.to));
    if (!answer.ok()) return AskAgain(answer.status(), file.Path());
    if (!answer->Get(0, 0).IsNull()) return answer->Get(0, 0).GetValue<int64_t>();
  }
  return range.to;
}

std::unique_ptr<log::ArchiveReader> HistoryArchive::NewReader(const std::string& topic) const {
  return std::make_unique<Reader>(*this, topic);
}

}  // namespace millrace::project
