#include "dbt/builder.h"

#include <fmt/format.h>

#include <cmath>

#include "base/strings.h"
#include "dbt/source_place.h"
#include "duck/door.h"

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

Value TableOf(const duck::QueryResult& result) {
  Value columns = Value::List{};
  for (const auto& column : result.columns) columns.Append(column.name);
  Value rows = Value::List{};
  if (result.rows) {
    for (auto& chunk : result.rows->Chunks()) {
      for (duckdb::idx_t r = 0; r < chunk.size(); r++) {
        Value row = Value::List{};
        for (size_t c = 0; c < result.columns.size(); c++) {
          row.Append(FromDuck(chunk.GetValue(c, r)));
        }
        rows.Append(row);
      }
    }
  }
  return Value::Object({{"$table", Value::Object({{"columns", columns}, {"rows", rows}})}});
}

}  // namespace

std::string Statement(std::string sql) {
  while (!sql.empty() &&
         (std::isspace(static_cast<unsigned char>(sql.back())) || sql.back() == ';')) {
    sql.pop_back();
  }
  return sql;
}

std::string QualifiedName(const Node& node) {
  return QuoteIdentifier(node.database) + "." + QuoteIdentifier(node.schema) + "." +
         QuoteIdentifier(node.alias);
}

Builder::Builder(Project& project, Templates& templates, duck::Warehouse& warehouse,
                 RunJournal* journal)
    : project_(project), templates_(templates), warehouse_(warehouse), journal_(journal) {
  templates_.set_query([this](const std::string& sql) { return Query(sql); });
  templates_.set_is_incremental([this](const Node& node) { return IsIncremental(node); });
}

Result<Value> Builder::Query(const std::string& sql) {
  MR_ASSIGN_OR_RETURN(duck::QueryResult result, warehouse_.Query(sql));
  return TableOf(result);
}

bool Builder::IsIncremental(const Node& node) {
  if (node.materialized() != "incremental") return false;
  if (node.config["full_refresh"].truth_or(project_.options.full_refresh)) return false;
  auto connection = warehouse_.Connect();
  auto existing = Existing(*connection, node);
  return existing.ok() && *existing == "BASE TABLE";
}

Status Builder::Run(duckdb::Connection& connection, const std::string& sql) {
  return duck::Warehouse::Execute(connection, sql);
}

Result<int64_t> Builder::Count(duckdb::Connection& connection, const std::string& sql) {
  MR_ASSIGN_OR_RETURN(duck::QueryResult result, duck::Warehouse::QueryOn(connection, sql));
  if (result.row_count() == 0 || result.Get(0, 0).IsNull()) return int64_t{0};
  return result.Get(0, 0).GetValue<int64_t>();
}

Result<std::string> Builder::Existing(duckdb::Connection& connection, const Node& node) {
  const std::string sql = fmt::format(
      "SELECT table_type FROM information_schema.tables WHERE lower(table_catalog) = lower({}) AND "
      "lower(table_schema) = lower({}) AND lower(table_name) = lower({})",
      QuoteLiteral(node.database), QuoteLiteral(node.schema), QuoteLiteral(node.alias));
  MR_ASSIGN_OR_RETURN(duck::QueryResult result, duck::Warehouse::QueryOn(connection, sql));
  if (result.row_count() == 0) return std::string();
  return result.Get(0, 0).ToString();
}

// CREATE OR REPLACE replaces only its own kind.
Status Builder::DropOther(duckdb::Connection& connection, const Node& node,
                          const std::string& wanted) {
  MR_ASSIGN_OR_RETURN(std::string existing, Existing(connection, node));
  if (existing.empty() || existing == wanted) return Status::Ok();
  return Run(connection, (existing == "VIEW" ? "DROP VIEW " : "DROP TABLE ") + QualifiedName(node));
}

Status Builder::InTransaction(Node& node, const Body& body) {
  return warehouse_.InTransaction([&](duckdb::Connection& connection) -> Status {
    MR_RETURN_IF_ERROR(Run(connection, "CREATE SCHEMA IF NOT EXISTS " +
                                           QuoteIdentifier(node.database) + "." +
                                           QuoteIdentifier(node.schema)));
    for (const char* when : {"pre_hook", "", "post_hook"}) {
      if (*when == '\0') {
        MR_RETURN_IF_ERROR(body(connection));
        continue;
      }
      for (const Value& hook : node.config[when].list()) {
        const std::string text = hook.is_map() ? hook["sql"].text() : hook.text();
        // What a hook asks for while it is rendered belongs to the transaction, too.
        templates_.set_query([&](const std::string& query) -> Result<Value> {
          MR_ASSIGN_OR_RETURN(duck::QueryResult result,
                              duck::Warehouse::QueryOn(connection, query));
          return TableOf(result);
        });
        auto rendered = templates_.Render(node, text);
        templates_.set_query([this](const std::string& query) { return Query(query); });
        MR_ASSIGN_OR_RETURN(std::string sql, std::move(rendered));
        if (Trim(sql).empty()) continue;
        Status status = Run(connection, sql);
        if (!status.ok()) return std::move(status).Annotate(std::string(when));
      }
    }
    return Status::Ok();
  });
}

Status Builder::RunHooks(const Value& hooks, Node& owner) {
  for (const std::string& hook : hooks.texts()) {
    MR_ASSIGN_OR_RETURN(std::string sql, templates_.Render(owner, hook));
    if (Trim(sql).empty()) continue;
    MR_RETURN_IF_ERROR(warehouse_.InTransaction(
        [&](duckdb::Connection& connection) { return Run(connection, sql); }));
  }
  return Status::Ok();
}

