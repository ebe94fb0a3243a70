#include <fmt/format.h>

#include <thread>

#include "base/strings.h"
#include "base/units.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/dev_process.h"
#include "cli/kafka_port.h"
#include "cli/kafka_view.h"
#include "cli/progress.h"
#include "cli/stop_signal.h"
#include "cli/terminal.h"
#include "env/clock.h"
#include "env/diag.h"
#include "env/files.h"
#include "project/alerter.h"
#include "project/open_lineage_reporter.h"
#include "project/reconcile.h"
#include "project/runtime.h"
#include "serve/api_server.h"
#include "serve/project_backend.h"

namespace millrace::cli {

namespace {

constexpr int64_t kShutdownGraceMs = 10'000;

// What a person would call a topic of the project.
bool IsProjectTopic(const std::string& topic) {
  return topic != job::kDeadLetterTopic && topic != job::kLedgerTopic &&
         topic != project::kReconciliationTopic && topic != project::kDeadLetterAuditTopic &&
         !IsInternalTopic(topic);
}

int64_t RecordsInTopics(log::Log& log) {
  int64_t records = 0;
  for (const log::TopicInfo& topic : log.Topics()) {
    if (!IsProjectTopic(topic.name)) continue;
    for (int p = 0; p < topic.config.partitions; p++) {
      auto info = log.DescribePartition(topic.name, p);
      if (info.ok()) records += info->end_offset;
    }
  }
  return records;
}

std::string List(const std::vector<std::string>& names) {
  return names.empty() ? "none" : Join(names, ", ");
}

void PrintWhatRuns(project::Runtime& runtime, const std::string& url,
                   const kafka::KafkaServer* kafka, int64_t started_us) {
  std::vector<std::string> topics, jobs;
  for (const log::TopicInfo& topic : runtime.log().Topics()) {
    if (IsProjectTopic(topic.name)) {
      topics.push_back(fmt::format("{} ({})", topic.name, topic.config.partitions));
    }
  }
  for (const job::JobStatus& job : runtime.JobStatuses()) jobs.push_back(job.name);
  const project::ProjectConfig& config = runtime.project().config();
  int64_t took_us = env::Clock::System()->MonotonicMicros() - started_us;
  fmt::print("Millrace {}: {}, target \"{}\", up in {}\n", kVersion, config.name, config.target,
             FormatDurationMicros(took_us));
  fmt::print("  page    {}\n", url);
  fmt::print("  events  POST {}/v1/events/<topic>\n", url);
  if (kafka != nullptr) fmt::print("  kafka   {}\n", kafka->address());
  fmt::print("  topics  {}\n", List(topics));
  fmt::print("  jobs    {}\n", List(jobs));
  for (const std::string& note : runtime.notes()) fmt::print("note: {}\n", note);
  fmt::print("Ctrl-C stops it.\n");
  std::fflush(stdout);
}

void PrintSummary(project::Runtime& runtime, int64_t records_before, int64_t cut_off) {
  fmt::print("stopped; {} records into topics\n", RecordsInTopics(runtime.log()) - records_before);
  for (const job::JobStatus& job : runtime.JobStatuses()) fmt::print("  {}\n", JobSummary(job));
  if (cut_off > 0) fmt::print("  {} requests were cut off\n", cut_off);
}

void WatchModels(project::ModelWatch& models, serve::Backend& backend) {
  Status status = models.Start(
      {.say =
           [](const std::string& text) {
             fmt::print("{}", text);
             std::fflush(stdout);
           },
       .build = [&backend](std::string_view request) { return backend.StartModels(request); },
       .events = [&backend](int64_t run,
                            size_t from) { return backend.ModelEventsJson(run, from); }});
  // Everything else runs all the same.
  if (!status.ok()) fmt::print("note: the models are not watched: {}\n", status.ToString());
}

// Returns when it is time to stop.
void WaitForEnd(double seconds, const std::atomic<bool>& stop) {
  int64_t begin = env::Clock::System()->MonotonicMicros();
  auto over = [&] {
    return seconds > 0 &&
           static_cast<double>(env::Clock::System()->MonotonicMicros() - begin) >= seconds * 1e6;
  };
  while (!stop && !over()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

Status Serve(std::unique_ptr<project::Project> project, const DevOptions& options,
             const std::atomic<bool>& stop, int64_t started_us) {
  project::ProjectConfig config = project->config();
  std::vector<Status> faults;
  auto checks = project::LoadReconcileChecks(project->directory(), faults);
  if (!faults.empty()) return faults[0];
  MR_ASSIGN_OR_RETURN(auto runtime, project::Runtime::Open(std::move(project), true));
  project::ModelWatch models(*runtime);
  MR_ASSIGN_OR_RETURN(auto backend, serve::NewProjectBackend(*runtime, &models));
  serve::ApiServerOptions server_options;
  server_options.http.address = options.host.empty() ? config.http_host : options.host;
  server_options.http.port = options.port < 0 ? config.http_port : options.port;
  server_options.http.body_bytes_max = config.body_bytes_max;
  MR_ASSIGN_OR_RETURN(auto kafka, StartKafkaPort(*runtime, options.kafka_listen));
  if (kafka) {
    MR_RETURN_IF_ERROR(RegisterKafkaTables(runtime->warehouse(), *kafka));
    server_options.metrics.push_back(KafkaMetrics(*kafka));
  }
  auto server = serve::ApiServer::Start(*backend, server_options);
  if (!server.ok()) {
    Status failed = server.status();
    if (failed.code() != Code::kUnavailable) return failed;
    return std::move(failed).WithHint("--port 0 takes a free port, --host another address");
  }
  DevFile dev_file(runtime->project().data_directory(), (*server)->url());
  if (!dev_file.status().ok()) return dev_file.status();

  int64_t records_before = RecordsInTopics(runtime->log());
  MR_ASSIGN_OR_RETURN(auto lineage, project::OpenLineageReporter::Start(*runtime));
  MR_ASSIGN_OR_RETURN(auto alerter, project::Alerter::Start(*runtime));
  project::Reconciler reconciler(std::move(checks), runtime->warehouse(), runtime->log(),
                                 [&](const project::ReconcileResult& result) {
                                   if (alerter) alerter->OnReconciled(result);
                                 });
  runtime->Start();
  reconciler.Start();
  PrintWhatRuns(*runtime, (*server)->url(), kafka.get(), started_us);
  diag::Info("started url={} jobs={}", (*server)->url(), runtime->JobStatuses().size());
  WatchModels(models, *backend);
  WaitForEnd(options.seconds, stop);
  models.Stop();

  // Events first: what was answered with 202 is in the log before the jobs stop.
  int64_t cut_off = (*server)->Shutdown(kShutdownGraceMs);
  if (kafka) kafka->Shutdown();
  reconciler.Stop();
  if (alerter) alerter->Finish();
  runtime->Stop();
  if (lineage) lineage->Finish();
  PrintSummary(*runtime, records_before, cut_off);
  if (lineage) fmt::print("  {}\n", lineage->Summary());
  return Status::Ok();
}

}  // namespace

int RunDev(const DevOptions& options) {
  int64_t started_us = env::Clock::System()->MonotonicMicros();
  const std::atomic<bool>& stop = CatchStopSignals();
  std::string directory = CleanPath(options.directory);
  std::vector<Status> faults;
  auto project = project::Project::Load(directory, options.target, faults);
  if (!faults.empty()) return FailAll(faults);

  std::string data = project->data_directory();
  if (auto other = FindDevProcess(data)) {
    return Fail(
        Status(Code::kFailedPrecondition,
               fmt::format("the project runs already: {} (process {})", other->url, other->pid))
            .WithHint("stop that one first"));
  }
  Status made = env::FileSystem::Real()->CreateDirectories(data);
  if (!made.ok()) return Fail(made);
  Status logging = SetUpLogging(options.log_level, options.log_file ? data + "/dev.log" : "");
  if (!logging.ok()) return Fail(logging);

  Status served = Serve(std::move(project), options, stop, started_us);
  return served.ok() ? static_cast<int>(kExitOk) : Fail(served);
}

}  // namespace millrace::cli
