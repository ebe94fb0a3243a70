#include "batch/applied_statements.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "duck/door.h"
#include "duck/warehouse.h"

namespace millrace::batch {

namespace {

using duck::AtTheDoor;
using duck::Warehouse;

// What DuckDB calls the system behind the database: "duckdb", "postgres", "ducklake", …
Result<std::string> TypeOf(duckdb::Connection& connection, const std::string& database) {
  MR_ASSIGN_OR_RETURN(
      auto found,
      Warehouse::QueryOn(connection, "SELECT type FROM duckdb_databases() WHERE database_name = " +
                                         QuoteLiteral(database)));
  return found.row_count() == 0 ? std::string() : found.Get(0, 0).ToString();
}

// The table that keeps account, made where it is missing; its quoted name.
Result<std::string> RunsTable(duckdb::Connection& connection, const std::string& database) {
  MR_ASSIGN_OR_RETURN(const std::string type, TypeOf(connection, database));
  std::string table = QuoteIdentifier(database) + ".millrace_batch_runs";
  if (type == "iceberg") {  // knows no default schema
    const std::string schema = QuoteIdentifier(database) + ".millrace";
    MR_RETURN_IF_ERROR(Warehouse::Execute(connection, "CREATE SCHEMA IF NOT EXISTS " + schema));
    table = schema + ".batch_runs";
  }
  const bool has_keys = type == "postgres" || type == "sqlite" || type == "duckdb";
  MR_RETURN_IF_ERROR(Warehouse::Execute(
      connection, "CREATE TABLE IF NOT EXISTS " + table +
                      " (run VARCHAR NOT NULL, statement INTEGER NOT NULL, text VARCHAR NOT NULL, "
                      "done_at TIMESTAMP WITH TIME ZONE NOT NULL" +
                      (has_keys ? ", PRIMARY KEY (run, statement))" : ")")));
  return table;
}

// Within a transaction.
Result<Applied> Apply(duckdb::Connection& connection, const std::string& table,
                      const std::string& run, int number, const std::string& text) {
  MR_ASSIGN_OR_RETURN(
      auto before,
      Warehouse::QueryOn(connection,
                         fmt::format("SELECT text FROM {} WHERE run = {} AND statement = {}", table,
                                     QuoteLiteral(run), number)));
  Applied applied;
  if (before.row_count() > 0) {
    if (before.Get(0, 0).ToString() != text) {
      return Status(
                 Code::kFailedPrecondition,
                 fmt::format("run \"{}\" has done something else as its statement {}", run, number))
          .WithDetail("it was: " + before.Get(0, 0).ToString())
          .WithHint("a batch that has changed needs a run of its own: --run NAME");
    }
    applied.before = true;
    return applied;
  }
  MR_RETURN_IF_ERROR(
      Warehouse::Execute(connection, fmt::format("INSERT INTO {} VALUES ({}, {}, {}, now())", table,
                                                 QuoteLiteral(run), number, QuoteLiteral(text))));
  MR_ASSIGN_OR_RETURN(auto changed, Warehouse::QueryOn(connection, text));
  if (changed.row_count() == 1 && changed.columns.size() == 1) {
    const duckdb::Value count = changed.Get(0, 0);
    if (count.type().IsIntegral()) applied.rows = count.GetValue<int64_t>();
  }
  return applied;
}

}  // namespace

Result<std::string> ChangedDatabase(duckdb::Connection& connection,
                                    const duckdb::SQLStatement& statement) {
  switch (statement.type) {
    case duckdb::StatementType::INSERT_STATEMENT:
    case duckdb::StatementType::UPDATE_STATEMENT:
    case duckdb::StatementType::DELETE_STATEMENT:
    case duckdb::StatementType::MERGE_INTO_STATEMENT:
      break;
    default:
      return std::string();
  }
  return AtTheDoor([&]() -> Result<std::string> {
    auto prepared = connection.Prepare(statement.Copy());
    if (prepared->HasError()) return duck::FromDuckError(prepared->GetErrorObject());
    for (const auto& [name, changes] : prepared->GetStatementProperties().modified_databases) {
      // Tables of the batch's own database go with it.
      if (name != "memory" && name != "temp") return name;
    }
    return std::string();
  });
}

Result<Applied> ApplyOnce(duckdb::Connection& connection, const std::string& database,
                          const std::string& run, int number, const std::string& text) {
  auto found = RunsTable(connection, database);
  if (!found.ok()) {
    return std::move(found).status().Annotate("cannot keep account of runs in \"" + database +
                                              "\"");
  }
  const std::string& table = *found;
  // A transaction of the batch's own takes both in.
  if (connection.HasActiveTransaction()) return Apply(connection, table, run, number, text);
  return AtTheDoor([&]() -> Result<Applied> {
    connection.BeginTransaction();
    auto applied = Apply(connection, table, run, number, text);
    Status ended = !applied.ok() ? applied.status() : AtTheDoor([&] {
      connection.Commit();
      return Status::Ok();
    });
    if (ended.ok()) return applied;
    if (connection.HasActiveTransaction()) connection.Rollback();
    return ended;
  });
}

}  // namespace millrace::batch
