#include "project/history/stored_records.h"

#include <fmt/format.h>

#include <duckdb/main/stream_query_result.hpp>

#include "base/strings.h"
#include "duck/door.h"
#include "project/history/history_place.h"

namespace millrace::project {

using duckdb::FlatVector;
using duckdb::idx_t;

Result<std::unique_ptr<StoredRecords>> StoredRecords::Open(duck::Warehouse& database,
                                                           const std::string& path,
                                                           const std::string& condition) {
  return duck::AtTheDoor([&]() -> Result<std::unique_ptr<StoredRecords>> {
    std::unique_ptr<StoredRecords> records(new StoredRecords(path));
    records->connection_ = database.Connect();
    records->rows_ = records->connection_->SendQuery(
        fmt::format("SELECT mr_offset, mr_timestamp_ms, mr_append_time, mr_key, mr_headers, "
                    "mr_value FROM read_parquet({}, hive_partitioning = false) WHERE {}",
                    QuoteLiteral(path), condition));
    if (records->rows_->HasError()) {
      return AskAgain(duck::FromDuckError(records->rows_->GetErrorObject()), path);
    }
    return records;
  });
}

Result<std::span<const model::Record>> StoredRecords::Next() {
  return duck::AtTheDoor([&]() -> Result<std::span<const model::Record>> {
    records_.clear();
    if (!rows_) return std::span<const model::Record>();
    auto chunk = rows_->Fetch();
    if (rows_->HasError()) {
      return AskAgain(duck::FromDuckError(rows_->GetErrorObject()), path_);
    }
    if (chunk && chunk->size() > 0) {
      TakeRows(*chunk);
    } else {
      rows_.reset();
    }
    return std::span<const model::Record>(records_);
  });
}

void StoredRecords::TakeRows(duckdb::DataChunk& chunk) {
  chunk.Flatten();
  const auto value_at = [&](size_t column, idx_t row) {
    const auto* values = FlatVector::GetData<duckdb::string_t>(chunk.data[column]);
    const bool there = FlatVector::Validity(chunk.data[column]).RowIsValid(row);
    return there ? std::string_view(values[row].GetData(), values[row].GetSize())
                 : std::string_view();
  };
  size_t size = model::kRecordPadding;
  for (size_t column : {3, 4, 5}) {
    for (idx_t row = 0; row < chunk.size(); row++) size += value_at(column, row).size();
  }
  bytes_.clear();
  bytes_.reserve(size);
  const auto keep = [&](size_t column, idx_t row) {
    const std::string_view value = value_at(column, row);
    const size_t at = bytes_.size();
    bytes_ += value;
    return std::string_view(bytes_.data() + at, value.size());
  };
  records_.resize(chunk.size());
  for (idx_t row = 0; row < chunk.size(); row++) {
    model::Record& record = records_[row];
    record.offset = FlatVector::GetData<int64_t>(chunk.data[0])[row];
    record.timestamp_ms = FlatVector::GetData<int64_t>(chunk.data[1])[row];
    record.append_time = FlatVector::GetData<bool>(chunk.data[2])[row];
    record.has_key = FlatVector::Validity(chunk.data[3]).RowIsValid(row);
    record.key = keep(3, row);
    record.headers = keep(4, row);
    record.has_value = FlatVector::Validity(chunk.data[5]).RowIsValid(row);
    record.value = keep(5, row);
  }
  bytes_.resize(size);  // the padding, readable
}

}  // namespace millrace::project
