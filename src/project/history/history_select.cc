// How the rows of a table's history are read: files by a query over them, records that are no rows
// and what only the log has by decoding.
#include <fmt/format.h>

#include <deque>
#include <duckdb/main/stream_query_result.hpp>

#include "base/strings.h"
#include "duck/door.h"
#include "project/history/table_history.h"

namespace millrace::project {

namespace {

std::string Condition(const TableHistory::Part& part) {
  std::vector<std::string> ranges;
  for (const log::OffsetRange& range : part.ranges) {
    ranges.push_back(fmt::format("mr_offset >= {} AND mr_offset < {}", range.from, range.to));
  }
  return ranges.empty() ? "" : "(" + Join(ranges, " OR ") + ")";
}

std::string ReadParquet(const std::vector<std::string>& paths) {
  std::vector<std::string> quoted;
  for (const std::string& path : paths) quoted.push_back(QuoteLiteral(path));
  return "read_parquet([" + Join(quoted, ", ") + "], hive_partitioning = false)";
}

// A column of the table from files that may be of an earlier shape of it.
std::string Expression(const model::Column& column, const HistoryTable& table,
                       const TableHistory::Parts& parts) {
  const std::string name = QuoteIdentifier(column.name);
  const std::string type = column.type.ToString();
  if (parts.current) return fmt::format("CAST({} AS {}) AS {}", name, type, name);
  if (parts.columns.Find(column.name) >= 0) {
    return fmt::format("TRY_CAST({} AS {}) AS {}", name, type, name);
  }
  std::string value = "NULL";
  for (const sql::MetadataColumn& meta : table.metadata) {
    if (meta.name != column.name) continue;
    if (meta.key == "topic") value = QuoteLiteral(table.topic);
    if (meta.key == "partition") value = "mr_partition";
    if (meta.key == "offset") value = "mr_offset";
    if (meta.key == "timestamp") value = "make_timestamp(mr_timestamp_ms * 1000)";
  }
  return fmt::format("CAST({} AS {}) AS {}", value, type, name);
}

// Whole files are one query, the others each their own.
void AddSelects(const HistoryTable& table, const TableHistory::Parts& parts,
                std::vector<std::string>& selects) {
  std::vector<std::string> columns;
  for (const model::Column& column : table.Columns().columns) {
    columns.push_back(Expression(column, table, parts));
  }
  const std::string head = "SELECT " + Join(columns, ", ") + " FROM ";
  std::vector<std::string> whole;
  bool undecoded = false;
  for (const TableHistory::Part& part : parts.parts) {
    if (part.ranges.empty()) {
      whole.push_back(part.file.Path());
      undecoded |= part.file.undecoded > 0;
    } else {
      selects.push_back(head + ReadParquet({part.file.Path()}) + " WHERE mr_reason IS NULL AND " +
                        Condition(part));
    }
  }
  if (whole.empty()) return;
  selects.push_back(head + ReadParquet(whole) + (undecoded ? " WHERE mr_reason IS NULL" : ""));
}

// The records of files that are no rows, as they were in the log.
class UndecodedReader : public RecordReader {
 public:
  UndecodedReader(duck::Warehouse& database, std::deque<TableHistory::Part> parts)
      : connection_(database.Connect()), parts_(std::move(parts)) {}

  Result<bool> Next(const Visit& visit) override {
    return duck::AtTheDoor([&]() -> Result<bool> {
      if (!rows_ && parts_.empty()) return false;
      if (!rows_) MR_RETURN_IF_ERROR(Begin());
      auto chunk = rows_->Fetch();
      if (!chunk || chunk->size() == 0) {
        if (rows_->HasError()) return duck::FromDuckError(rows_->GetErrorObject());
        rows_.reset();
        parts_.pop_front();
        return true;
      }
      VisitRows(*chunk, visit);
      return true;
    });
  }

 private:
  Status Begin() {
    const TableHistory::Part& part = parts_.front();
    const std::string condition = Condition(part);
    rows_ = connection_->SendQuery(
        "SELECT mr_offset, mr_timestamp_ms, mr_append_time, mr_key, mr_headers, mr_value FROM " +
        ReadParquet({part.file.Path()}) + " WHERE mr_reason IS NOT NULL" +
        (condition.empty() ? "" : " AND " + condition));
    if (!rows_->HasError()) return Status::Ok();
    Status status = duck::FromDuckError(rows_->GetErrorObject());
    rows_.reset();
    return status;
  }

  void VisitRows(duckdb::DataChunk& chunk, const Visit& visit) {
    chunk.Flatten();
    std::deque<std::string> bytes;  // with the padding that a record's views have
    const auto view = [&](size_t column, duckdb::idx_t row, bool& there) -> std::string_view {
      there = duckdb::FlatVector::Validity(chunk.data[column]).RowIsValid(row);
      if (!there) return {};
      const auto& value = duckdb::FlatVector::GetData<duckdb::string_t>(chunk.data[column])[row];
      std::string& copy = bytes.emplace_back(value.GetData(), value.GetSize());
      copy.resize(value.GetSize() + model::kRecordPadding);
      return std::string_view(copy).substr(0, value.GetSize());
    };
    std::vector<model::Record> records(chunk.size());
    for (duckdb::idx_t row = 0; row < chunk.size(); row++) {
      model::Record& record = records[row];
      bool has_headers = false;
      record.offset = duckdb::FlatVector::GetData<int64_t>(chunk.data[0])[row];
      record.timestamp_ms = duckdb::FlatVector::GetData<int64_t>(chunk.data[1])[row];
      record.append_time = duckdb::FlatVector::GetData<bool>(chunk.data[2])[row];
      record.key = view(3, row, record.has_key);
      record.headers = view(4, row, has_headers);
      record.value = view(5, row, record.has_value);
    }
    visit(parts_.front().file.partition, records);
  }

  std::unique_ptr<duckdb::Connection> connection_;
  std::deque<TableHistory::Part> parts_;  // the first is being read
  duckdb::unique_ptr<duckdb::QueryResult> rows_;
};

}  // namespace

Result<duck::SplitRows> TableHistory::Split() const {
  MR_ASSIGN_OR_RETURN(const Plan plan, MakePlan());
  duck::SplitRows rows;
  std::vector<std::string> selects;
  std::deque<Part> undecoded;
  for (const Parts& parts : plan.stored) {
    AddSelects(table_, parts, selects);
    for (const Part& part : parts.parts) {
      if (part.file.undecoded > 0) undecoded.push_back(part);
    }
  }
  rows.select = Join(selects, " UNION ALL ");
  rows.rest = [this, undecoded, ranges = plan.log](
                  const std::vector<size_t>& wanted) -> Result<std::unique_ptr<duck::TableScan>> {
    TopicColumns columns = ChooseColumns(table_.format, table_.metadata, wanted);
    MR_ASSIGN_OR_RETURN(auto decoder, format::NewDecoder(columns.decoded));
    std::vector<std::unique_ptr<RecordReader>> readers;
    readers.push_back(std::make_unique<UndecodedReader>(database_, undecoded));
    readers.push_back(NewLogReader(log_, table_.topic, ranges));
    return std::unique_ptr<duck::TableScan>(
        new TopicScan(table_.topic, std::move(decoder), std::move(columns), std::move(readers)));
  };
  return rows;
}

}  // namespace millrace::project
