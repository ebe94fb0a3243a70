// Unit tests: a model's query over rows that the test gives, compared with rows that it expects;
// and, with config.meta.expect_table, the table after those rows went into it.
//
// Source: https://docs.getdbt.com/docs/build/unit-tests
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "dbt/builder.h"
#include "dbt/ephemeral.h"
#include "dbt/model_versions.h"
#include "dbt/source_place.h"

namespace millrace::dbt {

namespace {

constexpr int64_t kShownRows = 20;

std::string Literal(const Value& value) {
  if (value.is_null()) return "NULL";
  if (value.is_text() || value.is_list() || value.is_map()) return QuoteLiteral(value.text());
  return value.ToJson();
}

// What stands in quotes: ref('shop', 'orders') -> shop, orders.
std::vector<std::string> QuotedParts(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = text.find_first_of("'\""); at != std::string::npos;) {
    const size_t end = text.find(text[at], at + 1);
    if (end == std::string::npos) break;
    out.push_back(text.substr(at + 1, end - at - 1));
    at = text.find_first_of("'\"", end + 1);
  }
  return out;
}

// Columns under their names, NULL as "NULL", longer cells cut.
std::string AsTable(const Rows& rows) {
  constexpr size_t kCellMax = 40;
  std::vector<std::vector<std::string>> lines = {rows.columns};
  for (const Value& row : rows.rows) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const Value& cell : row.list()) {
      line.push_back((cell.is_null() ? "NULL" : cell.text()).substr(0, kCellMax));
    }
  }
  std::string out;
  for (const auto& line : lines) {
    for (size_t c = 0; c < line.size(); c++) {
      size_t width = 0;
      for (const auto& other : lines) width = std::max(width, other[c].size());
      out += line[c] + (c + 1 == line.size() ? "\n" : std::string(width + 2 - line[c].size(), ' '));
    }
  }
  return out;
}

}  // namespace

// ref('…'), source('…', '…') or this.
Result<Node*> Builder::InputOf(const Node& test, const std::string& input) {
  const std::string text(Trim(input));
  Node& model = *project_.Find(test.depends_on.front());
  if (text == "this") return &model;
  const std::vector<std::string> parts = QuotedParts(text);
  Node* node = nullptr;
  if (text.starts_with("ref") && !parts.empty()) {
    node = project_.FindRef(parts.size() > 1 ? parts[0] : "", parts.back(), model);
  } else if (text.starts_with("source") && parts.size() == 2) {
    node = project_.FindSource(parts[0], parts[1]);
  }
  if (node != nullptr) return node;
  return Status(Code::kUnknownTable, fmt::format("input \"{}\" is no node of the project", input))
      .WithHint("an input is ref('model'), source('group', 'table') or this");
}

Result<std::vector<Column>> Builder::InputColumns(Node& input) {
  if (input.kind == "model" && input.materialized() == "ephemeral") {
    Node copy = input;
    MR_ASSIGN_OR_RETURN(std::string sql, templates_.Compile(copy));
    return adapter_.ColumnsOfQuery(sql);
  }
  auto columns = adapter_.ColumnsOf(adapter_.TableName(input));
  if (columns.ok()) return columns;
  return Status(Code::kFailedPrecondition,
                fmt::format("the types of {} are not known, since it is not in the database",
                            adapter_.TableName(input)))
      .WithHint("build it first; or give its rows with format: sql");
}

// Of a model that was never built: those of its first run.
Result<std::vector<Column>> Builder::OwnColumns(Node& model, Replacements replaced) {
  auto columns = adapter_.ColumnsOf(adapter_.TableName(model));
  if (columns.ok()) return columns;
  replaced.macros.Set("is_incremental", false);
  Node copy = model;
  templates_.set_replacements(&replaced);
  auto compiled = templates_.Compile(copy);
  templates_.set_replacements(nullptr);
  MR_RETURN_IF_ERROR(compiled.status());
  return adapter_.ColumnsOfQuery(*compiled);
}

