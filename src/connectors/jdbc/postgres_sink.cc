// Sink into PostgreSQL, exactly once.
//
// Commit(E) is one transaction:
//   INSERT INTO millrace_commits … ON CONFLICT DO UPDATE SET epoch = E WHERE epoch < E   (1)
//   append: COPY target FROM STDIN
//   upsert: COPY a temporary table FROM STDIN; DELETE the keys that are gone;
//           COPY it again; INSERT INTO target SELECT … ON CONFLICT (key) DO UPDATE       (2)
//   COMMIT
// (1) comes first because it tells whether E is there already: after a COMMIT whose answer got
// lost it changes no row, and the buffer is dropped. It also locks the row, so an old connection
// of ours that the server still serves is waited for, not raced.
//
// When the server refuses a row, the transaction is done again with savepoints, which finds all
// refused rows (refused_rows.h). They stand in millrace_commits beside E, so that whether a row is
// in the target or refused is decided by the COMMIT, once.
#include <algorithm>
#include <duckdb/common/types/column/column_data_collection.hpp>
#include <numeric>
#include <unordered_map>

#include "base/strings.h"
#include "connectors/jdbc/copy_encoder.h"
#include "connectors/jdbc/jdbc.h"
#include "connectors/jdbc/postgres_client.h"
#include "connectors/jdbc/postgres_table.h"
#include "connectors/jdbc/refused_rows.h"
#include "connectors/net_changes.h"
#include "connectors/rejections.h"
#include "connectors/sink_checks.h"

namespace millrace::connectors::jdbc {

namespace {

constexpr const char* kStage = "pg_temp.millrace_stage";

class PostgresSink : public Sink {
 public:
  PostgresSink(const TableContext& table, ConnectionSettings settings)
      : table_(table),
        client_(std::move(settings)),
        encoder_(table.options.GetString("sink.nul-characters") != "fail"),
        target_(QuotedTarget(table.options.GetString("table-name"))),
        keeps_rejected_(KeepsRejected(table)),
        rows_(duckdb::Allocator::DefaultAllocator(), table.schema.Types()) {
    for (const model::Column& column : table.schema.columns) {
      columns_.push_back(QuoteIdentifier(column.name));
    }
    for (const std::string& name : table.primary_key) {
      key_columns_.push_back(static_cast<size_t>(table.schema.Find(name)));
    }
  }

  Status Open() override {
    MR_RETURN_IF_ERROR(client_.Connect());
    MR_RETURN_IF_ERROR(PrepareTarget(client_, table_));
    return ReadCommitted();
  }

  Result<model::Epoch> LastCommitted() override { return committed_; }

  const Rejections& Rejected() const override { return rejected_; }

  Status Write(const SinkBatch& batch) override {
    std::string line, key;
    const auto first_row = static_cast<int64_t>(rows_.Count());
    if (keeps_rejected_) rows_.Append(*batch.rows);
    for (duckdb::idx_t row = 0; row < batch.rows->size(); row++) {
      const int32_t weight = batch.weights ? (*batch.weights)[row] : 1;
      line.clear();
      for (size_t c = 0; c < batch.rows->ColumnCount(); c++) {
        if (c) line += '\t';
        Status status = encoder_.AppendValue(batch.rows->GetValue(c, row), line);
        if (!status.ok()) {
          return std::move(status).Annotate("column \"" + table_.schema.columns[c].name +
                                            "\" of table \"" + table_.name + "\"");
        }
      }
      const int64_t row_id = first_row + static_cast<int64_t>(row);
      if (key_columns_.empty()) {
        if (weight < 0) return RefuseRetraction();
        for (int32_t copy = 0; copy < weight; copy++) {
          lines_ += line + '\n';
          appended_.push_back({lines_.size(), row_id});
        }
        continue;
      }
      key.clear();
      std::optional<size_t> null_column;
      for (size_t c : key_columns_) {
        const duckdb::Value value = batch.rows->GetValue(c, row);
        MR_RETURN_IF_ERROR(encoder_.AppendValue(value, key));
        key += '\t';
        if (value.IsNull()) null_column = c;
      }
      if (null_column && !keeps_rejected_) {
        return NullInKey(*null_column).WithDetail("row: " + line);
      }
      if (null_column) null_keys_.emplace(key, *null_column);
      changes_.Add(key, line, row_id, weight);
    }
    return Status::Ok();
  }

