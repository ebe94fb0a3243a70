// Sink into the embedded warehouse.
//
// A commit is one DuckDB transaction: the rows and the epoch in millrace_commits(job, sink, epoch).
// Append: rows go through an Appender. Upsert by primary key: the epoch is netted to one change per
// key (connectors/net_changes.h), the keys are deleted by one join, the new rows appended. The
// target has no index and no PRIMARY KEY: DuckDB never frees rows deleted from an indexed table.
#include "connectors/warehouse/warehouse_sink.h"

#include <duckdb/common/types/column/column_data_collection.hpp>
#include <duckdb/main/appender.hpp>

#include "base/strings.h"
#include "connectors/lookup.h"
#include "connectors/net_changes.h"
#include "connectors/row_bytes.h"
#include "connectors/sink_checks.h"
#include "duck/door.h"
#include "duck/warehouse.h"

namespace millrace::connectors::warehouse {

namespace {

constexpr const char* kCommits = "main.millrace_commits";

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "warehouse";
  spec.summary = "A table of the embedded warehouse, the project's DuckDB file.";
  spec.sink = true;
  spec.lookup = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "Rows and the epoch's number (table millrace_commits) are committed in one transaction.";
  spec.sink_accepts_updates = true;
  spec.options = {{.name = "table-name",
                   .doc = "Name of the table in the warehouse; default: the name it has here.",
                   .example = "page_view_counts"}};
  for (OptionSpec& option : LookupOptions()) spec.options.push_back(std::move(option));
  spec.example =
      "CREATE TABLE page_view_counts (\n  url STRING,\n  views BIGINT,\n  PRIMARY KEY (url) NOT "
      "ENFORCED\n"
      ") WITH ('connector' = 'warehouse');";
  return spec;
}

class WarehouseSink : public Sink {
 public:
  explicit WarehouseSink(const TableContext& table)
      : table_(table),
        warehouse_(*table.services.warehouse),
        target_(table.options.Has("table-name") ? table.options.GetString("table-name")
                                                : table.name),
        types_(table.schema.Types()) {
    // Flink's JDBC tables may name a schema; the warehouse has one.
    if (size_t dot = target_.rfind('.'); dot != std::string::npos)
      target_ = target_.substr(dot + 1);
    for (const std::string& name : table.primary_key) {
      key_columns_.push_back(static_cast<size_t>(table.schema.Find(name)));
    }
    rows_ = NewRows();
  }

  Status Open() override {
    Status created = warehouse_.InTransaction([&](duckdb::Connection& connection) -> Status {
      MR_RETURN_IF_ERROR(duck::Warehouse::Execute(
          connection, std::string("CREATE TABLE IF NOT EXISTS ") + kCommits +
                          " (job VARCHAR NOT NULL, sink VARCHAR NOT NULL, epoch BIGINT NOT NULL)"));
      return duck::Warehouse::Execute(connection, CreateStatement());
    });
    MR_RETURN_IF_ERROR(created);
    MR_RETURN_IF_ERROR(CheckColumns());
    MR_ASSIGN_OR_RETURN(auto found, warehouse_.Query(std::string("SELECT max(epoch) FROM ") +
                                                     kCommits + " WHERE " + MyCommit()));
    const duckdb::Value epoch = found.Get(0, 0);
    committed_ = epoch.IsNull() ? 0 : epoch.GetValue<int64_t>();
    return Status::Ok();
  }

  Result<model::Epoch> LastCommitted() override { return committed_; }

  Status Write(const SinkBatch& batch) override {
    return duck::AtTheDoor([&]() -> Status {
      duckdb::DataChunk& chunk = *batch.rows;
      if (chunk.size() == 0) return Status::Ok();
      if (key_columns_.empty()) return WriteAppend(batch);
      const auto first_row = static_cast<int64_t>(rows_->Count());
      std::string key, row;
      for (duckdb::idx_t r = 0; r < chunk.size(); r++) {
        key.clear();
        row.clear();
        for (size_t c : key_columns_) AppendValueBytes(chunk.data[c], chunk.size(), r, key);
        for (auto& column : chunk.data) AppendValueBytes(column, chunk.size(), r, row);
        changes_.Add(key, row, first_row + static_cast<int64_t>(r),
                     batch.weights ? (*batch.weights)[r] : 1);
      }
      rows_->Append(chunk);
      return Status::Ok();
    });
  }

