#include "connectors/iceberg/data_writer.h"

#include <fmt/format.h>

#include <duckdb/common/types/uuid.hpp>
#include <duckdb/common/vector_operations/vector_operations.hpp>
#include <duckdb/main/appender.hpp>

#include "base/strings.h"
#include "connectors/iceberg/bucket.h"
#include "connectors/iceberg/value_bytes.h"
#include "duck/door.h"
#include "duck/extensions.h"

namespace millrace::connectors::iceberg {

using duck::Warehouse;
using duckdb::LogicalType;
using duckdb::Value;

namespace {

constexpr int64_t kMemoryBytes = 512LL << 20;
constexpr const char* kOurPrefix = "millrace-";

// Whether another try may do: a store that is away, a disk that is full.
Status ForStore(Status status) {
  if (status.ok()) return status;
  const Code code = status.code();
  status = duck::ExplainMissingExtension(std::move(status));
  // A store that answers with an error, be it that it does not know us any more.
  const bool answered =
      code == Code::kInvalidArgument && status.message().find("HTTP") != std::string::npos;
  const bool may_pass = code == Code::kIo || code == Code::kUnavailable || answered ||
                        code == Code::kResourceExhausted || code == Code::kInternal;
  return may_pass && status.hint().empty() ? std::move(status).WithRetry(Retry::kBackoff) : status;
}

std::string ColumnList(const IcebergSchema& columns) {
  std::vector<std::string> names;
  for (const IcebergField& column : columns) names.push_back(QuoteIdentifier(column.name));
  return Join(names, ", ");
}

std::string EmptyTableOf(const IcebergSchema& columns) {
  std::vector<std::string> list;
  for (const IcebergField& column : columns) {
    list.push_back(QuoteIdentifier(column.name) + " " + DuckTypeOf(column.type).ToString() +
                   (column.required ? " NOT NULL" : ""));
  }
  return "CREATE OR REPLACE TABLE lake_rows (" + Join(list, ", ") + ")";
}

// What the rows take uncompressed, roughly: fixed sizes, and the bytes of texts.
int64_t BytesOf(duckdb::DataChunk& rows) {
  int64_t bytes = 0;
  for (auto& column : rows.data) {
    const auto physical = column.GetType().InternalType();
    if (physical != duckdb::PhysicalType::VARCHAR) {
      const bool fixed = duckdb::TypeIsConstantSize(physical);
      const auto each = fixed ? static_cast<int64_t>(duckdb::GetTypeIdSize(physical)) : 32;
      bytes += each * static_cast<int64_t>(rows.size());
      continue;
    }
    duckdb::UnifiedVectorFormat format;
    column.ToUnifiedFormat(rows.size(), format);
    const auto* texts = reinterpret_cast<const duckdb::string_t*>(format.data);
    for (duckdb::idx_t r = 0; r < rows.size(); r++) {
      const auto index = format.sel->get_index(r);
      if (format.validity.RowIsValid(index)) bytes += static_cast<int64_t>(texts[index].GetSize());
    }
  }
  return bytes;
}

// Row numbers, each as often as its weight says.
std::vector<duckdb::sel_t> Chosen(const SinkBatch& batch) {
  std::vector<duckdb::sel_t> chosen;
  for (duckdb::idx_t r = 0; r < batch.rows->size(); r++) {
    const int32_t copies = batch.weights ? (*batch.weights)[r] : 1;
    chosen.insert(chosen.end(), static_cast<size_t>(copies), static_cast<duckdb::sel_t>(r));
  }
  return chosen;
}

// DuckDB's statistics of a column: names and values as texts.
std::map<std::string, std::string> TextsOf(const Value& map) {
  std::map<std::string, std::string> texts;
  for (const Value& pair : duckdb::MapValue::GetChildren(map)) {
    const auto& parts = duckdb::StructValue::GetChildren(pair);
    if (!parts[1].IsNull()) texts[parts[0].ToString()] = parts[1].ToString();
  }
  return texts;
}

int64_t NumberOf(const std::map<std::string, std::string>& texts, const std::string& name) {
  auto found = texts.find(name);
  return found == texts.end() ? -1 : std::stoll(found->second);
}

// A bound that DuckDB gives as a text; nothing where it has none.
std::optional<std::string> BoundOf(const std::map<std::string, std::string>& texts, bool lower,
                                   const LogicalType& type) {
  auto found = texts.find(lower ? "min" : "max");
  if (found == texts.end()) return std::nullopt;
  // In UTC, as they are shown.
  const bool instant = type == LogicalType::TIMESTAMP_TZ;
  Value value;
  std::string error;
  if (!Value(found->second)
           .DefaultTryCastAs(instant ? LogicalType::TIMESTAMP : type, value, &error, false)) {
    return std::nullopt;
  }
  return BoundBytes(value, lower);
}

void TakeStatistics(const std::map<std::string, std::string>& texts, const IcebergField& column,
                    DataFile& file) {
  const LogicalType type = DuckTypeOf(column.type);
  file.column_sizes[column.id] = NumberOf(texts, "column_size_bytes");
  file.value_counts[column.id] = file.record_count;
  const int64_t nulls = NumberOf(texts, "null_count");
  if (nulls >= 0) file.null_counts[column.id] = nulls;
  auto nan = texts.find("has_nan");
  if (nan != texts.end()) {
    // How many there are is not known, nor where they stand in the order.
    if (nan->second == "true") return;
    file.nan_counts[column.id] = 0;
  }
  const auto lower = BoundOf(texts, true, type), upper = BoundOf(texts, false, type);
  if (lower) file.lower_bounds[column.id] = *lower;
  if (upper) file.upper_bounds[column.id] = *upper;
}

}  // namespace

std::string NewFileName(const std::string& extension) {
  return kOurPrefix + duckdb::UUID::ToString(duckdb::UUID::GenerateRandomUUID()) + extension;
}

bool IsOurFile(const std::string& location) {
  return location.substr(location.rfind('/') + 1).starts_with(kOurPrefix);
}

int64_t NewSnapshotId() {
  return static_cast<int64_t>(duckdb::UUID::GenerateRandomUUID().lower >> 1);
}

Result<std::unique_ptr<DataWriter>> DataWriter::Open(const std::string& spill_directory) {
  std::unique_ptr<DataWriter> writer(new DataWriter());
  MR_ASSIGN_OR_RETURN(writer->database_,
                      Warehouse::Open("", {.threads = 1, .memory_limit_bytes = kMemoryBytes}));
  writer->connection_ = writer->database_->Connect();
  writer->files_ = std::make_unique<TableFiles>(*writer->connection_);
  MR_RETURN_IF_ERROR(RegisterBucketFunction(*writer->connection_));
  MR_RETURN_IF_ERROR(duck::UseExtensions(*writer->connection_));
  MR_RETURN_IF_ERROR(
      writer->Query("SET GLOBAL temp_directory = " + QuoteLiteral(spill_directory)).status());
  return writer;
}

Status DataWriter::UseAccess(const s3::Access& access) {
  return ForStore(s3::UseAccess(*connection_, access));
}

Status DataWriter::Describe(const IcebergSchema& columns,
                            std::vector<PartitionTransform> partition) {
  columns_ = columns;
  partition_ = std::move(partition);
  types_.clear();
  for (const IcebergField& column : columns_) types_.push_back(DuckTypeOf(column.type));
  return Query(EmptyTableOf(columns_)).status();
}

Status DataWriter::Append(const SinkBatch& batch) {
  const std::vector<duckdb::sel_t> chosen = Chosen(batch);
  if (chosen.empty()) return Status::Ok();
  int64_t bytes = 0;
  Status done = duck::AtTheDoor([&]() -> Status {
    connection_->BeginTransaction();
    duckdb::Appender appender(*connection_, "lake_rows");
    for (size_t at = 0; at < chosen.size(); at += STANDARD_VECTOR_SIZE) {
      const size_t count = std::min<size_t>(STANDARD_VECTOR_SIZE, chosen.size() - at);
      duckdb::DataChunk rows;
      rows.Initialize(duckdb::Allocator::DefaultAllocator(), types_);
      for (size_t c = 0; c < types_.size(); c++) {
        const duckdb::SelectionVector rows_of(const_cast<duckdb::sel_t*>(chosen.data()) + at);
        duckdb::Vector source(batch.rows->data[c], rows_of, count);
        duckdb::VectorOperations::DefaultCast(source, rows.data[c], count, true);
      }
      rows.SetCardinality(count);
      appender.AppendDataChunk(rows);
      bytes += BytesOf(rows);
    }
    appender.Close();
    connection_->Commit();
    return Status::Ok();
  });
  if (!done.ok()) {
    if (connection_->HasActiveTransaction()) connection_->Rollback();
    return ForStore(std::move(done));
  }
  rows_ += static_cast<int64_t>(chosen.size());
  bytes_ += bytes;
  return Status::Ok();
}

Status DataWriter::Fill(const std::string& query) {
  MR_RETURN_IF_ERROR(Forget());
  MR_RETURN_IF_ERROR(Query("INSERT INTO lake_rows " + query).status());
  MR_ASSIGN_OR_RETURN(auto count, Query("SELECT count(*) FROM lake_rows"));
  rows_ = count.Get(0, 0).GetValue<int64_t>();
  return Status::Ok();
}

Result<std::vector<DataFile>> DataWriter::WriteFiles(const std::string& directory,
                                                     const FileShape& shape) {
  std::vector<DataFile> files;
  if (rows_ == 0) return files;
  const std::string all = "SELECT " + ColumnList(columns_) + " FROM lake_rows";
  if (partition_.empty()) {
    MR_RETURN_IF_ERROR(WriteCut(all, rows_, directory, shape, {}, files));
    return files;
  }
  std::vector<std::string> keys;
  for (const PartitionTransform& transform : partition_) keys.push_back(transform.expression);
  MR_ASSIGN_OR_RETURN(auto partitions, Query("SELECT " + Join(keys, ", ") +
                                             ", count(*) FROM lake_rows GROUP BY ALL"));
  for (size_t p = 0; p < partitions.row_count(); p++) {
    std::vector<Value> values;
    std::vector<std::string> conditions;
    for (size_t k = 0; k < keys.size(); k++) {
      values.push_back(partitions.Get(p, k));
      conditions.push_back(keys[k] + " IS NOT DISTINCT FROM " + values.back().ToSQLString());
    }
    MR_RETURN_IF_ERROR(WriteCut(all + " WHERE " + Join(conditions, " AND "),
                                partitions.Get(p, keys.size()).GetValue<int64_t>(), directory,
                                shape, std::move(values), files));
  }
  return files;
}

Status DataWriter::WriteCut(const std::string& query, int64_t count, const std::string& directory,
                            const FileShape& shape, std::vector<Value> partition,
                            std::vector<DataFile>& files) {
  if (shape.rows == 0 || count <= shape.rows) {
    MR_ASSIGN_OR_RETURN(DataFile file, Copy(query, columns_, directory));
    file.partition = std::move(partition);
    files.push_back(std::move(file));
    return Status::Ok();
  }
  std::vector<std::string> order;
  for (const std::string& name : shape.order) order.push_back(QuoteIdentifier(name));
  MR_RETURN_IF_ERROR(
      Query("CREATE OR REPLACE TABLE sorted AS " + query + " ORDER BY " + Join(order, ", "))
          .status());
  const int64_t parts = (count + shape.rows - 1) / shape.rows;
  for (int64_t i = 0; i < parts; i++) {
    // Rows are numbered in their order.
    MR_ASSIGN_OR_RETURN(DataFile file,
                        Copy(fmt::format("FROM sorted WHERE rowid >= {} AND rowid < {}",
                                         count * i / parts, count * (i + 1) / parts),
                             columns_, directory));
    file.partition = partition;
    files.push_back(std::move(file));
  }
  return Query("DROP TABLE sorted").status();
}

Status DataWriter::Forget() {
  // TRUNCATE would keep the memory.
  MR_RETURN_IF_ERROR(Query(EmptyTableOf(columns_)).status());
  rows_ = 0;
  bytes_ = 0;
  return Status::Ok();
}

Result<DataFile> DataWriter::Rewrite(const std::vector<DataFile>& files,
                                     const IcebergSchema& columns, const std::string& directory) {
  MR_ASSIGN_OR_RETURN(DataFile merged, Copy(RowsOf(files, columns), columns, directory));
  merged.partition = files[0].partition;
  return merged;
}

std::string DataWriter::RowsOf(const std::vector<DataFile>& files, const IcebergSchema& columns,
                               const std::string& file_column) const {
  std::vector<std::string> paths, fields;
  for (const DataFile& file : files) paths.push_back(QuoteLiteral(PathOf(file.path)));
  // By their numbers: names and types may have changed since.
  for (const IcebergField& column : columns) {
    fields.push_back(fmt::format("{}: {{name: {}, type: {}, default_value: NULL}}", column.id,
                                 QuoteLiteral(column.name),
                                 QuoteLiteral(DuckTypeOf(column.type).ToString())));
  }
  const std::string named = file_column.empty() ? "" : ", filename = " + QuoteLiteral(file_column);
  return fmt::format("SELECT {}{} FROM read_parquet([{}], schema = MAP {{{}}}{})",
                     ColumnList(columns), file_column.empty() ? "" : ", " + file_column,
                     Join(paths, ", "), Join(fields, ", "), named);
}

Result<DataFile> DataWriter::Copy(const std::string& query, const IcebergSchema& columns,
                                  const std::string& directory) {
  DataFile file;
  file.path = directory + "/" + NewFileName(".parquet");
  MR_ASSIGN_OR_RETURN(
      auto written,
      Query("COPY (" + query + ") TO " + QuoteLiteral(PathOf(file.path)) +
            " (FORMAT parquet, COMPRESSION zstd, RETURN_STATS, " + FieldIdsOption(columns) + ")"));
  file.record_count = written.Get(0, 1).GetValue<int64_t>();
  file.size_bytes = written.Get(0, 2).GetValue<int64_t>();
  const Value statistics = written.Get(0, 4);
  for (const Value& pair : duckdb::MapValue::GetChildren(statistics)) {
    const auto& parts = duckdb::StructValue::GetChildren(pair);
    for (const IcebergField& column : columns) {
      // Parts of nested columns have longer names.
      if (parts[0].ToString() != QuoteIdentifier(column.name)) continue;
      TakeStatistics(TextsOf(parts[1]), column, file);
    }
  }
  MR_RETURN_IF_ERROR(files_->MakeDurable(file.path));
  return file;
}

Result<duck::QueryResult> DataWriter::Query(const std::string& sql) {
  auto answer = Warehouse::QueryOn(*connection_, sql);
  if (!answer.ok()) return ForStore(std::move(answer).status());
  return answer;
}

}  // namespace millrace::connectors::iceberg
