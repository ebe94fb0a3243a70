#include "dbt/duckdb_adapter.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/strings.h"

namespace millrace::dbt {

namespace {

Value FromDuck(const duckdb::Value& value) {
  // A float is what it is as a double, as in Python: not its shortest text.
  if (value.type().id() == duckdb::LogicalTypeId::FLOAT && !value.IsNull()) {
    return static_cast<double>(value.GetValue<float>());
  }
  std::string json;
  duck::AppendJson(value, json);
  auto parsed = Value::FromJson(json);
  return parsed.ok() ? *parsed : Value(value.ToString());
}

Rows FromDuck(duck::QueryResult& result) {
  Rows out;
  for (const auto& column : result.columns) out.columns.push_back(column.name);
  if (!result.rows) return out;
  for (auto& chunk : result.rows->Chunks()) {
    for (duckdb::idx_t r = 0; r < chunk.size(); r++) {
      Value row = Value::List{};
      for (size_t c = 0; c < result.columns.size(); c++) {
        row.Append(FromDuck(chunk.GetValue(c, r)));
      }
      out.rows.push_back(std::move(row));
    }
  }
  return out;
}

class DuckDbSession : public Session {
 public:
  explicit DuckDbSession(duckdb::Connection& connection) : connection_(connection) {}

  Status Run(const std::string& sql) override { return duck::Warehouse::Execute(connection_, sql); }

  Result<int64_t> Count(const std::string& sql) override {
    MR_ASSIGN_OR_RETURN(duck::QueryResult result, duck::Warehouse::QueryOn(connection_, sql));
    if (result.row_count() == 0 || result.Get(0, 0).IsNull()) return int64_t{0};
    return result.Get(0, 0).GetValue<int64_t>();
  }

  Result<Rows> Query(const std::string& sql) override {
    MR_ASSIGN_OR_RETURN(duck::QueryResult result, duck::Warehouse::QueryOn(connection_, sql));
    return FromDuck(result);
  }

  Result<std::vector<Column>> ColumnsOf(const std::string& table) override {
    MR_ASSIGN_OR_RETURN(Rows answer, Query("DESCRIBE " + table));
    return DescribedColumns(answer);
  }

  Result<std::vector<Column>> ColumnsOfQuery(const std::string& sql) override {
    return ColumnsOf("(\n" + sql + "\n)");
  }

  Result<int64_t> LoadCsv(const std::string& table, const std::string& path,
                          const std::string& delimiter) override {
    return Count(fmt::format("COPY {} FROM {} (FORMAT CSV, HEADER TRUE, DELIMITER {})", table,
                             QuoteLiteral(path), QuoteLiteral(delimiter)));
  }

 private:
  duckdb::Connection& connection_;
};

class DuckDbAdapter : public Adapter {
 public:
  // `owned`: keeps the database open; null where another does.
  DuckDbAdapter(duck::Warehouse& warehouse, std::shared_ptr<duck::Warehouse> owned)
      : owned_(std::move(owned)),
        warehouse_(warehouse),
        writer_(warehouse_.Connect()),
        reader_(warehouse_.Connect()) {}

  std::string type() const override { return "duckdb"; }

  Result<std::unique_ptr<Session>> Reader() override {
    return std::unique_ptr<Session>(std::make_unique<DuckDbSession>(*reader_));
  }

  void Interrupt() override {
    writer_->Interrupt();
    reader_->Interrupt();
  }

  std::string SchemaName(const Node& node) const override {
    return QuoteIdentifier(node.database) + "." + QuoteIdentifier(node.schema);
  }

  std::string Temporary(const std::string& name) const override {
    return "temp." + QuoteIdentifier(name);
  }

  Result<int64_t> CreateTemporary(Session& session, const std::string& name,
                                  const std::string& sql) override {
    return session.Count("CREATE OR REPLACE TEMP TABLE " + QuoteIdentifier(name) + " AS (" + sql +
                         "\n)");
  }