  Status Commit(model::Epoch epoch) override {
    if (epoch > committed_) {
      Status done = warehouse_.InTransaction([&](duckdb::Connection& connection) -> Status {
        if (key_columns_.empty()) {
          AppendRows(connection, *rows_);
        } else {
          Upsert(connection);
        }
        return duck::Warehouse::Execute(
            connection, std::string("DELETE FROM ") + kCommits + " WHERE " + MyCommit() +
                            "; INSERT INTO " + kCommits + " VALUES (" + QuoteLiteral(table_.job) +
                            ", " + QuoteLiteral(table_.name) + ", " + std::to_string(epoch) + ")");
      });
      if (done.message().find("NOT NULL constraint failed") != std::string::npos) {
        return std::move(done).WithHint(
            "leave such rows out (WHERE … IS NOT NULL), or give them a value (COALESCE)");
      }
      MR_RETURN_IF_ERROR(done);
      committed_ = epoch;
    }
    rows_ = NewRows();
    changes_.Clear();
    return Status::Ok();
  }

 private:
  std::unique_ptr<duckdb::ColumnDataCollection> NewRows() const {
    return std::make_unique<duckdb::ColumnDataCollection>(duckdb::Allocator::DefaultAllocator(),
                                                          types_);
  }

  std::string MyCommit() const {
    return "job = " + QuoteLiteral(table_.job) + " AND sink = " + QuoteLiteral(table_.name);
  }

  std::string CreateStatement() const {
    std::vector<std::string> columns;
    for (const model::Column& column : table_.schema.columns) {
      columns.push_back(QuoteIdentifier(column.name) + " " + column.type.ToString() +
                        (column.nullable ? "" : " NOT NULL"));
    }
    return "CREATE TABLE IF NOT EXISTS main." + QuoteIdentifier(target_) + " (" +
           Join(columns, ", ") + ")";
  }

  Status CheckColumns() {
    MR_ASSIGN_OR_RETURN(auto there, warehouse_.Query("SELECT * FROM main." +
                                                     QuoteIdentifier(target_) + " LIMIT 0"));
    const std::string where = "warehouse table \"" + target_ + "\"";
    for (size_t i = 0; i < std::max(there.columns.size(), table_.schema.size()); i++) {
      if (i >= there.columns.size() || i >= table_.schema.size() ||
          !EqualsIgnoreCase(there.columns[i].name, table_.schema.columns[i].name)) {
        std::vector<std::string> names;
        for (const auto& column : there.columns) names.push_back(column.name);
        return Status(Code::kFailedPrecondition,
                      where + " has other columns than table \"" + table_.name + "\" declares")
            .WithDetail("there: " + Join(names, ", ") +
                        "; declared: " + Join(table_.schema.Names(), ", "))
            .WithHint("drop or rename the stored table, or set another 'table-name'");
      }
      if (there.columns[i].type != table_.schema.columns[i].type) {
        return Status(Code::kFailedPrecondition,
                      "column \"" + there.columns[i].name + "\" of " + where + " is " +
                          there.columns[i].type.ToString() + ", but table \"" + table_.name +
                          "\" declares " + table_.schema.columns[i].type.ToString())
            .WithHint("drop or rename the stored table, or set another 'table-name'");
      }
    }
    return Status::Ok();
  }

  Status WriteAppend(const SinkBatch& batch) {
    bool all_once = true;
    for (duckdb::idx_t r = 0; batch.weights && r < batch.rows->size(); r++) {
      const int32_t weight = (*batch.weights)[r];
      all_once = all_once && weight == 1;
      if (weight >= 0) continue;
      return TakesNewRowsOnly(table_)
          .WithDetail("without a key there is no telling which stored row is meant")
          .WithHint("declare PRIMARY KEY (…) NOT ENFORCED on the table");
    }
    if (all_once) {
      rows_->Append(*batch.rows);
      return Status::Ok();
    }
    duckdb::SelectionVector selection(STANDARD_VECTOR_SIZE);
    duckdb::DataChunk part;
    part.InitializeEmpty(types_);
    for (duckdb::idx_t r = 0; r < batch.rows->size(); r++) {
      selection.set_index(0, r);
      for (int32_t copy = 0; copy < (*batch.weights)[r]; copy++) {
        part.Slice(*batch.rows, selection, 1);
        rows_->Append(part);
      }
    }
    return Status::Ok();
  }

