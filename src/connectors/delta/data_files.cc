#include "connectors/delta/data_files.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/strings.h"
#include "connectors/delta/file_stats.h"

namespace millrace::connectors::delta {

namespace {

using duck::Warehouse;

constexpr int64_t kMemoryBytes = 512LL << 20;

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

DataFiles::DataFiles(TableStore& store, DataFileSettings settings)
    : store_(store), settings_(std::move(settings)) {}

Status DataFiles::Open() {
  MR_ASSIGN_OR_RETURN(database_,
                      Warehouse::Open("", {.threads = 1, .memory_limit_bytes = kMemoryBytes}));
  connection_ = database_->Connect();
  MR_RETURN_IF_ERROR(
      Execute("SET GLOBAL temp_directory = " + QuoteLiteral(settings_.spill_directory)));
  MR_RETURN_IF_ERROR(Execute("SET TimeZone = 'UTC'"));
  return store_.Open(*connection_);
}

Result<std::string> DataFiles::Uuid() {
  MR_ASSIGN_OR_RETURN(auto made, Warehouse::QueryOn(*connection_, "SELECT uuidv7()::VARCHAR"));
  return made.Get(0, 0).ToString();
}

Result<std::vector<AddFile>> DataFiles::Write(const std::string& query,
                                              const model::Schema& columns,
                                              const std::vector<std::string>& partitioned_by,
                                              int64_t now_ms) {
  std::vector<std::string> keys;
  for (const std::string& name : partitioned_by) keys.push_back(QuoteIdentifier(name));
  // DuckDB cuts files by size only where it does not partition.
  const std::string shape = keys.empty()
                                ? fmt::format("FILE_SIZE_BYTES '{}B'", settings_.file_bytes)
                                : "PARTITION_BY (" + Join(keys, ", ") + ")";
  return Copy(query, settings_.directory,
              ", APPEND, FILENAME_PATTERN " + QuoteLiteral(Prefix() + "{uuidv7}") + ", " + shape,
              columns, now_ms);
}

Result<AddFile> DataFiles::Merge(const std::vector<AddFile>& files, const model::Schema& columns,
                                 int64_t now_ms) {
  model::Schema stored;  // what the files hold
  for (const model::Column& column : columns.columns) {
    if (!files.front().partition.contains(column.name)) stored.columns.push_back(column);
  }
  MR_ASSIGN_OR_RETURN(std::string uuid, Uuid());
  const std::string directory = env::ParentDirectory(Name(files.front().path));
  MR_ASSIGN_OR_RETURN(auto merged,
                      Copy("SELECT * EXCLUDE (" + std::string(kFileColumn) + ") FROM (" +
                               RowsOf(files, stored) + ")",
                           directory + "/" + Prefix() + uuid + ".parquet", "", stored, now_ms));
  merged.front().partition = files.front().partition;
  merged.front().data_change = false;
  return merged.front();
}

std::string DataFiles::RowsOf(const std::vector<AddFile>& files,
                              const model::Schema& columns) const {
  std::map<PartitionValues, std::vector<std::string>> partitions;
  for (const AddFile& file : files) {
    partitions[file.partition].push_back(QuoteLiteral(Name(file.path)));
  }
  std::vector<std::string> queries;
  for (const auto& [partition, paths] : partitions) {
    std::vector<std::string> stored, values;
    for (const model::Column& column : columns.columns) {
      const std::string name = QuoteIdentifier(column.name);
      const std::string type = column.type.ToString();
      const auto constant = partition.find(column.name);
      std::string value = name;
      if (constant == partition.end()) {
        stored.push_back("NULL::" + type + " AS " + name);
      } else {
        value = constant->second ? QuoteLiteral(*constant->second) : "NULL";
      }
      values.push_back("CAST(" + value + " AS " + type + ") AS " + name);
    }
    stored.push_back(std::string("NULL::VARCHAR AS ") + kFileColumn);
    queries.push_back(
        fmt::format("SELECT {0}, {3} FROM (SELECT {1} WHERE false UNION ALL BY NAME FROM "
                    "read_parquet([{2}], union_by_name = true, hive_partitioning = false, "
                    "filename = '{3}'))",
                    Join(values, ", "), Join(stored, ", "), Join(paths, ", "), kFileColumn));
  }
  return Join(queries, " UNION ALL ");
}

Result<std::vector<AddFile>> DataFiles::Copy(const std::string& query, const std::string& to,
                                             const std::string& options,
                                             const model::Schema& columns, int64_t now_ms) {
  auto written = Warehouse::QueryOn(
      *connection_, "COPY (" + query + ") TO " + QuoteLiteral(to) +
                        " (FORMAT parquet, COMPRESSION zstd, RETURN_STATS" + options + ")");
  if (!written.ok()) return MayPass(std::move(written).status());
  std::vector<AddFile> files;
  std::vector<std::string> names;
  for (size_t i = 0; i < written->row_count(); i++) {
    const std::string name = written->Get(i, 0).ToString();
    if (written->Get(i, 1).GetValue<int64_t>() == 0) {
      MR_RETURN_IF_ERROR(store_.Remove(name));
      continue;
    }
    names.push_back(name);
    AddFile& file = files.emplace_back();
    file.path = EncodePath(name.substr(settings_.directory.size() + 1));
    file.bytes = written->Get(i, 2).GetValue<int64_t>();
    file.modified_ms = now_ms;
    file.stats = StatsJson(written->Get(i, 1).GetValue<int64_t>(), written->Get(i, 4), columns);
    const duckdb::Value keys = written->Get(i, 5);
    if (!keys.IsNull()) file.partition = PartitionOf(keys, columns);
  }
  MR_RETURN_IF_ERROR(store_.MakeDurable(names));
  return files;
}

Result<int64_t> DataFiles::DeleteOrphans(const Snapshot& snapshot) {
  // By name: another writer's checkpoint may encode a path in another way.
  std::set<std::string> known;
  for (const auto& [path, file] : snapshot.files) known.insert(Name(path));
  for (const auto& [path, file] : snapshot.tombstones) known.insert(Name(path));
  MR_ASSIGN_OR_RETURN(const auto found,
                      store_.FindSettled(Prefix(), snapshot.metadata.partition_columns.size()));
  int64_t deleted = 0;
  for (const std::string& name : found) {
    if (known.contains(name)) continue;
    MR_RETURN_IF_ERROR(store_.Remove(name));
    deleted++;
  }
  return deleted;
}

Status DataFiles::Delete(const std::string& path) {
  return store_.Remove(Name(path));
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
