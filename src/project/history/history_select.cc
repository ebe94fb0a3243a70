// How the rows of a table's history are read: files by a query over them, records that are no rows
// and what only the log has by decoding.
#include <fmt/format.h>

#include <deque>

#include "base/strings.h"
#include "project/history/stored_records.h"
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
      : database_(database), parts_(std::move(parts)) {}

  Result<bool> Next(const Visit& visit) override {
    if (!records_ && parts_.empty()) return false;
    if (!records_) {
      const std::string condition = Condition(parts_.front());
      MR_ASSIGN_OR_RETURN(
          records_, StoredRecords::Open(
                        database_, parts_.front().file.Path(),
                        "mr_reason IS NOT NULL" + (condition.empty() ? "" : " AND " + condition)));
    }
    MR_ASSIGN_OR_RETURN(const auto records, records_->Next());
    if (records.empty()) {
      records_.reset();
      parts_.pop_front();
    } else {
      visit(parts_.front().file.partition, records);
    }
    return true;
  }

 private:
  duck::Warehouse& database_;
  std::deque<TableHistory::Part> parts_;    // the first is being read
  std::unique_ptr<StoredRecords> records_;  // of the first
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
