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

}  // namespace

Result<Outcome> Builder::Seed(Node& node) {
  const std::string file = QuoteLiteral(project_.Absolute(node.path));
  const std::string delimiter = QuoteLiteral(node.config["delimiter"].text_or(","));
  const std::string reader =
      fmt::format("read_csv({}, delim = {}, header = true, all_varchar = true)", file, delimiter);
  int64_t rows = 0;
  Status status = InTransaction(node, [&](duckdb::Connection& connection) -> Status {
    MR_ASSIGN_OR_RETURN(std::vector<Column> columns,
                        ColumnsOf(connection, "SELECT * FROM " + reader));
    std::vector<std::string> tests, declared;
    for (const Column& column : columns) {
      const std::string name = QuoteIdentifier(column.name);
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
    MR_ASSIGN_OR_RETURN(
        duck::QueryResult types,
        duck::Warehouse::QueryOn(connection,
                                 fmt::format("SELECT {} FROM {}", Join(tests, ", "), reader)));
    for (size_t i = 0; i < columns.size(); i++) {
      std::string type = types.Get(0, i).IsNull() ? "INTEGER" : types.Get(0, i).ToString();
      type = node.config["column_types"][columns[i].name].text_or(type);
      declared.push_back(QuoteIdentifier(columns[i].name) + " " + type);
    }
    MR_RETURN_IF_ERROR(DropOther(connection, node, "BASE TABLE"));
    MR_RETURN_IF_ERROR(Run(connection, fmt::format("CREATE OR REPLACE TABLE {} ({})",
                                                   QualifiedName(node), Join(declared, ", "))));
    MR_ASSIGN_OR_RETURN(rows,
                        Count(connection, fmt::format("COPY {} FROM {} (FORMAT CSV, HEADER TRUE, "
                                                      "DELIMITER {})",
                                                      QualifiedName(node), file, delimiter)));
    return Status::Ok();
  });
  if (!status.ok()) return std::move(status).At({node.path, 0, 0, 0});
  return Outcome{"success", fmt::format("INSERT {}", rows), -1, rows};
}

}  // namespace millrace::dbt
