#include <fmt/format.h>

#include <set>

#include "base/strings.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/select_runner.h"
#include "cli/statement_answers.h"
#include "cli/terminal.h"
#include "project/dashboard.h"
#include "project/project.h"

namespace millrace::cli {

namespace {

std::string Count(size_t count, const std::string& what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

bool IsFile(const std::string& path) {
  return path.size() > 4 && path.compare(path.size() - 4, 4, ".sql") == 0;
}

// What only the running project finds out, in words; one line each.
std::set<std::string> NotChecked(const project::Project& project, size_t dashboards) {
  std::set<std::string> lines;
  for (const sql::Table* table : project.catalog().Tables()) {
    auto binding = project.Bind(*table);
    if (!binding.ok()) continue;
    const std::string& connector = binding->connector->spec.name;
    auto option = [&](const char* key) {
      auto found = binding->options.find(key);
      return found == binding->options.end() ? std::string("?") : found->second;
    };
    if (connector == "jdbc") {
      // What follows the "?" may hold a password.
      std::string url = Split(option("url"), '?')[0];
      lines.insert(
          fmt::format("PostgreSQL at {}: the connection, and whether table \"{}\" there fits", url,
                      option("table-name")));
    } else if (connector == "filesystem") {
      lines.insert(
          fmt::format("files in {} (table \"{}\"): whether they are there and hold such rows",
                      option("path"), table->name));
    } else if (connector == "kafka") {
      lines.insert(fmt::format("records in topic \"{}\": whether they decode as table \"{}\"",
                               option("topic"), table->name));
    } else if (connector == "warehouse") {
      lines.insert("the warehouse: whether tables that are there already have the same columns");
    }
  }
  if (!project.jobs().empty()) {
    lines.insert("state of earlier runs: whether it still fits the queries");
  }
  if (dashboards > 0)
    lines.insert("the queries of dashboards: they run against the warehouse's tables");
  for (const sql::Statement& statement : project.others()) {
    const auto* select = statement.As<sql::Select>();
    if (select && IsForWarehouse(project, select->query)) {
      lines.insert("SELECT statements over the warehouse: its tables are made by the jobs");
    }
  }
  return lines;
}

// EXPLAIN, SHOW and DESCRIBE answer without running anything, and a SELECT over streams has a plan.
Status CheckStatement(const project::Project& project, const sql::Statement& statement) {
  const auto* select = statement.As<sql::Select>();
  if (!select) return AnswerStatement(project, statement).status();
  if (IsForWarehouse(project, select->query)) return Status::Ok();
  return ExplainStatement(project, statement).status();
}

}  // namespace

int RunValidate(const ValidateOptions& options) {
  std::string path = CleanPath(options.path);
  std::vector<Status> faults;
  auto project = project::Project::Load(path, options.target, faults);
  bool is_project = faults.empty() || faults[0].code() != Code::kNotFound;
  if (!is_project) return Fail(faults[0]);
  std::set<std::string> seen;
  for (const Status& fault : faults) seen.insert(fault.ToString());
  auto add = [&](Status fault) {
    if (seen.insert(fault.ToString()).second) faults.push_back(std::move(fault));
  };
  for (Status& fault : project->Validate()) add(std::move(fault));
  for (const sql::Statement& statement : project->others()) {
    Status status = CheckStatement(*project, statement);
    if (!status.ok()) add(std::move(status));
  }
  size_t dashboard_count = 0;
  if (!IsFile(path)) {
    auto dashboards = project::LoadDashboards(path);
    if (dashboards.ok()) {
      dashboard_count = dashboards->size();
    } else {
      faults.push_back(dashboards.status());
    }
  }
  int code = faults.empty() ? static_cast<int>(kExitOk) : FailAll(faults);

  std::vector<std::string> checked = {Count(project->catalog().Tables().size(), "table"),
                                      Count(project->catalog().Views().size(), "view"),
                                      Count(project->jobs().size(), "job")};
  if (!project->others().empty()) {
    checked.push_back(Count(project->others().size(), "other statement"));
  }
  if (!IsFile(path)) checked.push_back(Count(dashboard_count, "dashboard"));
  fmt::print("{}checked, for target \"{}\": {}\n", faults.empty() ? "no faults found\n" : "",
             project->config().target, Join(checked, ", "));
  std::set<std::string> unchecked = NotChecked(*project, dashboard_count);
  if (!unchecked.empty()) fmt::print("not checked, needs the running project:\n");
  for (const std::string& line : unchecked) fmt::print("  - {}\n", line);
  return code;
}

}  // namespace millrace::cli