  void AppendRows(duckdb::Connection& connection, duckdb::ColumnDataCollection& rows) {
    if (rows.Count() == 0) return;
    duckdb::Appender appender(connection, "main", target_);
    for (auto& chunk : rows.Chunks()) appender.AppendDataChunk(chunk);
    appender.Close();
  }

  void Upsert(duckdb::Connection& connection) {
    std::vector<std::pair<int64_t, bool>> wanted;
    for (const auto& change : changes_.Final()) wanted.push_back({change.row_id, change.upsert});
    if (wanted.empty()) return;
    std::sort(wanted.begin(), wanted.end());
    duckdb::vector<duckdb::LogicalType> key_types;
    duckdb::vector<std::string> key_names;
    for (size_t c : key_columns_) {
      key_types.push_back(types_[c]);
      key_names.push_back(table_.schema.columns[c].name);
    }
    auto fresh = NewRows();
    std::vector<std::string> conditions;
    for (const std::string& name : key_names) {
      const std::string quoted = QuoteIdentifier(name);
      conditions.push_back("t." + quoted + " IS NOT DISTINCT FROM k." + quoted);
    }
    duckdb::QueryAppender deleter(connection,
                                  "DELETE FROM main." + QuoteIdentifier(target_) +
                                      " t USING millrace_keys k WHERE " + Join(conditions, " AND "),
                                  key_types, key_names, "millrace_keys");
    duckdb::DataChunk keys, added;
    keys.InitializeEmpty(key_types);
    added.InitializeEmpty(types_);
    size_t next = 0;
    int64_t base = 0;
    for (auto& chunk : rows_->Chunks()) {
      duckdb::SelectionVector all(STANDARD_VECTOR_SIZE), upserts(STANDARD_VECTOR_SIZE);
      duckdb::idx_t all_count = 0, upsert_count = 0;
      for (; next < wanted.size() && wanted[next].first < base + static_cast<int64_t>(chunk.size());
           next++) {
        const auto row = static_cast<duckdb::idx_t>(wanted[next].first - base);
        all.set_index(all_count++, row);
        if (wanted[next].second) upserts.set_index(upsert_count++, row);
      }
      base += static_cast<int64_t>(chunk.size());
      if (all_count > 0) {
        for (size_t i = 0; i < key_columns_.size(); i++) {
          keys.data[i].Slice(chunk.data[key_columns_[i]], all, all_count);
        }
        keys.SetCardinality(all_count);
        deleter.AppendDataChunk(keys);
      }
      if (upsert_count > 0) {
        added.Slice(chunk, upserts, upsert_count);
        fresh->Append(added);
      }
    }
    deleter.Close();
    AppendRows(connection, *fresh);
  }

  const TableContext table_;
  duck::Warehouse& warehouse_;
  std::string target_;
  duckdb::vector<duckdb::LogicalType> types_;
  std::vector<size_t> key_columns_;
  model::Epoch committed_ = 0;
  std::unique_ptr<duckdb::ColumnDataCollection> rows_;  // of the epoch being built
  NetChanges changes_;                                  // row ids are row numbers of rows_
};

}  // namespace

ConnectorEntry WarehouseConnector() {
  return {Spec(), nullptr, NewWarehouseSink, NewWarehouseLookup};
}

Result<std::unique_ptr<Sink>> NewWarehouseSink(const TableContext& table) {
  if (!table.services.warehouse) {
    return Status(
        Code::kUnsupported,
        "table \"" + table.name + "\" needs the embedded warehouse, which is not open here");
  }
  for (const std::string& name : table.primary_key) {
    if (table.schema.Find(name) < 0) {
      return Status(Code::kUnknownColumn, "the primary key of table \"" + table.name +
                                              "\" names the column \"" + name +
                                              "\", which does not exist")
          .WithHint(DidYouMean(name, table.schema.Names()));
    }
  }
  return std::unique_ptr<Sink>(new WarehouseSink(table));
}

}  // namespace millrace::connectors::warehouse
