#include "cli/select_runner.h"

#include <fmt/format.h>

#include <set>
#include <thread>

#include "cli/row_printer.h"
#include "cli/sql_answer.h"
#include "env/clock.h"
#include "sql/lexer.h"

namespace millrace::cli {

namespace {

// The project's tables that a query's text names, by way of views too.
void CollectTables(const sql::Catalog& catalog, const sql::Fragment& query,
                   std::set<const sql::Table*>& tables, std::set<std::string>& views) {
  for (const sql::Token& token : sql::Lex(query.text, query.span).tokens) {
    if (!token.IsName()) continue;
    if (const sql::Table* table = catalog.FindTable(token.NameText())) tables.insert(table);
    const sql::View* view = catalog.FindView(token.NameText());
    if (view && views.insert(view->name).second) CollectTables(catalog, view->flink, tables, views);
  }
}

Status SelectFromWarehouse(project::Runtime& runtime, const sql::Fragment& query,
                           int64_t rows_max) {
  duck::QueryOptions options;
  options.read_only = true;
  if (rows_max > 0) options.max_rows = rows_max;
  auto result = runtime.warehouse().Query(query.text, options);
  if (!result.ok()) {
    Status status = result.status();
    SourceSpan at = status.span();
    if (at.line <= 1) at.column += query.span.column - (at.column > 0 ? 1 : 0);
    at.line = query.span.line + (at.line > 0 ? at.line - 1 : 0);
    at.file = query.span.file;
    return std::move(status).At(at);
  }
  MR_ASSIGN_OR_RETURN(SqlAnswer answer, ParseSqlAnswer(result->ToJson()));
  fmt::print("{}", AnswerAsTable(answer));
  return Status::Ok();
}

Status SelectFromStreams(project::Runtime& runtime, const sql::Select& select, int64_t rows_max,
                         const std::atomic<bool>& stop) {
  const project::Project& project = runtime.project();
  MR_ASSIGN_OR_RETURN(
      auto compiled,
      job::CompileSelect(project.grown_catalog(), select, project.settings(),
                         [&](const sql::Table& table) { return project.Bind(table); }));
  RowPrinter printer(compiled->plan.names,
                     compiled->plan.changelog != stream::ChangelogKind::kAppend);
  std::atomic<bool> enough{false};
  std::atomic<bool> ended{false};
  job::JobOptions options;  // no state directory: nothing of it outlives this call
  options.services = runtime.Services();
  options.on_rows = [&](duckdb::DataChunk& rows, const int32_t* weights) {
    printer.Print(rows, weights, rows_max);
    if (rows_max > 0 && printer.printed() >= rows_max) enough = true;
  };
  MR_ASSIGN_OR_RETURN(auto job, job::Job::Open(std::move(compiled), std::move(options)));
  Status status;
  std::thread runner([&] {
    status = job->Run();
    ended = true;
  });
  while (!ended && !enough && !stop) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  job->RequestStop();
  runner.join();
  if (status.ok()) printer.Finish();
  return status;
}

}  // namespace

bool IsForWarehouse(const project::Project& project, const sql::Fragment& query) {
  std::set<const sql::Table*> tables;
  std::set<std::string> views;
  CollectTables(project.catalog(), query, tables, views);
  for (const sql::Table* table : tables) {
    auto binding = project.Bind(*table);
    if (binding.ok() && binding->connector->spec.name == "warehouse") return true;
  }
  return tables.empty();
}

Status RunSelect(project::Runtime& runtime, const sql::Select& select, int64_t rows_max,
                 const std::atomic<bool>& stop) {
  if (IsForWarehouse(runtime.project(), select.query)) {
    return SelectFromWarehouse(runtime, select.query, rows_max);
  }
  return SelectFromStreams(runtime, select, rows_max, stop);
}

}  // namespace millrace::cli
