#include <duckdb/common/types/column/column_data_collection.hpp>
#include <duckdb/main/appender.hpp>

#include "base/strings.h"
#include "connectors/filesystem/part_writer.h"

namespace millrace::connectors::filesystem {

namespace {

constexpr int64_t kMemoryLimit = 256LL << 20;

// What the rows take uncompressed, roughly: fixed sizes, and the bytes of texts.
int64_t RowBytes(duckdb::DataChunk& rows, const duckdb::SelectionVector& selection,
                 duckdb::idx_t count) {
  int64_t bytes = 0;
  for (auto& column : rows.data) {
    if (column.GetType().InternalType() != duckdb::PhysicalType::VARCHAR) {
      const auto physical = column.GetType().InternalType();
      const int64_t each = duckdb::TypeIsConstantSize(physical)
                               ? static_cast<int64_t>(duckdb::GetTypeIdSize(physical))
                               : 32;
      bytes += each * static_cast<int64_t>(count);
      continue;
    }
    duckdb::UnifiedVectorFormat format;
    column.ToUnifiedFormat(rows.size(), format);
    for (duckdb::idx_t i = 0; i < count; i++) {
      const auto index = format.sel->get_index(selection.get_index(i));
      if (format.validity.RowIsValid(index)) {
        bytes += static_cast<int64_t>(
            reinterpret_cast<const duckdb::string_t*>(format.data)[index].GetSize());
      }
    }
  }
  return bytes;
}

class ParquetWriter : public PartWriter {
 public:
  ParquetWriter(duck::Warehouse& database, env::FileSystem& files, const model::Schema& schema,
                std::string path, const std::string& table)
      : files_(files),
        path_(std::move(path)),
        table_(table),
        types_(schema.Types()),
        connection_(database.Connect()) {}

  ~ParquetWriter() override {
    duck::Warehouse::Execute(*connection_, "DROP TABLE IF EXISTS " + table_).ok();
  }

  Status Create(const model::Schema& schema) {
    std::vector<std::string> columns;
    for (const auto& column : schema.columns) {
      columns.push_back(QuoteIdentifier(column.name) + " " + column.type.ToString());
    }
    NewRows();
    return duck::Warehouse::Execute(*connection_,
                                    "CREATE TABLE " + table_ + " (" + Join(columns, ", ") + ")");
  }

  Status MakeRoom() override { return rows_->Count() < kFlushRows ? Status::Ok() : Flush(); }

  void Append(duckdb::DataChunk& rows, const duckdb::SelectionVector& selection,
              duckdb::idx_t count) override {
    duckdb::DataChunk part;
    part.InitializeEmpty(types_);
    part.Slice(rows, selection, count);
    rows_->Append(part);
    bytes_ += RowBytes(rows, selection, count);
  }

  Status Finish() override {
    MR_RETURN_IF_ERROR(Flush());
    MR_RETURN_IF_ERROR(duck::Warehouse::Execute(
        *connection_,
        "COPY " + table_ + " TO " + QuoteLiteral(path_) + " (FORMAT parquet, COMPRESSION zstd)"));
    auto file = files_.Open(path_, env::OpenMode::kWrite);
    return file.ok() ? (*file)->Sync() : file.status();
  }

  int64_t bytes() const override { return bytes_; }

 private:
  static constexpr duckdb::idx_t kFlushRows = 122'880;

  void NewRows() {
    rows_ = std::make_unique<duckdb::ColumnDataCollection>(duckdb::Allocator::DefaultAllocator(),
                                                           types_);
  }

  // Into the database's table, all or nothing.
  Status Flush() {
    if (rows_->Count() == 0) return Status::Ok();
    try {
      connection_->BeginTransaction();
      duckdb::Appender appender(*connection_, table_);
      for (auto& chunk : rows_->Chunks()) appender.AppendDataChunk(chunk);
      appender.Close();
      connection_->Commit();
    } catch (const std::exception& e) {
      if (connection_->HasActiveTransaction()) connection_->Rollback();
      return Status(Code::kResourceExhausted, "cannot gather rows for file \"" + path_ + "\"")
          .WithDetail(duckdb::ErrorData(e).RawMessage())
          .WithRetry(Retry::kBackoff);
    }
    NewRows();
    return Status::Ok();
  }

  env::FileSystem& files_;
  const std::string path_;
  const std::string table_;
  duckdb::vector<duckdb::LogicalType> types_;
  std::unique_ptr<duckdb::Connection> connection_;
  std::unique_ptr<duckdb::ColumnDataCollection> rows_;
  int64_t bytes_ = 0;
};

class ParquetWriters : public PartWriters {
 public:
  ParquetWriters(std::unique_ptr<duck::Warehouse> database, const model::Schema& schema,
                 env::FileSystem& files)
      : database_(std::move(database)), schema_(schema), files_(files) {}

  Result<std::unique_ptr<PartWriter>> New(const std::string& staged_path) override {
    auto writer = std::make_unique<ParquetWriter>(*database_, files_, schema_, staged_path,
                                                  "part_" + std::to_string(next_++));
    MR_RETURN_IF_ERROR(writer->Create(schema_));
    return std::unique_ptr<PartWriter>(std::move(writer));
  }

 private:
  std::unique_ptr<duck::Warehouse> database_;
  const model::Schema schema_;
  env::FileSystem& files_;
  int64_t next_ = 0;
};

}  // namespace

Result<std::unique_ptr<PartWriters>> NewParquetWriters(const model::Schema& schema,
                                                       const std::string& spill_directory,
                                                       env::FileSystem& files) {
  MR_ASSIGN_OR_RETURN(
      auto database, duck::Warehouse::Open("", {.threads = 1, .memory_limit_bytes = kMemoryLimit}));
  auto connection = database->Connect();
  MR_RETURN_IF_ERROR(duck::Warehouse::Execute(
      *connection, "SET GLOBAL temp_directory = " + QuoteLiteral(spill_directory)));
  return std::unique_ptr<PartWriters>(new ParquetWriters(std::move(database), schema, files));
}

}  // namespace millrace::connectors::filesystem
