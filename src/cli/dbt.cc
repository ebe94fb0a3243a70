// `millrace build`, `test`, `seed`, `snapshot`, `compile`, `ls`, and `run` on a dbt project: one
// line a node as it is done, errors with their place in the template, a sum at the end.
#include "cli/dbt.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <thread>

#include "base/strings.h"
#include "cli/cli.h"
#include "cli/pipeline_models.h"
#include "cli/stop_signal.h"
#include "cli/terminal.h"
#include "cli/text_table.h"
#include "dbt/runner.h"
#include "dbt/yaml.h"
#include "env/files.h"

namespace millrace::cli {

namespace {

const char* Color(const std::string& status) {
  if (!UsesColor(STDOUT_FILENO)) return "";
  if (status == "fail" || status == "error") return "\033[1;31m";
  if (status == "warn" || status == "skipped" || status == "partial success") return "\033[33m";
  return "\033[32m";
}

std::string Title(const dbt::Node& node) {
  if (node.kind == "test") return "test " + node.name;
  if (node.kind == "unit_test") return "unit test " + node.tested + "::" + node.name;
  std::string kind = node.kind;
  if (node.kind == "model") kind = node.materialized() + " model";
  return kind + " " + node.schema + "." + node.alias;
}

std::string Number(size_t index, size_t count) {
  return fmt::format("{:>{}} of {}", index, std::to_string(count).size(), count);
}

// 4 of 28  RUN   view model main.stg_orders
void PrintStart(const dbt::NodeResult& result, size_t index, size_t count) {
  fmt::print("{}  RUN   {}\n", Number(index, count), OneLine(Title(*result.node), 100));
  std::fflush(stdout);
}

// 4 of 28  OK    view model main.stg_orders ........................ [0.01s]
void PrintResult(const dbt::NodeResult& result, size_t index, size_t count) {
  const dbt::Outcome& outcome = result.outcome;
  if (outcome.status.empty()) return;
  static const std::map<std::string, std::string> kWords = {
      {"success", "OK"},  {"pass", "PASS"},    {"warn", "WARN"},           {"fail", "FAIL"},
      {"error", "ERROR"}, {"skipped", "SKIP"}, {"partial success", "PART"}};
  const std::string word = kWords.at(outcome.status);
  const std::string number = Number(index, count);
  const std::string title = OneLine(Title(*result.node), 100);
  const size_t width = std::max<size_t>(DisplayWidth(title) + 4, 70);
  std::string notes;
  if (outcome.failures > 0) notes = fmt::format("{} ", outcome.failures);
  if (!outcome.batches.is_null()) notes = outcome.message + " ";
  if (outcome.rows >= 0) notes += fmt::format("{} rows ", outcome.rows);
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
    if (!outcome.note.empty()) fmt::print("\nnote: {}: {}\n", result.node->name, outcome.note);
    if (!result.error.ok()) {
      std::fflush(stdout);
      fmt::print(stderr, "\n{} {}\n", result.node->kind, result.node->name);
      PrintError(result.error);
    }
    if (outcome.status == "fail" || outcome.status == "warn") {
      fmt::print("\n{} {} ({})\n  {}\n", outcome.status, result.node->name, result.node->path,
                 outcome.message);
    }
  }
  const int faults = counts["error"] + counts["fail"] + counts["partial success"];
  const int good = counts["success"] + counts["pass"];
  fmt::print("\nDone. PASS={} WARN={} ERROR={} SKIP={} TOTAL={}\n", good, counts["warn"], faults,
             counts["skipped"], results.size());
  return faults > 0 ? kExitFault : kExitOk;
}

// While one lives, Ctrl-C and SIGTERM break the run off; a second one ends the process.
class StopOnSignal {
 public:
  explicit StopOnSignal(dbt::Runner& runner)
      : signalled_(CatchStopSignals()), thread_([this, &runner] {
          // Again and again, for it may be between two statements.
          while (!over_) {
            if (signalled_) runner.Cancel();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          }
        }) {}
  ~StopOnSignal() {
    over_ = true;
    thread_.join();
  }
  bool stopped() const { return signalled_; }

