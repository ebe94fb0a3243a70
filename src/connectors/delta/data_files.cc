#include "connectors/delta/data_files.h"

#include <fmt/format.h>

#include <duckdb/main/appender.hpp>
#include <set>

#include "base/strings.h"
#include "connectors/delta/file_stats.h"
#include "duck/door.h"

namespace millrace::connectors::delta {

namespace {

using duck::Warehouse;

constexpr int64_t kMemoryBytes = 512LL << 20;
constexpr duckdb::idx_t kFlushRows = 122'880;

// What DuckDB does here can fail for want of memory or disk only.
Status MayPass(Status status) {
  return status.ok() ? std::move(status) : std::move(status).WithRetry(Retry::kBackoff);
}

// Of DuckDB's map from columns to texts. The empty text is NULL to Delta.
PartitionValues PartitionOf(const duckdb::Value& keys, const model::Schema& columns) {
  PartitionValues partition;
  for (const duckdb::Value& entry : duckdb::MapValue::GetChildren(keys)) {
    const auto& pair = duckdb::StructValue::GetChildren(entry);
    const std::string name = pair[0].ToString();
    const auto column = static_cast<size_t>(columns.Find(name));
    std::optional<std::string>& value = partition[name];
    if (pair[1].IsNull() || pair[1].ToString().empty()) continue;
    value = PartitionText(pair[1].ToString(), columns.columns[column].type);
  }
  return partition;
}

}  // namespace

DataFiles::DataFiles(env::FileSystem& files, DataFileSettings settings)
    : files_(files), settings_(std::move(settings)) {}

Status DataFiles::Open() {
  MR_ASSIGN_OR_RETURN(database_,
                      Warehouse::Open("", {.threads = 1, .memory_limit_bytes = kMemoryBytes}));
  connection_ = database_->Connect();
  MR_RETURN_IF_ERROR(
      Execute("SET GLOBAL temp_directory = " + QuoteLiteral(settings_.spill_directory)));
  return Execute("SET TimeZone = 'UTC'");
}

Result<std::string> DataFiles::Uuid() {
  MR_ASSIGN_OR_RETURN(auto made, Warehouse::QueryOn(*connection_, "SELECT uuidv7()::VARCHAR"));
  return made.Get(0, 0).ToString();
}

Status DataFiles::Begin(model::Schema schema) {
  columns_ = std::move(schema);
  std::vector<std::string> columns;
  for (const model::Column& column : columns_.columns) {
    columns.push_back(QuoteIdentifier(column.name) + " " + column.type.ToString());
  }
  MR_RETURN_IF_ERROR(Execute("CREATE TABLE gathered (" + Join(columns, ", ") + ")"));
  return Forget();
}

Status DataFiles::MakeRoom() {
  return rows_->Count() < kFlushRows ? Status::Ok() : Flush();
}

void DataFiles::Gather(duckdb::DataChunk& rows) {
  rows_->Append(rows);
  gathered_rows_ += static_cast<int64_t>(rows.size());
}

// Into the table "gathered", all or nothing.
Status DataFiles::Flush() {
  if (rows_->Count() == 0) return Status::Ok();
  Status flushed = duck::AtTheDoor([&] {
    connection_->BeginTransaction();
    duckdb::Appender appender(*connection_, "gathered");
    for (auto& chunk : rows_->Chunks()) appender.AppendDataChunk(chunk);
    appender.Close();
    connection_->Commit();
    return Status::Ok();
  });
  if (!flushed.ok()) {
    if (connection_->HasActiveTransaction()) connection_->Rollback();
    return MayPass(std::move(flushed));
  }
  rows_ = std::make_unique<duckdb::ColumnDataCollection>(duckdb::Allocator::DefaultAllocator(),
                                                         columns_.Types());
  return Status::Ok();
}

Status DataFiles::Forget() {
  rows_ = std::make_unique<duckdb::ColumnDataCollection>(duckdb::Allocator::DefaultAllocator(),
                                                         columns_.Types());
  gathered_rows_ = 0;
  // TRUNCATE would keep the memory.
  return Execute("CREATE OR REPLACE TABLE gathered AS FROM gathered LIMIT 0");
}

Result<std::vector<AddFile>> DataFiles::Write(const std::vector<std::string>& partitioned_by,
                                              int64_t now_ms) {
  MR_RETURN_IF_ERROR(Flush());
  if (gathered_rows_ == 0) return std::vector<AddFile>();
  std::vector<std::string> keys;
  for (const std::string& name : partitioned_by) keys.push_back(QuoteIdentifier(name));
  // DuckDB cuts files by size only where it does not partition.
  const std::string shape = keys.empty()
                                ? fmt::format("FILE_SIZE_BYTES '{}B'", settings_.file_bytes)
                                : "PARTITION_BY (" + Join(keys, ", ") + ")";
  return Copy("FROM gathered", settings_.directory,
              ", APPEND, FILENAME_PATTERN " + QuoteLiteral(Prefix() + "{uuidv7}") + ", " + shape,
              columns_, now_ms);
}

Result<AddFile> DataFiles::Merge(const std::vector<AddFile>& files, const model::Schema& columns,
                                 int64_t now_ms) {
  model::Schema stored;  // what the files hold
  for (const model::Column& column : columns.columns) {
    if (!files.front().partition.contains(column.name)) stored.columns.push_back(column);
  }
  std::vector<std::string> paths, nulls, values;
  for (const AddFile& file : files) paths.push_back(QuoteLiteral(Name(file.path)));
  for (const model::Column& column : stored.columns) {
    const std::string name = QuoteIdentifier(column.name);
    const std::string type = column.type.ToString();
    nulls.push_back("NULL::" + type + " AS " + name);
    values.push_back("CAST(" + name + " AS " + type + ") AS " + name);
  }
  MR_ASSIGN_OR_RETURN(std::string uuid, Uuid());
  // A file from before a column was added lacks it.
  MR_ASSIGN_OR_RETURN(
      auto merged,
      Copy("SELECT " + Join(values, ", ") + " FROM (SELECT " + Join(nulls, ", ") +
               " WHERE false UNION ALL BY NAME FROM read_parquet([" + Join(paths, ", ") +
               "], union_by_name = true, hive_partitioning = false))",
           env::ParentDirectory(Name(files.front().path)) + "/" + Prefix() + uuid + ".parquet", "",
           stored, now_ms));
  merged.front().partition = files.front().partition;
  merged.front().data_change = false;
  return merged.front();
}

Result<std::vector<AddFile>> DataFiles::Copy(const std::string& rows, const std::string& to,
                                             const std::string& options,
                                             const model::Schema& columns, int64_t now_ms) {
  auto written = Warehouse::QueryOn(
      *connection_, "COPY (" + rows + ") TO " + QuoteLiteral(to) +
                        " (FORMAT parquet, COMPRESSION zstd, RETURN_STATS" + options + ")");
  if (!written.ok()) return MayPass(std::move(written).status());
  std::vector<AddFile> files;
  for (size_t i = 0; i < written->row_count(); i++) {
    AddFile& file = files.emplace_back();
    file.path = EncodePath(written->Get(i, 0).ToString().substr(settings_.directory.size() + 1));
    file.bytes = written->Get(i, 2).GetValue<int64_t>();
    file.modified_ms = now_ms;
    file.stats = StatsJson(written->Get(i, 1).GetValue<int64_t>(), written->Get(i, 4), columns);
    const duckdb::Value keys = written->Get(i, 5);
    if (!keys.IsNull()) file.partition = PartitionOf(keys, columns);
  }
  MR_RETURN_IF_ERROR(Sync(files));
  return files;
}

Status DataFiles::Sync(const std::vector<AddFile>& files) {
  std::set<std::string> directories;
  for (const AddFile& added : files) {
    std::string path = Name(added.path);
    MR_ASSIGN_OR_RETURN(auto file, files_.Open(path, env::OpenMode::kWrite));
    MR_RETURN_IF_ERROR(file->Sync());
    while (path.size() > settings_.directory.size()) {
      path = env::ParentDirectory(path);
      directories.insert(path);
    }
  }
  for (const std::string& directory : directories) {
    MR_RETURN_IF_ERROR(files_.SyncDirectory(directory));
  }
  return Status::Ok();
}

bool DataFiles::IsOwn(const std::string& path) const {
  return std::string_view(path).substr(path.rfind('/') + 1).starts_with(Prefix());
}

Result<int64_t> DataFiles::DeleteOrphans(const Snapshot& snapshot) {
  std::vector<std::string> found;
  MR_RETURN_IF_ERROR(FindOwn("", snapshot.metadata.partition_columns.size(), found));
  int64_t deleted = 0;
  for (const std::string& path : found) {
    if (snapshot.files.contains(path) || snapshot.tombstones.contains(path)) continue;
    MR_RETURN_IF_ERROR(Delete(path));
    deleted++;
  }
  return deleted;
}

// Paths, as in the log, of this writer's files in `below` ("" or "dt=…/") and `levels` directories
// of partitions further down.
Status DataFiles::FindOwn(const std::string& below, size_t levels,
                          std::vector<std::string>& found) {
  MR_ASSIGN_OR_RETURN(auto names, files_.List(settings_.directory + "/" + below));
  for (const std::string& name : names) {
    if (levels > 0 && name.find('=') != std::string::npos) {
      MR_RETURN_IF_ERROR(FindOwn(below + name + "/", levels - 1, found));
    } else if (IsOwn(name)) {
      found.push_back(EncodePath(below + name));
    }
  }
  return Status::Ok();
}

Status DataFiles::Delete(const std::string& path) {
  Status removed = files_.Remove(Name(path));
  return removed.code() == Code::kNotFound ? Status::Ok() : removed;
}

std::string DataFiles::Name(const std::string& path) const {
  return settings_.directory + "/" + DecodePath(path);
}

std::string DataFiles::Prefix() const {
  return "part-" + settings_.writer + "-";
}

Status DataFiles::Execute(const std::string& sql) {
  return MayPass(Warehouse::Execute(*connection_, sql));
}

}  // namespace millrace::connectors::delta