  Status Commit(model::Epoch epoch) override {
    if (epoch > committed_) {
      if (!client_.connected()) MR_RETURN_IF_ERROR(client_.Connect());
      Status status = Transact(epoch, /*halving=*/false);
      if (keeps_rejected_ && IsAboutRow(status)) {
        MR_RETURN_IF_ERROR(client_.Execute("ROLLBACK").status());
        status = Transact(epoch, /*halving=*/true);
      }
      if (!status.ok()) {
        // Only a connection that still works needs the ROLLBACK; the others rolled back by dying.
        if (client_.connected()) client_.Execute("ROLLBACK").status().ok();
        return status;
      }
    }
    lines_.clear();
    appended_.clear();
    changes_.Clear();
    null_keys_.clear();
    rows_.Reset();
    return Status::Ok();
  }

 private:
  Status ReadCommitted() {
    auto rows =
        client_.Execute("SELECT epoch, rejected FROM millrace_commits WHERE job = $1 AND sink = $2",
                        {table_.job, table_.name});
    if (!rows.ok()) return rows.status();
    committed_ = 0;
    rejected_ = Rejections();
    if (PQntuples(rows->get()) == 0) return Status::Ok();
    MR_ASSIGN_OR_RETURN(rejected_, RejectionsFromJson(PQgetvalue(rows->get(), 0, 1)));
    committed_ = std::atoll(PQgetvalue(rows->get(), 0, 0));
    return Status::Ok();
  }

  Status RefuseRetraction() const {
    return TakesNewRowsOnly(table_)
        .WithDetail("without a key there is no telling which stored row is meant")
        .WithHint("declare PRIMARY KEY (…) NOT ENFORCED on the table");
  }

  Status NullInKey(size_t column) const {
    return Status(Code::kInvalidArgument, "column \"" + table_.schema.columns[column].name +
                                              "\" of the primary key of table \"" + table_.name +
                                              "\" is NULL");
  }

  // The rows that one kind of statement takes.
  struct Rows {
    using Apply = Status (PostgresSink::*)(const std::string& data);
    explicit Rows(Apply by) : apply(by) {}

    Apply apply;
    std::vector<std::string_view> lines;  // of COPY
    std::vector<int64_t> ids;             // places in rows_
  };

  // What is to be done, in order; what no server has to be asked about goes to `rejected`.
  std::vector<Rows> Work(Rejections& rejected) {
    if (key_columns_.empty()) {
      Rows rows(&PostgresSink::Append);
      size_t begin = 0;
      for (const auto& [end, id] : appended_) {
        rows.lines.push_back(std::string_view(lines_).substr(begin, end - begin));
        rows.ids.push_back(id);
        begin = end;
      }
      return {std::move(rows)};
    }
    Rows deletes(&PostgresSink::Delete), upserts(&PostgresSink::Upsert);
    staged_.clear();
    std::vector<std::pair<size_t, bool>> ends;
    for (const auto& change : changes_.Final()) {
      if (auto null = null_keys_.find(std::string(change.key)); null != null_keys_.end()) {
        // The target cannot hold such a row, so there is none to take away.
        if (change.upsert) Reject(change.row_id, null->second, rejected);
        continue;
      }
      staged_ += change.row;
      staged_ += '\n';
      ends.emplace_back(staged_.size(), change.upsert);
      (change.upsert ? upserts : deletes).ids.push_back(change.row_id);
    }
    size_t begin = 0;
    for (const auto& [end, upsert] : ends) {
      (upsert ? upserts : deletes)
          .lines.push_back(std::string_view(staged_).substr(begin, end - begin));
      begin = end;
    }
    return {std::move(deletes), std::move(upserts)};
  }

  void Reject(int64_t id, size_t null_column, Rejections& rejected) {
    rejected.rows.push_back(
        {RowOf(id), table_.schema.columns[null_column].name, NullInKey(null_column).message()});
  }

