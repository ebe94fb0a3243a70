// Runs a query of the Nexmark benchmark as a batch, in DuckDB: the oracle, and a figure to compare
// with.
//
//   nexmark_batch --views FILE --query FILE [--threads N] [--rows FILE [--candidates FILE]]
//
// Without --rows every column of the result is made and thrown away. With it the rows are written,
// one a line, as the connector "print" has them: [1, text, 2015-07-15 00:00:00.1]. The second
// statement of a query file, if there is one, gives the candidates (README.md).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <duckdb.hpp>
#include <fstream>
#include <sstream>

namespace {

[[noreturn]] void Fail(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(1);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) Fail(fmt::format("cannot read \"{}\"", path));
  return text.str();
}

void CheckResult(duckdb::QueryResult& result) {
  if (result.HasError()) Fail(result.GetError());
}

// Reads the whole result; `use` gets each row as text when there is one.
template <typename Use>
void ForEachRow(duckdb::Connection& connection, duckdb::unique_ptr<duckdb::SQLStatement> statement,
                Use use) {
  auto result = connection.SendQuery(std::move(statement));
  CheckResult(*result);
  for (;;) {
    auto chunk = result->Fetch();
    if (!chunk || chunk->size() == 0) break;
    for (duckdb::idx_t row = 0; row < chunk->size(); row++) use(*chunk, row);
  }
  CheckResult(*result);
}

void WriteRows(duckdb::Connection& connection, duckdb::unique_ptr<duckdb::SQLStatement> statement,
               const std::string& path) {
  std::ofstream out(path);
  ForEachRow(connection, std::move(statement), [&](duckdb::DataChunk& chunk, duckdb::idx_t row) {
    out << '[';
    for (duckdb::idx_t c = 0; c < chunk.ColumnCount(); c++) {
      const duckdb::Value value = chunk.GetValue(c, row);
      out << (c > 0 ? ", " : "") << (value.IsNull() ? "null" : value.ToString());
    }
    out << "]\n";
  });
  if (!out.flush()) Fail(fmt::format("cannot write \"{}\"", path));
}

}  // namespace

int main(int argc, char** argv) {
  std::string views;
  std::string query;
  std::string rows;
  std::string candidates;
  int threads = 2;
  CLI::App app("Runs a Nexmark query as a batch in DuckDB");
  app.add_option("--views", views, "SQL that defines the input")->required();
  app.add_option("--query", query, "the query")->required();
  app.add_option("--threads", threads, "threads of DuckDB");
  app.add_option("--rows", rows, "write the result here");
  app.add_option("--candidates", candidates, "write what the second statement gives here");
  CLI11_PARSE(app, argc, argv);

  duckdb::DBConfig config;
  config.options.maximum_threads = static_cast<duckdb::idx_t>(threads);
  duckdb::DuckDB database(nullptr, &config);
  duckdb::Connection connection(database);
  CheckResult(*connection.Query(ReadFile(views)));
  try {
    auto statements = connection.ExtractStatements(ReadFile(query));
    if (statements.empty()) Fail(fmt::format("\"{}\" has no query", query));
    if (rows.empty()) {
      ForEachRow(connection, std::move(statements[0]), [](duckdb::DataChunk&, duckdb::idx_t) {});
      return 0;
    }
    WriteRows(connection, std::move(statements[0]), rows);
    if (!candidates.empty() && statements.size() > 1) {
      WriteRows(connection, std::move(statements[1]), candidates);
    }
  } catch (const std::exception& e) {
    Fail(duckdb::ErrorData(e).Message());
  }
  return 0;
}
