#include "connectors/filesystem/parquet_source.h"

#include <algorithm>
#include <condition_variable>
#include <duckdb/main/stream_query_result.hpp>
#include <mutex>

#include "base/strings.h"
#include "connectors/filesystem/file_list.h"
#include "connectors/filesystem/split_list.h"
#include "duck/door.h"
#include "duck/warehouse.h"
#include "env/clock.h"

namespace millrace::connectors::filesystem {

namespace {

// Columns of text compress about this well; good enough for a budget.
constexpr int64_t kCompression = 4;

class ParquetSource : public Source {
 public:
  explicit ParquetSource(const TableContext& table)
      : table_(table),
        splits_(table),
        clock_(table.services.clock ? *table.services.clock : *env::Clock::System()),
        monitored_(table.options.Has("source.monitor-interval")),
        monitor_us_(table.options.GetMicros("source.monitor-interval")) {}

  Status Open(const std::vector<size_t>& projection) override {
    projection_ = projection;
    for (size_t c : projection_) types_.push_back(table_.schema.columns[c].type);
    MR_ASSIGN_OR_RETURN(database_, duck::Warehouse::Open(""));
    connection_ = database_->Connect();
    return splits_.Refresh();
  }

  Result<std::vector<Split>> Splits() override {
    if (monitored_) MR_RETURN_IF_ERROR(splits_.Refresh());
    return splits_.splits();
  }

  Result<model::Offset> Start(const Split&) override { return 0; }

  Result<Ready> Poll(const Split& split, model::Offset from, int64_t budget_bytes) override {
    MR_ASSIGN_OR_RETURN(FileInfo info, InfoOf(split));
    if (from > info.rows) {
      return Status(Code::kFailedPrecondition, "file \"" + split.id + "\" has " +
                                                   std::to_string(info.rows) +
                                                   " rows, fewer than were read of it already")
          .WithHint("write new data into a new file");
    }
    const int64_t row_bytes =
        std::max<int64_t>(1, info.bytes * kCompression / std::max<int64_t>(1, info.rows));
    const int64_t rows = std::clamp<int64_t>(budget_bytes / row_bytes, 1, info.rows);
    Ready ready;
    ready.to = std::min(info.rows, from + rows);
    ready.end = ready.to == info.rows;
    ready.behind = info.rows - ready.to;
    return ready;
  }

  Status Read(const Split& split, model::Offset from, model::Offset to,
              SourceOutput& out) override {
    if (from >= to) return Status::Ok();
    return duck::AtTheDoor([&]() -> Status {
      if (!stream_ || stream_split_ != split.id || stream_at_ != from) {
        MR_RETURN_IF_ERROR(StartStream(split, from));
      }
      std::vector<model::Offset> offsets;
      while (stream_at_ < to) {
        if (!chunk_ || chunk_used_ == chunk_->size()) {
          chunk_ = stream_->Fetch();
          chunk_used_ = 0;
          if (!chunk_ || chunk_->size() == 0) {
            stream_.reset();
            return Status(Code::kFailedPrecondition,
                          "file \"" + split.id + "\" changed while it was read");
          }
        }
        const auto left = static_cast<duckdb::idx_t>(to - stream_at_);
        const duckdb::idx_t count = std::min(chunk_->size() - chunk_used_, left);
        duckdb::SelectionVector selection(count);
        for (duckdb::idx_t i = 0; i < count; i++) selection.set_index(i, chunk_used_ + i);
        duckdb::DataChunk part;
        part.Initialize(duckdb::Allocator::DefaultAllocator(), types_);
        offsets.clear();
        for (duckdb::idx_t i = 0; i < count; i++) {
          offsets.push_back(stream_at_ + static_cast<int64_t>(i));
        }
        // Column 0 only makes sure that there is one when no column is wanted.
        for (size_t c = 0; c < types_.size(); c++) {
          duckdb::VectorOperations::Copy(chunk_->data[c + 1], part.data[c], selection, count, 0, 0);
        }
        part.SetCardinality(count);
        out.OnRows(part, offsets);
        chunk_used_ += count;
        stream_at_ += static_cast<int64_t>(count);
      }
      return Status::Ok();
    });
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
  struct FileInfo {
    int64_t rows = 0;
    int64_t bytes = 0;
  };

  Result<FileInfo> InfoOf(const Split& split) {
    auto known = infos_.find(split.id);
    if (known != infos_.end()) return known->second;
    const std::string path = splits_.PathOf(split);
    MR_ASSIGN_OR_RETURN(FileState state, StateOf(path));
    auto rows = duck::Warehouse::QueryOn(
        *connection_, "SELECT num_rows FROM parquet_file_metadata(" + QuoteLiteral(path) + ")");
    if (!rows.ok()) {
      return std::move(rows).status().Annotate("file \"" + split.id + "\" is not Parquet");
    }
    const FileInfo info{rows->Get(0, 0).GetValue<int64_t>(), state.size};
    infos_[split.id] = info;
    return info;
  }

  Status StartStream(const Split& split, model::Offset from) {
    stream_.reset();
    chunk_.reset();
    std::string columns = "file_row_number";
    for (size_t c : projection_) {
      const model::Column& column = table_.schema.columns[c];
      columns += ", CAST(" + QuoteIdentifier(column.name) + " AS " + column.type.ToString() + ")";
    }
    auto result = connection_->SendQuery("SELECT " + columns + " FROM read_parquet(" +
                                         QuoteLiteral(splits_.PathOf(split)) +
                                         ", file_row_number = true, hive_partitioning = " +
                                         (table_.partitioned_by.empty() ? "false" : "true") +
                                         ") WHERE file_row_number >= " + std::to_string(from));
    if (result->HasError()) {
      return duck::FromDuckError(result->GetErrorObject()).Annotate("file \"" + split.id + "\"");
    }
    stream_ = std::move(result);
    stream_split_ = split.id;
    stream_at_ = from;
    chunk_used_ = 0;
    return Status::Ok();
  }

  const TableContext table_;
  SplitList splits_;
  env::Clock& clock_;
  const bool monitored_;
  const int64_t monitor_us_;
  std::vector<size_t> projection_;
  duckdb::vector<duckdb::LogicalType> types_;
  std::unique_ptr<duck::Warehouse> database_;
  std::unique_ptr<duckdb::Connection> connection_;
  std::map<std::string, FileInfo> infos_;
  // An open pass, so that reading a file range by range reads it once.
  duckdb::unique_ptr<duckdb::QueryResult> stream_;
  duckdb::unique_ptr<duckdb::DataChunk> chunk_;
  duckdb::idx_t chunk_used_ = 0;
  std::string stream_split_;
  int64_t stream_at_ = 0;
  std::mutex mutex_;
  std::condition_variable interrupt_;
  bool interrupted_ = false;
};

}  // namespace

Result<std::unique_ptr<Source>> NewParquetSource(const TableContext& table) {
  return std::unique_ptr<Source>(new ParquetSource(table));
}

}  // namespace millrace::connectors::filesystem
