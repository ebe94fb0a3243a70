#include "dbt/adapter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "dbt/clickhouse_adapter.h"
#include "dbt/duckdb_adapter.h"
#include "dbt/past_state.h"
#include "dbt/postgres_adapter.h"
#include "dbt/spark_adapter.h"

namespace millrace::dbt {

Result<std::unique_ptr<Adapter>> OpenAdapter(const Project& project) {
  if (project.profile.type == "postgres") return OpenPostgres(project);
  if (project.profile.type == "clickhouse") return OpenClickHouse(project);
  if (project.profile.type == "spark") return OpenSpark(project);
  return OpenDuckDb(project);
}

std::vector<Column> DescribedColumns(const Rows& answer) {
  std::vector<Column> columns;
  for (const Value& row : answer.rows) {
    columns.push_back({row[size_t{0}].text(), row[size_t{1}].text()});
  }
  return columns;
}

Result<std::unique_ptr<Adapter>> Adapter::Another() const {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Adapter> adapter, Connected());
  adapter->transactions_ = transactions_;
  return adapter;
}

Status Adapter::InTransaction(const Body& body) {
  {
    std::shared_lock<std::shared_mutex> among_others(*transactions_);
    Status status = Attempt(body);
    if (!IsConflict(status)) return status;
  }
  std::unique_lock<std::shared_mutex> alone(*transactions_);
  return Attempt(body);
}

Result<Rows> Adapter::Query(const std::string& sql) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Session> reader, Reader());
  return reader->Query(sql);
}

Result<std::vector<Column>> Adapter::ColumnsOf(const std::string& table) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Session> reader, Reader());
  return reader->ColumnsOf(table);
}

Result<std::vector<Column>> Adapter::ColumnsOfQuery(const std::string& sql) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Session> reader, Reader());
  return reader->ColumnsOfQuery(sql);
}

Result<std::string> Adapter::Existing(Session& session, const Node& node) {
  MR_ASSIGN_OR_RETURN(Rows answer,
                      session.Query(fmt::format(
                          "SELECT kind FROM {} AS relations WHERE lower(database) = lower({}) "
                          "AND lower(schema) = lower({}) AND lower(name) = lower({})",
                          Relations(), QuoteLiteral(node.database), QuoteLiteral(node.schema),
                          QuoteLiteral(node.alias))));
  return answer.rows.empty() ? std::string() : answer.rows[0][size_t{0}].text();
}

Result<Rows> Adapter::Lookup(const std::string& schema, const std::string& name) {
  return Query(
      fmt::format("SELECT database, schema, name, kind FROM {} AS relations WHERE lower(schema) = "
                  "lower({}) AND "
                  "lower(name) = lower({})",
                  Relations(), QuoteLiteral(schema), QuoteLiteral(name)));
}

Result<bool> Adapter::HasSchema(const std::string& name) {
  MR_ASSIGN_OR_RETURN(
      Rows answer,
      Query("SELECT 1 FROM information_schema.schemata WHERE schema_name = " + QuoteLiteral(name)));
  return !answer.rows.empty();
}

Status Adapter::CreateSchema(Session& session, const Node& node) {
  return session.Run(fmt::format("CREATE {} IF NOT EXISTS {}", SchemaKind(), SchemaName(node)));
}

Result<duck::Warehouse*> Adapter::FileReader() {
  if (!file_reader_) {
    MR_ASSIGN_OR_RETURN(file_reader_, duck::Warehouse::Open(":memory:"));
  }
  return file_reader_.get();
}

Result<std::string> Adapter::BeginChange(Session&, const Node& node) {
  return TableName(node);
}

Status Adapter::Publish(Session&, const Node&) {
  return Status::Ok();
}

Status Adapter::DeleteMatching(Session& session, const std::string& table,
                               const std::string& staged, const std::vector<std::string>& keys) {
  return session.Run(fmt::format("DELETE FROM {} AS target USING {} AS staged WHERE {}", table,
                                 staged, OnKeys(keys)));
}

std::string Adapter::IncrementalStrategy(const Node& node) const {
  const bool keyed = !node.config["unique_key"].texts().empty();
  return node.config["incremental_strategy"].text_or(keyed ? "delete+insert" : "append");
}

Status Adapter::Overwrite(Session&, const Node&, const std::string&, const std::string&,
                          const std::string&) {
  return Status(Code::kUnsupported, "incremental_strategy \"insert_overwrite\" is not known here")
      .WithHint("there is: append, delete+insert, merge, microbatch");
}

Status Adapter::Check(const Node&) const {
  return Status::Ok();
}

std::string NameBeside(const Node& node, const std::string& purpose) {
  constexpr size_t kAliasMax = 24, kHashLength = 10;
  // A cut in the middle of a character would be no text any more.
  size_t length = std::min(node.alias.size(), kAliasMax);
  while (length < node.alias.size() && (node.alias[length] & 0xC0) == 0x80) length--;
  return fmt::format("{}__{}_{}", node.alias.substr(0, length), purpose,
                     Sha256Hex(node.id + "\n" + QualifiedName(node)).substr(0, kHashLength));
}

}  // namespace millrace::dbt