// The rows as a query; a column that a row does not name is NULL.
Result<std::string> Builder::FixtureSql(const Value& fixture, const std::vector<Column>& columns) {
  if (fixture.has("sql")) return fixture["sql"].text();
  std::vector<std::string> selects;
  for (const Value& row : fixture["rows"].list()) {
    std::vector<std::string> cells;
    for (const auto& [name, value] : row.map()) {
      const bool known = std::any_of(columns.begin(), columns.end(), [&](const Column& column) {
        return EqualsIgnoreCase(column.name, name);
      });
      if (known) continue;
      std::vector<std::string> names;
      for (const Column& column : columns) names.push_back(column.name);
      return Status(Code::kUnknownColumn,
                    fmt::format("a row has column \"{}\"; there is {}", name, Join(names, ", ")))
          .WithHint(DidYouMean(name, names));
    }
    for (const Column& column : columns) {
      Value cell;
      for (const auto& [name, value] : row.map()) {
        if (EqualsIgnoreCase(name, column.name)) cell = value;
      }
      cells.push_back(fmt::format("CAST({} AS {}) AS {}", Literal(cell), column.type,
                                  adapter_.Quote(column.name)));
    }
    selects.push_back("SELECT " + Join(cells, ", "));
  }
  if (!selects.empty()) return Join(selects, " UNION ALL ");
  std::vector<std::string> cells;
  for (const Column& column : columns) {
    cells.push_back(
        fmt::format("CAST(NULL AS {}) AS {}", column.type, adapter_.Quote(column.name)));
  }
  return "SELECT " + Join(cells, ", ") + " LIMIT 0";
}

// Rows that only one of both has, as bags, of the columns that the expected rows name.
Result<Outcome> Builder::CompareRows(Session& session, const std::string& actual,
                                     const Value& expected) {
  MR_ASSIGN_OR_RETURN(std::vector<Column> columns, session.ColumnsOfQuery(actual));
  if (!expected["rows"].list().empty()) {
    MR_RETURN_IF_ERROR(FixtureSql(expected, columns).status());
    std::erase_if(columns, [&](const Column& column) {
      const Value::List& rows = expected["rows"].list();
      return std::none_of(rows.begin(), rows.end(), [&](const Value& row) {
        const Value::Map& cells = row.map();
        return std::any_of(cells.begin(), cells.end(), [&](const auto& cell) {
          return EqualsIgnoreCase(cell.first, column.name);
        });
      });
    });
  }
  MR_ASSIGN_OR_RETURN(std::string wanted, FixtureSql(expected, columns));
  std::vector<std::string> names;
  for (const Column& column : columns) names.push_back(adapter_.Quote(column.name));
  const std::string list = Join(names, ", ");
  std::vector<std::string> order;
  for (size_t i = 0; i <= names.size(); i++) order.push_back(std::to_string(i + 1));
  const std::string differences = fmt::format(
      "WITH actual AS (SELECT {0} FROM (\n{1}\n) AS a), expected AS (SELECT {0} FROM ({2}) AS e) "
      "SELECT 'missing' AS \"row\", missing.* FROM (SELECT * FROM expected EXCEPT ALL SELECT * "
      "FROM "
      "actual) AS missing UNION ALL SELECT 'unexpected', more.* FROM (SELECT * FROM actual EXCEPT "
      "ALL SELECT * FROM expected) AS more ORDER BY {3} LIMIT {4}",
      list, actual, wanted, Join(order, ", "), kShownRows);
  MR_ASSIGN_OR_RETURN(Rows found, session.Query(differences));
  if (found.rows.empty()) return Outcome{"pass", "", 0, -1};
  return Outcome{"fail", "actual differs from expected:\n" + AsTable(found),
                 static_cast<int64_t>(found.rows.size()), -1};
}