Result<Outcome> Builder::View(Node& node, const std::string& sql) {
  Status status = InTransaction(node, [&](duckdb::Connection& connection) -> Status {
    MR_RETURN_IF_ERROR(DropOther(connection, node, "VIEW"));
    return Run(connection,
               "CREATE OR REPLACE VIEW " + QualifiedName(node) + " AS (\n" + sql + "\n)");
  });
  if (!status.ok()) return status;
  return Outcome{"success", "OK", -1, -1};
}

Result<int64_t> Builder::CreateTable(duckdb::Connection& connection, const Node& node,
                                     const std::string& sql) {
  MR_RETURN_IF_ERROR(DropOther(connection, node, "BASE TABLE"));
  if (node.config["contract"]["enforced"].truth()) return CreateContracted(connection, node, sql);
  return Count(connection,
               "CREATE OR REPLACE TABLE " + QualifiedName(node) + " AS (\n" + sql + "\n)");
}

Result<Outcome> Builder::Table(Node& node, const std::string& sql) {
  int64_t rows = -1;
  Status status = InTransaction(node, [&](duckdb::Connection& connection) -> Status {
    MR_ASSIGN_OR_RETURN(rows, CreateTable(connection, node, sql));
    return Status::Ok();
  });
  if (!status.ok()) return status;
  return Outcome{"success", "OK", -1, rows};
}

// store_failures_as: ephemeral (nothing is kept), table or view; or else store_failures.
bool Builder::KeepsFailures(const Node& node) const {
  const Value& kind = node.config["store_failures_as"];
  if (!kind.is_null()) return kind.text() != "ephemeral";
  return node.config["store_failures"].truth_or(project_.options.store_failures);
}

Status Builder::KeepFailures(Node& node, const std::string& sql) {
  const std::string kind = node.config["store_failures_as"].text_or("table");
  if (kind == "view") return View(node, sql).status();
  if (kind == "table") return Table(node, sql).status();
  return Status(Code::kBadOption, fmt::format("store_failures_as \"{}\" is not known", kind))
      .WithHint("there is: table, view, ephemeral");
}

Result<Outcome> Builder::Test(Node& node, const std::string& sql) {
  const std::string counted = node.config["fail_calc"].text_or("count(*)");
  const std::string warn_if = node.config["warn_if"].text_or("!= 0");
  const std::string error_if = node.config["error_if"].text_or("!= 0");
  const std::string limit =
      node.config["limit"].is_null() ? "" : "\nLIMIT " + node.config["limit"].text();
  std::string failing = sql + limit;
  if (KeepsFailures(node)) {
    MR_RETURN_IF_ERROR(KeepFailures(node, failing));
    failing = "FROM " + QualifiedName(node);
  }
  const std::string wrapped = fmt::format(
      "SELECT failures, failures {}, failures {} FROM (SELECT coalesce({}, 0) AS failures FROM "
      "(\n{}\n) dbt_internal_test)",
      warn_if, error_if, counted, failing);
  // One line stands before the test's own text.
  MR_ASSIGN_OR_RETURN(duck::QueryResult result, warehouse_.Query(wrapped));
  Outcome outcome;
  outcome.failures = result.Get(0, 0).GetValue<int64_t>();
  const bool should_warn = result.Get(0, 1).GetValue<bool>();
  const bool should_error = result.Get(0, 2).GetValue<bool>();
  const bool severe = !EqualsIgnoreCase(node.config["severity"].text(), "warn");
  outcome.status = severe && should_error ? "fail" : should_warn ? "warn" : "pass";
  if (outcome.status != "pass") {
    outcome.message = fmt::format("Got {} result{}, configured to {} if {}", outcome.failures,
                                  outcome.failures == 1 ? "" : "s", outcome.status,
                                  outcome.status == "fail" ? error_if : warn_if);
  }
  return outcome;
}

Result<Outcome> Builder::Build(Node& node) {
  if (node.kind == "seed") return Seed(node);
  if (node.kind == "unit_test") return UnitTest(node);
  if (IsMicrobatch(node)) return Microbatch(node);
  MR_ASSIGN_OR_RETURN(std::string compiled, templates_.Compile(node));
  const std::string sql = Statement(compiled);
  const std::string kind = node.materialized();
  Result<Outcome> outcome = [&]() -> Result<Outcome> {
    if (Trim(sql).empty()) return Status(Code::kSyntax, "the model has no SQL");
    if (node.kind == "test") return Test(node, sql);
    if (node.kind == "model" && node.config["contract"]["enforced"].truth()) {
      MR_RETURN_IF_ERROR(CheckContract(*warehouse_.Connect(), node, sql));
    }
    if (node.kind == "snapshot") return Snapshot(node, sql);
    if (kind == "view") return View(node, sql);
    if (kind == "table") return Table(node, sql);
    if (kind == "incremental") return Incremental(node, sql);
    return Status(Code::kUnsupported, fmt::format("materialization \"{}\" is not known", kind))
        .WithHint("there is: view, table, incremental, ephemeral");
  }();
  if (outcome.ok()) return outcome;
  return Placed(project_, node, outcome.status());
}

Status Placed(const Project& project, const Node& node, Status status) {
  if (!status.span().file.empty()) return status;
  SourceSpan place = PlaceInTemplate(node, status.span().line);
  if (status.span().line > 0) {
    status = std::move(status).WithDetail(
        fmt::format("line {} of {}/compiled/{}/{}", std::max(1, status.span().line - 1),
                    project.target_directory, node.package, node.path));
  }
  return std::move(status).At(place);
}

}  // namespace millrace::dbt
