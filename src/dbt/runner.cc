#include "dbt/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/strings.h"
#include "dbt/artifacts.h"
#include "dbt/docs.h"
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
      templates_(project),
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
    Status status = builder_->RunHooks(package.config[when], owner);
    if (!status.ok()) return std::move(status).Annotate(when);
  }
  return Status::Ok();
}

Status Runner::Carry(const std::vector<Node*>& plan, const Progress& progress) {
  std::set<std::string> broken;   // failed, or skipped because of one that failed
  std::set<std::string> doubted;  // a test of theirs failed; their other tests run all the same
  std::map<std::string, std::string> refused;  // models with a unit test of theirs that failed
  bool stop = false;
  for (size_t i = 0; i < plan.size(); i++) {
    Node& node = *plan[i];
    NodeResult result;
    result.node = &node;
    result.started_us = env::Clock::System()->WallMicros();
    result.finished_us = result.started_us;
    std::string cause;
    // What a unit test needs is what its model needs.
    const bool unit_test = node.kind == "unit_test";
    const Node& needing = unit_test ? *project_.Find(node.depends_on.front()) : node;
    if (refused.contains(node.id)) cause = refused[node.id];
    for (const std::string& parent : needing.depends_on) {
      const bool held_back = node.kind != "test" && doubted.contains(parent);
      if (broken.contains(parent) || held_back) cause = parent;
    }
    if (stop || cancelled_ || !cause.empty()) {
      result.outcome.status = "skipped";
      result.outcome.message = cancelled_ ? "because the run was stopped"
                               : stop     ? "--fail-fast"
                                          : "because of " + cause;
      broken.insert(node.id);
    } else {
      progress(result, i + 1, plan.size());
      Result<Outcome> outcome = [&]() -> Result<Outcome> {
        if (options_.command != "compile") return builder_->Build(node);
        if (node.kind == "seed") return Outcome{"success", "", -1, -1};
        MR_RETURN_IF_ERROR(templates_.Compile(node).status());
        return Outcome{"success", "", -1, -1};
      }();
      result.finished_us = env::Clock::System()->WallMicros();
      if (outcome.ok()) {
        result.outcome = *outcome;
        result.error = outcome->error;
      } else {
        result.error = outcome.status();
        result.outcome.status = "error";
        result.outcome.message = outcome.status().message();
      }
      if (!node.compiled.empty()) MR_RETURN_IF_ERROR(WriteCompiled(project_, node));
    }
    const std::string& status = result.outcome.status;
    if (status == "error" || status == "fail" || status == "partial success") {
      stop = stop || options_.fail_fast;
      broken.insert(node.id);
      if (unit_test) refused[node.depends_on.front()] = node.id;
      // A failed test holds back what reads the nodes that it tested.
      if (node.kind == "test" && options_.command == "build") {
        doubted.insert(node.depends_on.begin(), node.depends_on.end());
      }
    }
    results_.push_back(result);
    MR_RETURN_IF_ERROR(journal_.Note(node.id, status, result.outcome.batches["failed"]));
    progress(results_.back(), i + 1, plan.size());
  }
  return Status::Ok();
}

Status Runner::OpenDatabase() {
  MR_ASSIGN_OR_RETURN(adapter_, options_.open(project_));
  interruptible_ = adapter_.get();
  builder_ = std::make_unique<Builder>(project_, templates_, *adapter_, &journal_);
  builder_->set_refresh_stream(options_.refresh_stream);
  return Status::Ok();
}

void Runner::Cancel() {
  cancelled_ = true;
  if (Adapter* adapter = interruptible_) adapter->Interrupt();
}

Result<duck::Warehouse*> Runner::OpenForPlans() {
  MR_RETURN_IF_ERROR(OpenDatabase());
  if (adapter_->type() == "duckdb") return adapter_->FileReader();
  return Status(Code::kUnsupported, "columns are traced through DuckDB's plans only")
      .WithHint("choose a target with `type: duckdb`");
}

Result<ColumnGraph> Runner::Lineage() {
  MR_ASSIGN_OR_RETURN(duck::Warehouse * warehouse, OpenForPlans());
  return ColumnGraph::Trace(project_, templates_, *warehouse);
}

Status Runner::Docs() {
  MR_ASSIGN_OR_RETURN(duck::Warehouse * warehouse, OpenForPlans());
  MR_ASSIGN_OR_RETURN(ColumnGraph graph, ColumnGraph::Trace(project_, templates_, *warehouse));
  return WriteDocs(project_, graph, *warehouse);
}

Status Runner::Defer(const std::vector<Node*>& plan) {
  if (project_.past == nullptr) {
    return Status(Code::kBadOption, "--defer needs an earlier run's artifacts")
        .WithHint("name their directory with --state");
  }
  MR_ASSIGN_OR_RETURN(
      Rows tables, adapter_->Query("SELECT lower(database || '.' || schema || '.' || name) FROM " +
                                   adapter_->Relations() + " AS relations"));
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
  templates_.set_deferred(std::move(deferred));
  return Status::Ok();
}

Status Runner::Run(const std::vector<Node*>& plan, const Progress& progress,
                   const std::function<void(const std::string&)>& log) {
  const int64_t started_us = env::Clock::System()->WallMicros();
  templates_.set_log(log);
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
  Status status = Carry(plan, progress);
  if (status.ok()) status = Hooks("on-run-end");
  const int64_t elapsed_us = env::Clock::System()->WallMicros() - started_us;
  MR_RETURN_IF_ERROR(WriteArtifacts(project_, options_.command, results_, elapsed_us));
  // A run that ended early stays in the journal, with what was not reached.
  if (results_.size() == plan.size()) MR_RETURN_IF_ERROR(journal_.End());
  return status;
}

}  // namespace millrace::dbt
