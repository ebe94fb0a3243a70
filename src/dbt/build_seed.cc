// Seeds: CSV files as tables. Types are guessed as dbt does: integer, number, date, timestamp,
// boolean, text, the first that every value fits; column_types wins.
#include <fmt/format.h>

#include "base/strings.h"
#include "dbt/builder.h"

namespace millrace::dbt {

namespace {

struct Guess {
  const char* type;
  const char* condition;  // of every value v that is not NULL
};

constexpr Guess kGuesses[] = {
    {"INTEGER", "regexp_full_match(v, '[+-]?[0-9]{1,9}')"},
    {"BIGINT", "regexp_full_match(v, '[+-]?[0-9]{1,18}')"},
    {"DOUBLE", "regexp_full_match(v, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?')"},
    {"DATE",
     "regexp_full_match(v, '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}') AND try_cast(v AS DATE) IS NOT "
     "NULL"},
    {"TIMESTAMP",
     "regexp_matches(v, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]') AND try_cast(v AS TIMESTAMP) "
     "IS NOT NULL"},
    {"BOOLEAN", "lower(v) IN ('true', 'false')"},
};

// The file's columns, each of the first type that all its values fit.
Result<std::vector<Column>> GuessColumns(duck::Warehouse& warehouse, const std::string& path,
                                         const std::string& delimiter) {
  const std::string reader =
      fmt::format("read_csv({}, delim = {}, header = true, all_varchar = true)", QuoteLiteral(path),
                  QuoteLiteral(delimiter));
  MR_ASSIGN_OR_RETURN(duck::QueryResult none,
                      warehouse.Query(fmt::format("SELECT * FROM {} LIMIT 0", reader)));
  std::vector<std::string> tests;
  for (const auto& column : none.columns) {
    const std::string name = "seed_file." + QuoteIdentifier(column.name);
    std::string choose = "CASE";
    for (const Guess& guess : kGuesses) {
      choose += fmt::format(
          " WHEN coalesce(bool_and(coalesce((SELECT v IS NULL OR {} FROM (SELECT {} AS v)), "
          "true)), true) "
          "THEN '{}'",
          guess.condition, name, guess.type);
    }
    tests.push_back(choose + " ELSE 'VARCHAR' END");
  }
  MR_ASSIGN_OR_RETURN(duck::QueryResult types,
                      warehouse.Query(
                          fmt::format("SELECT {} FROM {} AS seed_file", Join(tests, ", "), reader)));
  std::vector<Column> out;
  for (size_t i = 0; i < none.columns.size(); i++) {
    const duckdb::Value type = types.Get(0, i);
    out.push_back({none.columns[i].name, type.IsNull() ? "INTEGER" : type.ToString()});
  }
  return out;
}

}  // namespace

Result<Outcome> Builder::Seed(Node& node) {
  const std::string path = project_.Absolute(node.path);
  const std::string delimiter = node.config["delimiter"].text_or(",");
  MR_ASSIGN_OR_RETURN(duck::Warehouse * reader, adapter_.FileReader());
  int64_t rows = 0;
  Status status = InTransaction(node, [&](Session& session) -> Status {
    MR_ASSIGN_OR_RETURN(std::vector<Column> columns, GuessColumns(*reader, path, delimiter));
    std::vector<std::string> declared;
    for (const Column& column : columns) {
      declared.push_back(
          adapter_.Quote(column.name) + " " +
          node.config["column_types"][column.name].text_or(adapter_.SeedType(column.type)));
    }
    MR_ASSIGN_OR_RETURN(std::string existing, adapter_.Existing(session, node));
    const auto fill = [&](const std::string& table) {
      return session.LoadCsv(table, path, delimiter);
    };
    MR_ASSIGN_OR_RETURN(
        rows, adapter_.Replace(session, node, existing,
                               {.columns = "(" + Join(declared, ", ") + ")", .fill = fill}));
    return Status::Ok();
  });
  if (!status.ok()) return std::move(status).At({node.path, 0, 0, 0});
  return Outcome{"success", fmt::format("INSERT {}", rows), -1, rows};
}

}  // namespace millrace::dbt