  // CREATE OR REPLACE replaces only its own kind.
  Result<int64_t> Replace(Session& session, const Node& node, const std::string& existing,
                          const Definition& definition) override {
    const std::string name = QualifiedName(node);
    const std::string old_kind = existing == "VIEW" ? "VIEW" : "TABLE";
    if (!existing.empty() && old_kind != definition.kind) {
      MR_RETURN_IF_ERROR(session.Run(fmt::format("DROP {} {}", old_kind, name)));
    }
    MR_ASSIGN_OR_RETURN(
        int64_t rows, session.Count(fmt::format("CREATE OR REPLACE {} {} {}", definition.kind, name,
                                                definition.Text())));
    return definition.fill ? definition.fill(name) : rows;
  }

  std::string TimestampLiteral(int64_t micros) const override {
    return fmt::format("make_timestamp({})", micros);
  }

  std::string MicrosOf(const std::string& expression) const override {
    return "epoch_us(CAST(" + expression + " AS TIMESTAMP))";
  }

  std::string SeedType(const std::string& type) const override { return type; }

  Result<duck::Warehouse*> FileReader() override { return &warehouse_; }

 protected:
  Result<std::unique_ptr<Adapter>> Connected() const override {
    return std::unique_ptr<Adapter>(std::make_unique<DuckDbAdapter>(warehouse_, owned_));
  }

  Status Attempt(const Body& body) override {
    DuckDbSession session(*writer_);
    MR_RETURN_IF_ERROR(session.Run("BEGIN"));
    Status status = body(session);
    if (status.ok()) status = session.Run("COMMIT");
    // A failed COMMIT has rolled back by itself; the first error is the one to tell.
    if (!status.ok()) (void)session.Run("ROLLBACK");
    return status;
  }

  // Optimistic: who writes second the same row, table or name of the catalog is refused.
  bool IsConflict(const Status& status) const override {
    if (status.ok()) return false;
    for (const char* words : {"write-write conflict", "conflict on ", "transaction conflict",
                              "ailed to commit", "has been altered by a different transaction"}) {
      if (ToLower(status.message()).find(words) != std::string::npos) return true;
    }
    return false;
  }

 private:
  std::shared_ptr<duck::Warehouse> owned_;
  duck::Warehouse& warehouse_;
  std::unique_ptr<duckdb::Connection> writer_, reader_;
};

}  // namespace

std::unique_ptr<Adapter> UseDuckDb(duck::Warehouse& warehouse) {
  return std::make_unique<DuckDbAdapter>(warehouse, nullptr);
}

Result<std::unique_ptr<Adapter>> OpenDuckDb(const Project& project) {
  const Profile& profile = project.profile;
  duck::WarehouseOptions options;
  // Of one statement; how many nodes run at once is another matter. `settings` may say otherwise.
  options.threads = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 2, 16);
  if (profile.settings.has("memory_limit")) options.memory_limit_bytes = 4LL << 30;
  MR_ASSIGN_OR_RETURN(auto opened, duck::Warehouse::Open(profile.database_path, options));
  std::shared_ptr<duck::Warehouse> warehouse = std::move(opened);
  for (const auto& [name, value] : profile.settings.map()) {
    MR_RETURN_IF_ERROR(warehouse
                           ->Query(fmt::format("SET GLOBAL {} = {}", QuoteIdentifier(name),
                                               QuoteLiteral(value.text())))
                           .status());
  }
  for (const Value& entry : profile.attach.list()) {
    const std::string path = entry["path"].text();
    std::string sql =
        "ATTACH " +
        QuoteLiteral(path.find(':') == std::string::npos ? project.Absolute(path) : path);
    if (entry.has("alias")) sql += " AS " + QuoteIdentifier(entry["alias"].text());
    if (entry["read_only"].truth()) sql += " (READ_ONLY)";
    MR_RETURN_IF_ERROR(warehouse->Query(sql).status());
  }
  return std::unique_ptr<Adapter>(std::make_unique<DuckDbAdapter>(*warehouse, warehouse));
}

}  // namespace millrace::dbt
