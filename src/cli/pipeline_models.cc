#include "cli/pipeline_models.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "cli/client.h"
#include "cli/dev_process.h"
#include "project/model_runs.h"
#include "project/stream_models.h"

namespace millrace::cli {

namespace {

constexpr auto kAskEvery = std::chrono::milliseconds(100);

dbt::NodeResult ResultOf(const dbt::Value& event, std::deque<dbt::Node>& nodes) {
  dbt::Node& node = nodes.emplace_back();
  node.kind = event["kind"].text();
  node.name = event["name"].text();
  node.path = event["path"].text();
  node.schema = event["schema"].text();
  node.alias = event["alias"].text();
  node.config.Set("materialized", event["materialized"]);
  dbt::NodeResult result;
  result.node = &node;
  result.outcome.status = event["status"].text();
  result.outcome.message = event["message"].text();
  result.outcome.rows = event["rows"].whole();
  result.outcome.failures = event["failures"].whole();
  result.finished_us =
      static_cast<int64_t>(std::strtod(event["seconds"].text().c_str(), nullptr) * 1e6);
  if (const dbt::Value& error = event["error"]; error.is_map()) {
    auto number = [&](const char* name) { return static_cast<int>(error[name].whole()); };
    result.error = Status(static_cast<Code>(number("code")), error["message"].text())
                       .WithDetail(error["detail"].text())
                       .WithHint(error["hint"].text())
                       .At({error["file"].text(), number("line"), number("column"), 0});
  }
  return result;
}

// Waits while another run is at work.
Result<dbt::Value> StartRun(const HttpClient& client, const std::string& request) {
  for (bool waits = false;; waits = true) {
    MR_ASSIGN_OR_RETURN(HttpReply reply, client.Send("POST", "/api/models/runs", request));
    if (reply.status < 300) return dbt::Value::FromJson(reply.body);
    const Status refused = ErrorOfReply(reply);
    if (reply.status != 503) return refused;
    if (!waits) {
      fmt::print("waiting: {}\n", refused.message());
      std::fflush(stdout);
    }
    std::this_thread::sleep_for(kAskEvery);
  }
}

}  // namespace

Result<PipelineModels> PipelineModels::Load(const dbt::ProjectOptions& options) {
  PipelineModels out;
  // Without scripts it is one only while `millrace dev` runs there, which owns the warehouse.
  if (!std::filesystem::exists(options.directory + "/sql") &&
      !FindDevProcess(DataDirectoryOf(options.directory))) {
    MR_ASSIGN_OR_RETURN(out.models_, dbt::Project::Load(options));
    return out;
  }
  std::vector<Status> faults;
  out.pipeline_ = project::Project::Load(options.directory, "", faults);
  if (!faults.empty()) return faults.front();
  MR_ASSIGN_OR_RETURN(out.models_, project::LoadModels(options, out.pipeline_->catalog()));
  if (!project::RunInWarehouse(*out.models_)) out.pipeline_.reset();
  return out;
}

std::optional<std::string> PipelineModels::running_at() const {
  if (!pipeline_) return std::nullopt;
  auto dev = FindDevProcess(pipeline_->data_directory());
  return dev ? std::optional<std::string>(dev->url) : std::nullopt;
}

Status PipelineModels::Start(const std::vector<dbt::Node*>& plan, dbt::RunnerOptions& options) {
  if (!pipeline_) return Status::Ok();
  if (const auto url = running_at()) {
    return Status(Code::kFailedPrecondition, "the pipeline runs already, at " + *url)
        .WithHint("stop it first: one process owns the warehouse");
  }
  std::set<std::string> streams;
  for (const dbt::Node* node : plan) {
    if (node->kind == "model" && node->materialized() == "stream") streams.insert(node->alias);
  }
  pipeline_->KeepJobs(streams);
  MR_ASSIGN_OR_RETURN(runtime_, project::Runtime::Open(std::move(pipeline_), true));
  runtime_->Start();
  project::UseRuntime(*runtime_, options);
  return Status::Ok();
}

Result<std::vector<dbt::NodeResult>> RunModelsAt(const std::string& url,
                                                 const dbt::ProjectOptions& project,
                                                 const dbt::RunnerOptions& options,
                                                 const dbt::Progress& progress,
                                                 std::deque<dbt::Node>& nodes) {
  MR_ASSIGN_OR_RETURN(HttpClient client, HttpClient::ForUrl(url));
  dbt::Value request = dbt::Value::Object({{"command", options.command},
                                           {"select", options.selection.select},
                                           {"exclude", options.selection.exclude},
                                           {"vars", project.vars},
                                           {"full_refresh", project.full_refresh},
                                           {"fail_fast", options.fail_fast},
                                           {"threads", project.threads},
                                           {"store_failures", project.store_failures},
                                           {"state", project.state_directory},
                                           {"defer", project.defer},
                                           {"favor_state", project.favor_state},
                                           {"event_time_start", project.event_time_start},
                                           {"event_time_end", project.event_time_end},
                                           {"retry_batches", project.retry_batches}});
  if (const auto& only = options.selection.only) {
    request.Set("only", std::vector<std::string>(only->begin(), only->end()));
  }
  MR_ASSIGN_OR_RETURN(dbt::Value run, StartRun(client, request.ToJson()));
  std::vector<dbt::NodeResult> results;
  for (size_t seen = 0;;) {
    MR_ASSIGN_OR_RETURN(std::string answer, client.Get(fmt::format("/api/models/runs/{}?from={}",
                                                                   run["run"].text(), seen)));
    MR_ASSIGN_OR_RETURN(dbt::Value state, dbt::Value::FromJson(answer));
    for (const dbt::Value& event : state["events"].list()) {
      seen++;
      if (event.has("log")) {
        fmt::print("{}\n", event["log"].text());
        continue;
      }
      results.push_back(ResultOf(event, nodes));
      progress(results.back(), static_cast<size_t>(event["index"].whole()),
               static_cast<size_t>(event["count"].whole()));
    }
    if (state["ended"].truth()) {
      const std::string error = state["error"].text();
      if (!error.empty()) return Status(Code::kInternal, error);
      return results;
    }
    if (state["events"].list().empty()) std::this_thread::sleep_for(kAskEvery);
  }
}

}  // namespace millrace::cli
