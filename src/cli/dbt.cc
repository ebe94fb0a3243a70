// `millrace build`, `test`, `seed`, `snapshot`, `compile`, `ls`, and `run` on a dbt project: one
// line a node as it is done, errors with their place in the template, a sum at the end.
#include "cli/dbt.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/strings.h"
#include "cli/cli.h"
#include "cli/pipeline_models.h"
#include "cli/terminal.h"
#include "cli/text_table.h"
#include "dbt/runner.h"
#include "dbt/yaml.h"

namespace millrace::cli {

namespace {

const char* Color(const std::string& status) {
  if (!UsesColor(STDOUT_FILENO)) return "";
  if (status == "fail" || status == "error") return "\033[1;31m";
  if (status == "warn" || status == "skipped") return "\033[33m";
  return "\033[32m";
}

std::string Title(const dbt::Node& node) {
  if (node.kind == "test") return "test " + node.name;
  if (node.kind == "unit_test") return "unit test " + node.tested + "::" + node.name;
  std::string kind = node.kind;
  if (node.kind == "model") kind = node.materialized() + " model";
  return kind + " " + node.schema + "." + node.alias;
}

// 4 of 28 OK    view model main.stg_orders ........................ [0.01s]
void PrintResult(const dbt::NodeResult& result, size_t index, size_t count) {
  const dbt::Outcome& outcome = result.outcome;
  if (outcome.status.empty()) return;
  static const std::map<std::string, std::string> kWords = {
      {"success", "OK"}, {"pass", "PASS"},   {"warn", "WARN"},
      {"fail", "FAIL"},  {"error", "ERROR"}, {"skipped", "SKIP"}};
  const std::string word = kWords.at(outcome.status);
  const std::string number =
      fmt::format("{:>{}} of {}", index, std::to_string(count).size(), count);
  const std::string title = OneLine(Title(*result.node), 100);
  const size_t width = std::max<size_t>(DisplayWidth(title) + 4, 70);
  std::string notes;
  if (outcome.failures > 0) notes = fmt::format("{} ", outcome.failures);
  if (outcome.rows >= 0) notes = fmt::format("{} rows ", outcome.rows);
  if (outcome.status == "skipped") notes = outcome.message + " ";
  const char* color = Color(outcome.status);
  fmt::print("{}  {}{:<5}{} {} {} [{}in {:.2f}s]\n", number, color, word, *color ? "\033[0m" : "",
             title, std::string(width - DisplayWidth(title), '.'), notes,
             static_cast<double>(result.finished_us - result.started_us) / 1e6);
  std::fflush(stdout);
}

int PrintSummary(const std::vector<dbt::NodeResult>& results) {
  std::map<std::string, int> counts;
  for (const dbt::NodeResult& result : results) {
    const dbt::Outcome& outcome = result.outcome;
    counts[outcome.status]++;
    if (outcome.status == "error") {
      std::fflush(stdout);
      fmt::print(stderr, "\n{} {}\n", result.node->kind, result.node->name);
      PrintError(result.error);
    }
    if (outcome.status == "fail" || outcome.status == "warn") {
      fmt::print("\n{} {} ({})\n  {}\n", outcome.status, result.node->name, result.node->path,
                 outcome.message);
    }
  }
  const int good = counts["success"] + counts["pass"];
  fmt::print("\nDone. PASS={} WARN={} ERROR={} SKIP={} TOTAL={}\n", good, counts["warn"],
             counts["error"] + counts["fail"], counts["skipped"], results.size());
  return counts["error"] + counts["fail"] > 0 ? kExitFault : kExitOk;
}

void List(const std::vector<dbt::Node*>& plan, const std::string& format) {
  for (const dbt::Node* node : plan) {
    if (format == "path") {
      fmt::print("{}\n", node->path);
    } else if (format == "name") {
      fmt::print("{}\n", node->name);
    } else if (format == "json") {
      fmt::print("{}\n", dbt::Value::Object({{"unique_id", node->id},
                                             {"name", node->name},
                                             {"resource_type", node->kind},
                                             {"original_file_path", node->path},
                                             {"depends_on", node->depends_on},
                                             {"tags", node->tags}})
                             .ToJson());
    } else {
      const bool unit_test = node->kind == "unit_test";
      fmt::print("{}{}\n", unit_test || node->kind == "source" ? node->kind + ":" : "",
                 unit_test ? node->package + "." + node->name : Join(node->fqn, "."));
    }
  }
}

}  // namespace

bool IsDbtProject(const std::string& directory) {
  return std::filesystem::exists((directory.empty() ? "." : directory) + "/dbt_project.yml");
}

bool HasSqlTests(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code none;
  if (!fs::exists(directory + "/sql", none)) return false;
  for (const auto& entry : fs::directory_iterator(directory + "/tests", none)) {
    if (entry.path().extension() == ".yml") return true;
  }
  return false;
}

int RunDbt(const DbtOptions& options) {
  dbt::ProjectOptions project_options;
  project_options.directory = CleanPath(options.directory);
  project_options.profiles_directory = options.profiles_directory;
  project_options.target = options.target;
  project_options.full_refresh = options.full_refresh;
  project_options.store_failures = options.store_failures;
  if (!options.vars.empty()) {
    auto vars = dbt::ParseYaml(options.vars, "--vars");
    if (!vars.ok()) return Fail(vars.status());
    if (!vars->is_map()) {
      return Fail(Status(Code::kBadOption, "--vars must be a map, such as '{days: 7}'"));
    }
    project_options.vars = *vars;
  }
  auto loaded = PipelineModels::Load(project_options);
  if (!loaded.ok()) return Fail(loaded.status());
  dbt::Project& project = loaded->models();
  dbt::RunnerOptions runner_options;
  runner_options.command = options.command;
  runner_options.selection = {options.select, options.exclude};
  runner_options.fail_fast = options.fail_fast;
  dbt::Runner runner(project, runner_options);
  auto plan = runner.Plan();
  if (!plan.ok()) return Fail(plan.status());
  if (options.command == "ls") {
    List(*plan, options.format);
    return kExitOk;
  }
  if (const auto url = loaded->running_at()) {
    std::deque<dbt::Node> nodes;
    auto results = RunModelsAt(*url, project_options, runner_options, PrintResult, nodes);
    return results.ok() ? PrintSummary(*results) : Fail(results.status());
  }
  Status status = loaded->Start(*plan, runner.options());
  if (!status.ok()) return Fail(status);
  status = runner.Run(*plan, PrintResult, [](const std::string& text) {
    fmt::print("{}\n", text);
    std::fflush(stdout);
  });
  const int code = PrintSummary(runner.results());
  return status.ok() ? code : Fail(status);
}

}  // namespace millrace::cli
