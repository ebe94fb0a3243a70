#include "project/model_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/strings.h"
#include "dbt/runner.h"
#include "project/model_runs.h"
#include "project/stream_models.h"

namespace millrace::project {

namespace {

dbt::Value ErrorOf(const Status& error) {
  if (error.ok()) return {};
  return dbt::Value::Object({{"code", static_cast<int64_t>(error.code())},
                             {"message", error.message()},
                             {"detail", error.detail()},
                             {"hint", error.hint()},
                             {"file", error.span().file},
                             {"line", error.span().line},
                             {"column", error.span().column}});
}

std::string EventOf(const dbt::NodeResult& result, size_t index, size_t count) {
  const dbt::Node& node = *result.node;
  const dbt::Outcome& outcome = result.outcome;
  return dbt::Value::Object(
             {{"index", static_cast<int64_t>(index)},
              {"count", static_cast<int64_t>(count)},
              {"kind", node.kind},
              {"name", node.name},
              {"path", node.path},
              {"materialized", node.materialized()},
              {"schema", node.schema},
              {"alias", node.alias},
              {"status", outcome.status},
              {"message", outcome.message},
              {"error", ErrorOf(result.error)},
              {"rows", outcome.rows},
              {"failures", outcome.failures},
              {"seconds", static_cast<double>(result.finished_us - result.started_us) / 1e6}})
      .ToJson();
}

}  // namespace

struct ModelDesk::Work {
  std::unique_ptr<dbt::Project> models;
  std::unique_ptr<dbt::Runner> runner;
  std::vector<dbt::Node*> plan;
};

ModelDesk::~ModelDesk() {
  // Again and again, for it may be between two statements.
  for (;; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!busy_) break;
    if (work_) work_->runner->Cancel();
  }
  if (thread_.joinable()) thread_.join();
}

Result<std::shared_ptr<ModelDesk::Work>> ModelDesk::Prepare(std::string_view request) {
  const std::string directory = runtime_.project().directory();
  if (!HasModels(directory)) {
    return Status(Code::kNotFound, "the project has no models")
        .WithHint("put dbt_project.yml and models/ beside millrace.yml");
  }
  MR_ASSIGN_OR_RETURN(dbt::Value asked, dbt::Value::FromJson(request));
  dbt::ProjectOptions options;
  options.directory = directory;
  options.full_refresh = asked["full_refresh"].truth();
  options.threads = static_cast<int>(asked["threads"].whole());
  if (options.threads < 0 || options.threads > dbt::kThreadsMax) {
    return Status(Code::kInvalidArgument,
                  fmt::format("threads is {}, and not a number from 1 to {}", options.threads,
                              dbt::kThreadsMax));
  }
  options.store_failures = asked["store_failures"].truth();
  options.state_directory = asked["state"].text();
  options.defer = asked["defer"].truth();
  options.favor_state = asked["favor_state"].truth();
  options.event_time_start = asked["event_time_start"].text();
  options.event_time_end = asked["event_time_end"].text();
  if (asked["retry_batches"].is_map()) options.retry_batches = asked["retry_batches"];
  if (asked["vars"].is_map()) options.vars = asked["vars"];
  auto work = std::make_shared<Work>();
  MR_ASSIGN_OR_RETURN(work->models, LoadModels(options, runtime_.project().catalog()));
  dbt::RunnerOptions runner;
  runner.command = asked["command"].text();
  static const std::vector<std::string> kCommands = {"build", "run",      "test",
                                                     "seed",  "snapshot", "compile"};
  if (std::find(kCommands.begin(), kCommands.end(), runner.command) == kCommands.end()) {
    return Status(Code::kInvalidArgument, fmt::format("\"{}\" is no command", runner.command))
        .WithHint(DidYouMean(runner.command, kCommands));
  }
  runner.selection.select = asked["select"].texts();
  runner.selection.exclude = asked["exclude"].texts();
  if (asked.has("only")) {
    const std::vector<std::string> only = asked["only"].texts();
    runner.selection.only = std::set<std::string>(only.begin(), only.end());
  }
  runner.fail_fast = asked["fail_fast"].truth();
  if (RunInWarehouse(*work->models)) UseRuntime(runtime_, runner);
  work->runner = std::make_unique<dbt::Runner>(*work->models, runner);
  MR_ASSIGN_OR_RETURN(work->plan, work->runner->Plan());
  return work;
}

Result<std::string> ModelDesk::Start(std::string_view request) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (busy_) {
      return Status(Code::kUnavailable, "another run of the models is at work")
          .WithHint("wait until it has ended; GET /api/models/runs names it")
          .WithRetry(Retry::kBackoff);
    }
    busy_ = true;
  }
  auto work = Prepare(request);
  std::lock_guard<std::mutex> lock(mutex_);
  if (!work.ok()) {
    busy_ = false;
    return work.status();
  }
  if (thread_.joinable()) thread_.join();  // the last run's, which has ended
  work_ = *work;
  Run& run = runs_.emplace_front();
  run.number = ++started_;
  run.command = work_->runner->options().command;
  run.nodes = work_->plan.size();
  if (runs_.size() > kRunsKept) runs_.pop_back();
  thread_ = std::thread([this, work = *work] { Carry(*work); });
  return fmt::format(R"({{"run":{}}})", started_);
}

void ModelDesk::Note(std::string event) {
  std::lock_guard<std::mutex> lock(mutex_);
  runs_.front().events.push_back(std::move(event));
}

void ModelDesk::Carry(Work& work) {
  Status status = work.runner->Run(
      work.plan,
      [this](const dbt::NodeResult& result, size_t index, size_t count) {
        if (!result.outcome.status.empty()) Note(EventOf(result, index, count));
      },
      [this](const std::string& text) {
        Note(dbt::Value::Object({{"log", text}}).ToJson());
      });
  std::lock_guard<std::mutex> lock(mutex_);
  Run& run = runs_.front();
  if (!status.ok()) run.error = status.ToString();
  run.ended = true;
  busy_ = false;
}

Result<std::string> ModelDesk::EventsJson(int64_t run, size_t from) const {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = std::find_if(runs_.begin(), runs_.end(),
                            [&](const Run& kept) { return kept.number == run; });
  if (found == runs_.end()) {
    return Status(Code::kNotFound, fmt::format("run {} of the models is not known", run))
        .WithHint(fmt::format("{} were started; the last {} are kept", started_, kRunsKept));
  }
  const std::vector<std::string>& all = found->events;
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(std::min(from, all.size()));
  return fmt::format(R"({{"run":{},"ended":{},"error":{},"events":[{}]}})", run, found->ended,
                     JsonQuote(found->error), Join(std::vector<std::string>(begin, all.end()), ","));
}

std::string ModelDesk::RunsJson() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> runs;
  for (const Run& run : runs_) {
    runs.push_back(fmt::format(R"({{"run":{},"command":{},"nodes":{},"ended":{},"error":{}}})",
                               run.number, JsonQuote(run.command), run.nodes, run.ended,
                               JsonQuote(run.error)));
  }
  return fmt::format(R"({{"runs":[{}]}})", Join(runs, ","));
}

}  // namespace millrace::project