 private:
  const std::atomic<bool>& signalled_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

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

// What a change of a column reaches: a line per column, or per node whose rows change.
int ListDownstream(const dbt::Project& project, dbt::Runner& runner, const std::string& wanted,
                   const std::string& format) {
  const size_t dot = wanted.rfind('.');
  if (dot == std::string::npos) {
    return Fail(Status(Code::kBadOption, "--downstream-of takes model.column"));
  }
  auto graph = runner.Lineage();
  if (!graph.ok()) return Fail(graph.status());
  auto impacts = graph->Downstream(project, wanted.substr(0, dot), wanted.substr(dot + 1));
  if (!impacts.ok()) return Fail(impacts.status());
  for (const dbt::Impact& impact : *impacts) {
    const std::string& name = project.nodes.at(impact.place.node).name;
    const char* how = duck::InfluenceName(impact.how);
    if (format == "json") {
      fmt::print("{}\n", dbt::Value::Object({{"unique_id", impact.place.node},
                                             {"column", impact.place.column},
                                             {"influence", how}})
                             .ToJson());
    } else if (impact.place.column.empty()) {
      fmt::print("{} (its rows)  {}\n", name, how);
    } else {
      fmt::print("{}.{}  {}\n", name, impact.place.column, how);
    }
  }
  for (const auto& [id, status] : graph->unknown()) {
    fmt::print(stderr, "note: {} is not looked into: {}\n", id, status.message());
  }
  return kExitOk;
}

Result<dbt::ProjectOptions> ProjectOptionsOf(const DbtOptions& options) {
  dbt::ProjectOptions out;
  out.directory = CleanPath(options.directory);
  out.profiles_directory = options.profiles_directory;
  out.target = options.target;
  out.full_refresh = options.full_refresh;
  out.threads = options.threads;
  out.store_failures = options.store_failures;
  out.state_directory = options.state;
  out.defer = options.defer;
  out.favor_state = options.favor_state;
  out.event_time_start = options.event_time_start;
  out.event_time_end = options.event_time_end;
  if (options.vars.empty()) return out;
  MR_ASSIGN_OR_RETURN(out.vars, dbt::ParseYaml(options.vars, "--vars"));
  if (out.vars.is_map()) return out;
  return Status(Code::kBadOption, "--vars must be a map, such as '{days: 7}'");
}

// The options of the project's last run, where none are given; gives what is left of it.
Result<dbt::LastRun> TakeLastRun(DbtOptions& options) {
  const std::string file = CleanPath(options.directory) + "/dbt_project.yml";
  MR_ASSIGN_OR_RETURN(std::string text, env::ReadWholeFile(*env::FileSystem::Real(), file));
  MR_ASSIGN_OR_RETURN(dbt::Value project, dbt::ParseYaml(text, file));
  const std::string target = project["target-path"].text_or("target");
  MR_ASSIGN_OR_RETURN(dbt::LastRun last,
                      dbt::RunJournal::ReadLast(CleanPath(options.directory) + "/" + target));
  const dbt::Value& args = last.args;
  options.command = last.command;
  for (const auto& [option, name] : {std::pair(&options.target, "target"),
                                     std::pair(&options.profiles_directory, "profiles_dir"),
                                     std::pair(&options.state, "state")}) {
    if (option->empty()) *option = args[name].text();
  }
  if (options.vars.empty() && args["vars"].truth()) options.vars = args["vars"].ToJson();
  if (options.threads == 0) options.threads = static_cast<int>(args["threads"].whole());
  options.full_refresh |= args["full_refresh"].truth();
  options.store_failures |= args["store_failures"].truth();
  options.defer |= args["defer"].truth();
  options.favor_state |= args["favor_state"].truth();
  return last;
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

int RunDbt(const DbtOptions& given) {
  DbtOptions options = given;
  dbt::RunnerOptions runner_options;
  dbt::Value retry_batches = dbt::Value::Object();
  if (options.command == "retry") {
    auto last = TakeLastRun(options);
    if (!last.ok()) return Fail(last.status());
    if (last->unfinished.empty()) {
      fmt::print("nothing to retry: the last run ended without errors\n");
      return kExitOk;
    }
    for (const auto& [id, batches] : last->batches) {
      if (batches.truth()) retry_batches.Set(id, batches);
    }
    runner_options.selection.only = {last->unfinished.begin(), last->unfinished.end()};
  }
  auto project_options = ProjectOptionsOf(options);
  if (!project_options.ok()) return Fail(project_options.status());
  project_options->retry_batches = retry_batches;
  auto loaded = PipelineModels::Load(*project_options);
  if (!loaded.ok()) return Fail(loaded.status());
  dbt::Project& project = loaded->models();
  runner_options.command = options.command;
  runner_options.selection.select = options.select;
  runner_options.selection.exclude = options.exclude;
  runner_options.fail_fast = options.fail_fast;
  dbt::Runner runner(project, runner_options);
  if (!options.downstream_of.empty() || options.command == "docs") {
    Status started = loaded->Start({}, runner.options());
    if (!started.ok()) return Fail(started);
  }
  if (!options.downstream_of.empty()) {
    return ListDownstream(project, runner, options.downstream_of, options.format);
  }
  if (options.command == "docs") {
    Status status = runner.Docs();
    if (!status.ok()) return Fail(status);
    const std::string page = project.Absolute(project.target_directory + "/index.html");
    fmt::print("{}\n", std::filesystem::path(page).lexically_normal().string());
    return kExitOk;
  }
  auto plan = runner.Plan();
  if (!plan.ok()) return Fail(plan.status());
  if (options.command == "ls") {
    List(*plan, options.format);
    return kExitOk;
  }
  if (const auto url = loaded->running_at()) {
    std::deque<dbt::Node> nodes;
    auto results = RunModelsAt(*url, *project_options, runner_options, PrintResult, nodes);
    return results.ok() ? PrintSummary(*results) : Fail(results.status());
  }
  Status status = loaded->Start(*plan, runner.options());
  if (!status.ok()) return Fail(status);
  // With several at once the order of their ends does not say what is at work.
  const bool starts = runner.threads() > 1;
  const auto progress = [&](const dbt::NodeResult& result, size_t index, size_t count) {
    if (starts && result.outcome.status.empty()) PrintStart(result, index, count);
    PrintResult(result, index, count);
  };
  bool stopped = false;
  {
    StopOnSignal stop(runner);
    status = runner.Run(*plan, progress, [](const std::string& text) {
      fmt::print("{}\n", text);
      std::fflush(stdout);
    });
    stopped = stop.stopped();
  }
  const int code = PrintSummary(runner.results());
  if (!status.ok()) return Fail(status);
  return stopped ? kExitFault : code;
}

}  // namespace millrace::cli