  std::string RowOf(int64_t id) {
    const auto row = static_cast<duckdb::idx_t>(id);
    duckdb::DataChunk chunk;
    rows_.InitializeScanChunk(chunk);
    duckdb::idx_t begin = 0;
    for (duckdb::idx_t i = 0; i < rows_.ChunkCount(); i++, begin += chunk.size()) {
      rows_.FetchChunk(i, chunk);
      if (row < begin + chunk.size()) return RowAsJson(table_.schema, chunk, row - begin);
    }
    return "";
  }

  Status Transact(model::Epoch epoch, bool halving) {
    if (!key_columns_.empty()) MR_RETURN_IF_ERROR(CreateStage());
    Rejections rejected;
    const std::vector<Rows> work = Work(rejected);
    rejected.total = rejected_.total + static_cast<int64_t>(rejected.rows.size());
    stage_used_ = false;  // ON COMMIT DELETE ROWS
    MR_RETURN_IF_ERROR(client_.Execute("BEGIN").status());
    auto marked = client_.Execute(
        "INSERT INTO millrace_commits AS c (job, sink, epoch, rejected) VALUES ($1, $2, "
        "$3::bigint, $4) ON CONFLICT (job, sink) DO UPDATE SET epoch = excluded.epoch, rejected = "
        "excluded.rejected WHERE c.epoch < excluded.epoch",
        {table_.job, table_.name, std::to_string(epoch), RejectionsToJson(rejected)});
    if (!marked.ok()) return marked.status();
    if (std::string(PQcmdTuples(marked->get())) == "0") {  // a commit whose answer got lost
      MR_RETURN_IF_ERROR(client_.Execute("ROLLBACK").status());
      return ReadCommitted();
    }
    for (const Rows& rows : work) {
      if (rows.lines.empty()) continue;
      MR_RETURN_IF_ERROR(halving ? ApplyHalving(rows, rejected) : ApplyAll(rows));
    }
    if (halving) {
      MR_RETURN_IF_ERROR(
          client_
              .Execute("UPDATE millrace_commits SET rejected = $3 WHERE job = $1 AND sink = $2",
                       {table_.job, table_.name, RejectionsToJson(rejected)})
              .status());
    }
    MR_RETURN_IF_ERROR(client_.Execute("COMMIT").status());
    committed_ = epoch;
    rejected_ = std::move(rejected);
    return Status::Ok();
  }

  Status ApplyAll(const Rows& rows) {
    std::string data;
    for (std::string_view line : rows.lines) data += line;
    return (this->*rows.apply)(data);
  }

  Status ApplyHalving(const Rows& rows, Rejections& rejected) {
    auto apply = [&](std::span<const size_t> chosen) {
      std::string data;
      for (size_t i : chosen) data += rows.lines[i];
      return (this->*rows.apply)(data);
    };
    MR_ASSIGN_OR_RETURN(const std::vector<RefusedRow> refused,
                        ApplyAllBut(client_, rows.lines.size(), apply));
    for (const RefusedRow& row : refused) {
      rejected.rows.push_back({RowOf(rows.ids[row.row]), row.Column(), row.Reason()});
    }
    rejected.total += static_cast<int64_t>(refused.size());
    return Status::Ok();
  }

  // A temporary table like the target, once per connection; emptied by every commit.
  Status CreateStage() {
    if (!client_.fresh) return Status::Ok();
    MR_RETURN_IF_ERROR(client_.Execute("DROP TABLE IF EXISTS pg_temp.millrace_stage").status());
    MR_RETURN_IF_ERROR(client_
                           .Execute("CREATE TEMPORARY TABLE millrace_stage ON COMMIT DELETE ROWS "
                                    "AS SELECT " +
                                    Join(columns_, ", ") + " FROM " + target_ + " WITH NO DATA")
                           .status());
    client_.fresh = false;
    return Status::Ok();
  }

  Status Append(const std::string& data) {
    return CopyRows("COPY " + target_ + " (" + Join(columns_, ", ") + ") FROM STDIN", data);
  }