// The rows that the query gives, put into a table of the input `this` as an incremental run would;
// all in a transaction that is rolled back.
Result<Outcome> Builder::CompareTable(const Node& test, const Node& model,
                                      const std::string& existing, const std::string& sql) {
  Node target = model;
  target.schema = NameBeside(test, "unit_test");  // its own: others may run at the same time
  target.alias = test.name;
  std::optional<Result<Outcome>> outcome;
  Status status = adapter_.InTransaction([&](Session& session) -> Status {
    MR_RETURN_IF_ERROR(adapter_.CreateSchema(session, target));
    MR_RETURN_IF_ERROR(CreateTable(session, target, existing).status());
    MR_RETURN_IF_ERROR(AddIncrement(session, target, sql).status());
    outcome = CompareRows(session, "SELECT * FROM " + adapter_.TableName(target),
                          test.properties["expect_table"]);
    return Status(Code::kCancelled, "a unit test leaves nothing behind");
  });
  if (!outcome) return status;
  if (outcome->ok() && (*outcome)->status == "fail") {
    (*outcome)->message = "the table after the run: " + (*outcome)->message;
  }
  return *outcome;
}

Result<Outcome> Builder::UnitTest(Node& node) {
  Node& model = *project_.Find(node.depends_on.front());
  const Value& overrides = node.properties["overrides"];
  const bool after = node.properties.has("expect_table");
  Replacements replaced;
  replaced.vars = overrides["vars"];
  replaced.env_vars = overrides["env_vars"];
  replaced.macros = overrides["macros"];
  if (after && !replaced.macros.has("is_incremental")) replaced.macros.Set("is_incremental", true);
  std::string existing;
  Value::List given = node.properties["given"].list();
  // The model itself comes last: its columns may have to be found from the other inputs.
  std::stable_partition(given.begin(), given.end(),
                        [](const Value& input) { return Trim(input["input"].text()) != "this"; });
  for (const Value& rows : given) {
    MR_ASSIGN_OR_RETURN(Node * input, InputOf(node, rows["input"].text()));
    std::vector<Column> columns;
    if (!rows.has("sql")) {
      auto found = input == &model ? OwnColumns(model, replaced) : InputColumns(*input);
      MR_ASSIGN_OR_RETURN(columns, std::move(found));
    }
    MR_ASSIGN_OR_RETURN(std::string sql, FixtureSql(rows, columns));
    if (input == &model) existing = sql;
    const std::string name =
        input->kind == "source" ? input->source_name + "__" + input->name : NameWithVersion(*input);
    replaced.inputs[input->id] = {EphemeralName(name), sql};
  }
  Node copy = model;  // with the test's SQL as its own
  templates_.set_replacements(&replaced);
  auto compiled = templates_.Compile(copy);
  templates_.set_replacements(nullptr);
  MR_RETURN_IF_ERROR(compiled.status());
  node.compiled = *compiled;
  auto place = [&](Status status) {
    if (!status.span().file.empty()) return status;
    SourceSpan span = PlaceInTemplate(copy, status.span().line);
    return Status(std::move(status).At(span));
  };
  Outcome outcome{"pass", "", 0, -1};
  if (node.properties.has("expect")) {
    std::optional<Result<Outcome>> compared_rows;
    MR_RETURN_IF_ERROR(adapter_.InTransaction([&](Session& session) {
      compared_rows = CompareRows(session, copy.compiled, node.properties["expect"]);
      return Status::Ok();
    }));
    auto& compared = *compared_rows;
    if (!compared.ok()) return place(compared.status());
    outcome = *compared;
  }
  if (!after || outcome.status == "fail") return outcome;
  if (model.materialized() != "incremental" || existing.empty()) {
    return Status(Code::kBadOption,
                  "expect_table is for incremental models, and needs the input `this`: the table "
                  "before the run")
        .At({node.path, 0, 0, 0});
  }
  auto compared = CompareTable(node, model, existing, copy.compiled);
  if (!compared.ok()) return place(compared.status());
  return compared;
}

}  // namespace millrace::dbt
