#include "dbt/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "base/strings.h"
#include "dbt/artifacts.h"
#include "dbt/crew.h"
#include "dbt/docs.h"
#include "dbt/schedule.h"
#include "env/clock.h"

namespace millrace::dbt {

namespace {

bool Takes(const std::string& command, const Node& node) {
  if (node.kind == "source") return command == "ls";
  if (command == "ls" || command == "compile") return true;
  if (node.kind == "model" && node.materialized() == "ephemeral") return false;
  if (command == "build") return true;
  if (command == "run") return node.kind == "model";
  if (command == "test") return node.kind == "test" || node.kind == "unit_test";
  return command == node.kind;
}

// `order` for a build: a node's tests run before what depends on it, as its last part, and unit
// tests before their model is built at all.
std::vector<std::string> WithTestsEarly(Project& project, const std::vector<std::string>& order) {
  std::map<std::string, std::vector<std::string>> readers, unit_tests;
  std::map<std::string, size_t> open;  // how many nodes a test still waits for
  for (const std::string& id : order) {
    const Node& node = *project.Find(id);
    if (node.kind == "unit_test") unit_tests[node.depends_on.front()].push_back(id);
    if (node.kind != "test") continue;
    open[id] = node.depends_on.size();
    for (const std::string& parent : node.depends_on) readers[parent].push_back(id);
  }
  std::vector<std::string> out;
  for (const std::string& id : order) {
    const Node& node = *project.Find(id);
    if (node.kind == "unit_test") continue;
    if (node.kind == "test" && !node.depends_on.empty()) continue;
    const auto& before = unit_tests[id];
    out.insert(out.end(), before.begin(), before.end());
    out.push_back(id);
    for (const std::string& test : readers[id]) {
      if (--open[test] == 0) out.push_back(test);
    }
  }
  return out;
}

}  // namespace

Runner::Runner(Project& project, RunnerOptions options)
    : project_(project),
      options_(std::move(options)),
      main_{std::make_unique<Templates>(project), nullptr, nullptr},
      journal_(project.Absolute(project.target_directory)) {}

Runner::~Runner() = default;

Result<std::vector<Node*>> Runner::Plan() {
  MR_ASSIGN_OR_RETURN(std::set<std::string> chosen, Select(project_, options_.selection));
  MR_ASSIGN_OR_RETURN(std::vector<std::string> order, InOrder(project_));
  if (options_.command == "build") order = WithTestsEarly(project_, order);
  std::vector<Node*> plan;
  for (const std::string& id : order) {
    Node* node = project_.Find(id);
    if (chosen.contains(id) && Takes(options_.command, *node)) plan.push_back(node);
  }
  return plan;
}

Status Runner::Hooks(const std::string& when) {
  if (options_.command == "compile") return Status::Ok();
  for (const Package& package : project_.packages) {
    Node owner;
    owner.kind = "operation";
    owner.package = package.name;
    owner.path =
        package.directory.empty() ? "dbt_project.yml" : package.directory + "/dbt_project.yml";
    owner.name = when;
    owner.database = project_.profile.database;
    owner.schema = project_.profile.schema;
    Status status = main_.builder->RunHooks(package.config[when], owner);
    if (!status.ok()) return std::move(status).Annotate(when);
  }
  return Status::Ok();
}

std::string Runner::Stopped() const {
  if (cancelled_) return "because the run was stopped";
  return failed_fast_ ? "because of --fail-fast" : "";
}

NodeResult Runner::CarryOut(Node& node, const Worker& worker) {
  NodeResult result;
  result.node = &node;
  result.started_us = env::Clock::System()->WallMicros();
  Result<Outcome> outcome = [&]() -> Result<Outcome> {
    if (options_.command != "compile") return worker.builder->Build(node);
    if (node.kind == "seed") return Outcome{"success", "", -1, -1};
    MR_RETURN_IF_ERROR(worker.templates->Compile(node).status());
    return Outcome{"success", "", -1, -1};
  }();
  result.finished_us = env::Clock::System()->WallMicros();
  const std::string stopped = Stopped();
  if (outcome.ok()) {
    result.outcome = *outcome;
    result.error = outcome->error;
  } else if (!stopped.empty()) {
    // Its statement was broken off, which is no fault of its own.
    result.outcome.status = "skipped";
    result.outcome.message = "broken off " + stopped;
  } else {
    result.error = outcome.status();
    result.outcome.status = "error";
    result.outcome.message = outcome.status().message();
  }
  return result;
}

Status Runner::CarryAll(const std::vector<Node*>& plan, const Progress& progress) {
  if (plan.empty()) return Status::Ok();
  MR_RETURN_IF_ERROR(Hire(std::min(threads(), plan.size())));
  if (workers_.size() > 1 && options_.command != "compile") main_.builder->CreateSchemas(plan);
  std::vector<NodeResult> carried(plan.size());
  const auto note = [&](size_t index, size_t number) -> Status {
    const NodeResult& result = results_.emplace_back(std::move(carried[index]));
    MR_RETURN_IF_ERROR(
        journal_.Note(result.node->id, result.outcome.status, result.outcome.batches["failed"]));
    progress(result, number, plan.size());
    return Status::Ok();
  };
  Work work;
  work.start = [&](size_t index, size_t number) {
    NodeResult result;
    result.node = plan[index];
    progress(result, number, plan.size());
  };
  work.carry = [&](size_t index, size_t, size_t worker) -> Result<bool> {
    Node& node = *plan[index];
    NodeResult& result = carried[index] = CarryOut(node, workers_[worker]);
    result.thread = static_cast<int>(worker) + 1;
    if (!node.compiled.empty()) MR_RETURN_IF_ERROR(WriteCompiled(project_, node));
    const std::string& status = result.outcome.status;
    const bool failed = status == "error" || status == "fail" || status == "partial success";
    if (failed && options_.fail_fast) failed_fast_ = true;
    return !failed && status != "skipped";
  };
  work.end = note;
  work.skip = [&](size_t index, size_t number, const std::string& because) {
    NodeResult& result = carried[index];
    result.node = plan[index];
    result.outcome.status = "skipped";
    result.outcome.message = because;
    result.started_us = result.finished_us = env::Clock::System()->WallMicros();
    return note(index, number);
  };
  work.stopped = [this] { return Stopped(); };
  work.break_off = [this](size_t worker) { workers_[worker].adapter->Interrupt(); };
  Schedule schedule(project_, plan, options_.command == "build");
  return Carry(schedule, workers_.size(), work);
}

std::unique_ptr<Builder> Runner::BuilderFor(Templates& templates, Adapter& adapter) {
  auto builder = std::make_unique<Builder>(project_, templates, adapter, &journal_);
  builder->set_refresh_stream(options_.refresh_stream);
  builder->set_stopped([this] { return !Stopped().empty(); });
  return builder;
}

Status Runner::Hire(size_t count) {
  while (workers_.size() < count) {
    auto adapter = main_.adapter->Another();
    if (!adapter.ok()) {
      return std::move(adapter)
          .status()
          .Annotate(fmt::format("thread {} of {}", workers_.size() + 1, count))
          .WithHint("where the server has no more connections, a smaller --threads needs fewer");
    }
    Worker& worker = workers_.emplace_back();
    worker.adapter = std::move(*adapter);
    worker.templates = main_.templates->Another();
    worker.builder = BuilderFor(*worker.templates, *worker.adapter);
  }
  return Status::Ok();
}

Status Runner::OpenDatabase() {
  MR_ASSIGN_OR_RETURN(main_.adapter, options_.open(project_));
  interruptible_ = main_.adapter.get();
  main_.builder = BuilderFor(*main_.templates, *main_.adapter);
  return Status::Ok();
}

void Runner::Cancel() {
  cancelled_ = true;
  if (Adapter* adapter = interruptible_) adapter->Interrupt();
}

Result<duck::Warehouse*> Runner::OpenForPlans() {
  MR_RETURN_IF_ERROR(OpenDatabase());
  if (main_.adapter->type() == "duckdb") return main_.adapter->FileReader();
  return Status(Code::kUnsupported, "columns are traced through DuckDB's plans only")
      .WithHint("choose a target with `type: duckdb`");
}

Result<ColumnGraph> Runner::Lineage() {
  MR_ASSIGN_OR_RETURN(duck::Warehouse * warehouse, OpenForPlans());
  return ColumnGraph::Trace(project_, *main_.templates, *warehouse);
}

Status Runner::Docs() {
  MR_ASSIGN_OR_RETURN(duck::Warehouse * warehouse, OpenForPlans());
  MR_ASSIGN_OR_RETURN(ColumnGraph graph,
                      ColumnGraph::Trace(project_, *main_.templates, *warehouse));
  return WriteDocs(project_, graph, *warehouse);
}

Status Runner::Defer(const std::vector<Node*>& plan) {
  if (project_.past == nullptr) {
    return Status(Code::kBadOption, "--defer needs an earlier run's artifacts")
        .WithHint("name their directory with --state");
  }
  MR_ASSIGN_OR_RETURN(
      Rows tables,
      main_.adapter->Query("SELECT lower(database || '.' || schema || '.' || name) FROM " +
                           main_.adapter->Relations() + " AS relations"));
  std::set<std::string> there;
  for (const Value& row : tables.rows) there.insert(row[size_t{0}].text());
  const std::set<const Node*> built_now(plan.begin(), plan.end());
  std::map<std::string, Value> deferred;
  for (const auto& [id, node] : project_.nodes) {
    const bool here = there.contains(ToLower(node.database + "." + node.schema + "." + node.alias));
    if (built_now.contains(&node) || (here && !project_.options.favor_state)) continue;
    if (node.kind != "model" && node.kind != "seed" && node.kind != "snapshot") continue;
    Value relation = project_.past->RelationOf(id);
    if (!relation.is_null()) deferred[id] = relation;
  }
  main_.templates->set_deferred(std::move(deferred));
  return Status::Ok();
}

Status Runner::Run(const std::vector<Node*>& plan, const Progress& progress,
                   const std::function<void(const std::string&)>& log) {
  const int64_t started_us = env::Clock::System()->WallMicros();
  main_.templates->set_log([&log, mutex = std::make_shared<std::mutex>()](const std::string& text) {
    std::lock_guard<std::mutex> one_at_a_time(*mutex);
    log(text);
  });
  for (const char* config : {"grants", "persist_docs"}) {
    const auto uses = [&](const Node* node) { return node->config[config].truth(); };
    const auto count = std::count_if(plan.begin(), plan.end(), uses);
    if (count > 0) log(fmt::format("note: {} has no effect here ({} nodes)", config, count));
  }
  MR_RETURN_IF_ERROR(OpenDatabase());
  if (project_.options.defer) MR_RETURN_IF_ERROR(Defer(plan));
  std::vector<std::string> ids;
  for (const Node* node : plan) ids.push_back(node->id);
  const Value arguments = RunArguments(project_, options_.command);
  MR_RETURN_IF_ERROR(journal_.Begin(options_.command, arguments, ids));
  MR_RETURN_IF_ERROR(Hooks("on-run-start"));
  Status status = CarryAll(plan, progress);
  if (status.ok() && !cancelled_) status = Hooks("on-run-end");
  const int64_t elapsed_us = env::Clock::System()->WallMicros() - started_us;
  MR_RETURN_IF_ERROR(WriteArtifacts(project_, options_.command, results_, elapsed_us));
  // A run that ended early stays in the journal, with what was not reached.
  if (results_.size() == plan.size()) MR_RETURN_IF_ERROR(journal_.End());
  return status;
}

}  // namespace millrace::dbt
