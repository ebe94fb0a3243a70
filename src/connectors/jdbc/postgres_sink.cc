// Sink into PostgreSQL, exactly once.
//
// Commit(E) is one transaction:
//   INSERT INTO millrace_commits … ON CONFLICT DO UPDATE SET epoch = E WHERE epoch < E   (1)
//   append: COPY target FROM STDIN
//   upsert: COPY a temporary table FROM STDIN; DELETE the keys that are gone;
//           INSERT INTO target SELECT … ON CONFLICT (key) DO UPDATE                      (2)
//   COMMIT
// (1) comes first because it tells whether E is there already: after a COMMIT whose answer got
// lost it changes no row, and the buffer is dropped. It also locks the row, so an old connection
// of ours that the server still serves is waited for, not raced.
#include <algorithm>

#include "base/strings.h"
#include "connectors/jdbc/copy_encoder.h"
#include "connectors/jdbc/jdbc.h"
#include "connectors/jdbc/postgres_client.h"
#include "connectors/jdbc/postgres_table.h"
#include "connectors/net_changes.h"

namespace millrace::connectors::jdbc {

namespace {

constexpr const char* kStage = "pg_temp.millrace_stage";

class PostgresSink : public Sink {
 public:
  PostgresSink(const TableContext& table, ConnectionSettings settings)
      : table_(table),
        client_(std::move(settings)),
        encoder_(table.options.GetString("sink.nul-characters") != "fail"),
        target_(QuotedTarget(table.options.GetString("table-name"))) {
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

  Status Write(const SinkBatch& batch) override {
    std::string line, key;
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
      if (key_columns_.empty()) {
        if (weight < 0) return RefuseRetraction();
        for (int32_t copy = 0; copy < weight; copy++) lines_ += line + '\n';
        continue;
      }
      key.clear();
      for (size_t c : key_columns_) {
        const duckdb::Value value = batch.rows->GetValue(c, row);
        if (value.IsNull()) {
          return Status(Code::kInvalidArgument, "column \"" + table_.schema.columns[c].name +
                                                    "\" of the primary key of table \"" +
                                                    table_.name + "\" is NULL")
              .WithDetail("row: " + line);
        }
        MR_RETURN_IF_ERROR(encoder_.AppendValue(value, key));
        key += '\t';
      }
      changes_.Add(key, line, 0, weight);
    }
    return Status::Ok();
  }

  Status Commit(model::Epoch epoch) override {
    if (epoch > committed_) {
      if (!client_.connected()) MR_RETURN_IF_ERROR(client_.Connect());
      Status status = Transact(epoch);
      if (!status.ok()) {
        // Only a connection that still works needs the ROLLBACK; the others rolled back by dying.
        if (client_.connected()) client_.Execute("ROLLBACK").status().ok();
        return status;
      }
      committed_ = epoch;
    }
    lines_.clear();
    changes_.Clear();
    return Status::Ok();
  }

 private:
  Status ReadCommitted() {
    auto rows = client_.Execute("SELECT epoch FROM millrace_commits WHERE job = $1 AND sink = $2",
                                {table_.job, table_.name});
    if (!rows.ok()) return rows.status();
    committed_ = PQntuples(rows->get()) ? std::atoll(PQgetvalue(rows->get(), 0, 0)) : 0;
    return Status::Ok();
  }

  Status RefuseRetraction() const {
    return Status(Code::kUnsupported, "table \"" + table_.name +
                                          "\" takes new rows only, but the query takes rows back")
        .WithDetail("without a key there is no telling which stored row is meant")
        .WithHint("declare PRIMARY KEY (…) NOT ENFORCED on the table");
  }

  Status Transact(model::Epoch epoch) {
    if (!key_columns_.empty()) MR_RETURN_IF_ERROR(CreateStage());
    MR_RETURN_IF_ERROR(client_.Execute("BEGIN").status());
    auto marked = client_.Execute(
        "INSERT INTO millrace_commits AS c (job, sink, epoch) VALUES ($1, $2, $3::bigint) "
        "ON CONFLICT (job, sink) DO UPDATE SET epoch = excluded.epoch "
        "WHERE c.epoch < excluded.epoch",
        {table_.job, table_.name, std::to_string(epoch)});
    if (!marked.ok()) return marked.status();
    if (std::string(PQcmdTuples(marked->get())) == "0") {
      return client_.Execute("ROLLBACK").status();  // a commit whose answer got lost
    }
    MR_RETURN_IF_ERROR(key_columns_.empty() ? Append() : Upsert());
    return client_.Execute("COMMIT").status();
  }

  // A temporary table like the target, once per connection; emptied by every commit.
  Status CreateStage() {
    if (!client_.fresh) return Status::Ok();
    MR_RETURN_IF_ERROR(client_.Execute("DROP TABLE IF EXISTS pg_temp.millrace_stage").status());
    MR_RETURN_IF_ERROR(client_
                           .Execute("CREATE TEMPORARY TABLE millrace_stage ON COMMIT DELETE ROWS "
                                    "AS SELECT " +
                                    Join(columns_, ", ") + ", false AS millrace_delete FROM " +
                                    target_ + " WITH NO DATA")
                           .status());
    client_.fresh = false;
    return Status::Ok();
  }

  Status Append() {
    if (lines_.empty()) return Status::Ok();
    return CopyRows("COPY " + target_ + " (" + Join(columns_, ", ") + ") FROM STDIN", lines_);
  }

  Status Upsert() {
    std::string data;
    bool any_upsert = false, any_delete = false;
    for (const auto& change : changes_.Final()) {
      data += change.row;
      data += change.upsert ? "\tf\n" : "\tt\n";
      (change.upsert ? any_upsert : any_delete) = true;
    }
    if (data.empty()) return Status::Ok();
    MR_RETURN_IF_ERROR(CopyRows(std::string("COPY ") + kStage + " FROM STDIN", data));
    std::vector<std::string> keys, equal, assignments;
    for (size_t c : key_columns_) {
      keys.push_back(columns_[c]);
      equal.push_back("t." + columns_[c] + " = s." + columns_[c]);
    }
    for (const std::string& column : columns_) {
      if (std::find(keys.begin(), keys.end(), column) == keys.end()) {
        assignments.push_back(column + " = excluded." + column);
      }
    }
    if (any_delete) {
      MR_RETURN_IF_ERROR(client_
                             .Execute("DELETE FROM " + target_ + " t USING " + kStage +
                                      " s WHERE s.millrace_delete AND " + Join(equal, " AND "))
                             .status());
    }
    if (!any_upsert) return Status::Ok();
    const std::string list = Join(columns_, ", ");
    return client_
        .Execute("INSERT INTO " + target_ + " (" + list + ") SELECT " + list + " FROM " + kStage +
                 " WHERE NOT millrace_delete ON CONFLICT (" + Join(keys, ", ") + ") DO " +
                 (assignments.empty() ? std::string("NOTHING")
                                      : "UPDATE SET " + Join(assignments, ", ")))
        .status();
  }

  // COPY; when the server refuses a row, the error names it.
  Status CopyRows(const std::string& sql, const std::string& data) {
    Status status = client_.CopyIn(sql, data);
    const int64_t line = CopyErrorLine(status);
    if (status.ok() || status.retry() != Retry::kNever || line < 1) return status;
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
  std::vector<std::string> columns_;  // quoted
  std::vector<size_t> key_columns_;
  model::Epoch committed_ = 0;
  std::string lines_;   // append: the epoch's rows, ready for COPY
  NetChanges changes_;  // upsert: the epoch's changes, rows as COPY lines
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