  Status Stage(const std::string& data) {
    if (stage_used_) {
      MR_RETURN_IF_ERROR(client_.Execute(std::string("TRUNCATE ") + kStage).status());
    }
    stage_used_ = true;
    return CopyRows(std::string("COPY ") + kStage + " FROM STDIN", data);
  }

  Status Delete(const std::string& data) {
    MR_RETURN_IF_ERROR(Stage(data));
    std::vector<std::string> equal;
    for (size_t c : key_columns_) equal.push_back("t." + columns_[c] + " = s." + columns_[c]);
    return client_
        .Execute("DELETE FROM " + target_ + " t USING " + kStage + " s WHERE " +
                 Join(equal, " AND "))
        .status();
  }

  Status Upsert(const std::string& data) {
    MR_RETURN_IF_ERROR(Stage(data));
    std::vector<std::string> keys, assignments;
    for (size_t c : key_columns_) keys.push_back(columns_[c]);
    for (const std::string& column : columns_) {
      if (std::find(keys.begin(), keys.end(), column) == keys.end()) {
        assignments.push_back(column + " = excluded." + column);
      }
    }
    const std::string list = Join(columns_, ", ");
    return client_
        .Execute("INSERT INTO " + target_ + " (" + list + ") SELECT " + list + " FROM " + kStage +
                 " ON CONFLICT (" + Join(keys, ", ") + ") DO " +
                 (assignments.empty() ? std::string("NOTHING")
                                      : "UPDATE SET " + Join(assignments, ", ")))
        .status();
  }

  // COPY; when the server refuses a row, the error names it.
  Status CopyRows(const std::string& sql, const std::string& data) {
    Status status = client_.CopyIn(sql, data);
    const int64_t line = CopyErrorLine(status);
    if (keeps_rejected_ || status.ok() || status.retry() != Retry::kNever || line < 1) {
      return status;
    }
    size_t begin = 0;
    for (int64_t i = 1; i < line && begin != std::string::npos; i++) {
      begin = data.find('\n', begin);
      if (begin != std::string::npos) begin++;
    }
    if (begin == std::string::npos) return status;
    std::string row = data.substr(begin, std::min<size_t>(data.find('\n', begin) - begin, 500));
    const std::string detail = status.detail();
    return std::move(status)
        .Annotate("a row of table \"" + table_.name + "\" was refused")
        .WithDetail("row: " + row + "; " + detail);
  }

  const TableContext table_;
  PostgresClient client_;
  const CopyEncoder encoder_;
  const std::string target_;
  const bool keeps_rejected_;
  std::vector<std::string> columns_;  // quoted
  std::vector<size_t> key_columns_;
  model::Epoch committed_ = 0;
  Rejections rejected_;
  // Append: the epoch's rows, ready for COPY; where each ends, and its place in rows_.
  std::string lines_;
  std::vector<std::pair<size_t, int64_t>> appended_;
  // Upsert: the epoch's changes, rows as COPY lines; which keys hold a NULL, in which column.
  NetChanges changes_;
  std::unordered_map<std::string, size_t> null_keys_;
  std::string staged_;                 // lines of the changes being committed
  bool stage_used_ = false;            // in the open transaction
  duckdb::ColumnDataCollection rows_;  // of the epoch, where refused ones are kept
};

}  // namespace

Result<std::unique_ptr<Sink>> NewPostgresSink(const TableContext& table) {
  const Options& options = table.options;
  auto settings = ParseJdbcUrl(options.GetString("url"), options.GetString("username"),
                               options.GetString("password"),
                               options.GetMicros("connection.max-retry-timeout"));
  if (!settings.ok()) {
    return std::move(settings).status().Annotate("table \"" + table.name + "\"");
  }
  for (const std::string& name : table.primary_key) {
    if (table.schema.Find(name) < 0) {
      return Status(Code::kUnknownColumn, "the primary key of table \"" + table.name +
                                              "\" names the column \"" + name +
                                              "\", which does not exist")
          .WithHint(DidYouMean(name, table.schema.Names()));
    }
  }
  return std::unique_ptr<Sink>(new PostgresSink(table, std::move(*settings)));
}

}  // namespace millrace::connectors::jdbc
