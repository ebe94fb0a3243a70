#include <fmt/format.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/dev_process.h"
#include "cli/kafka_port.h"
#include "cli/progress.h"
#include "cli/select_runner.h"
#include "cli/statement_answers.h"
#include "cli/stop_signal.h"
#include "cli/terminal.h"
#include "project/open_lineage_reporter.h"
#include "project/runtime.h"

namespace millrace::cli {

namespace {

// Until every job has ended by itself, or `stop`.
Status RunJobs(project::Runtime& runtime, const std::atomic<bool>& stop) {
  if (runtime.JobStatuses().empty()) return Status::Ok();
  Progress progress;
  MR_ASSIGN_OR_RETURN(auto lineage, project::OpenLineageReporter::Start(runtime));
  runtime.Start();
  Status status = runtime.WaitForJobs([&] { progress.Update(runtime.JobStatuses()); }, stop);
  progress.Clear();
  for (const job::JobStatus& job : runtime.JobStatuses()) fmt::print("{}\n", JobSummary(job));
  std::fflush(stdout);
  return status;
}

}  // namespace

int RunRun(const RunOptions& options) {
  const std::atomic<bool>& stop = CatchStopSignals();
  Status logging = SetUpLogging(options.log_level, "");
  if (!logging.ok()) return Fail(logging);
  std::vector<Status> faults;
  auto project = project::Project::Load(CleanPath(options.path), options.target, faults);
  if (!faults.empty()) return FailAll(faults);

  std::vector<sql::Select> selects;
  bool answered = false;
  for (const sql::Statement& statement : project->others()) {
    if (const auto* select = statement.As<sql::Select>()) {
      selects.push_back(*select);
      continue;
    }
    auto answer = AnswerStatement(*project, statement);
    if (!answer.ok()) return Fail(answer.status());
    fmt::print("{}", *answer);
    answered |= !answer->empty();
  }
  if (project->jobs().empty() && selects.empty()) {
    if (!answered)
      fmt::print("nothing to run: no INSERT INTO, SELECT, EXPLAIN, SHOW or DESCRIBE\n");
    return kExitOk;
  }
  if (auto dev = FindDevProcess(project->data_directory())) {
    return Fail(Status(Code::kFailedPrecondition,
                       fmt::format("the project runs already: {} (process {})", dev->url, dev->pid))
                    .WithHint("ask it with `millrace sql`, or stop it first"));
  }
  auto runtime = project::Runtime::Open(std::move(project), true);
  if (!runtime.ok()) return Fail(runtime.status());
  for (const std::string& note : (*runtime)->notes()) fmt::print(stderr, "note: {}\n", note);
  auto kafka = StartKafkaPort(**runtime, options.kafka_listen);
  if (!kafka.ok()) return Fail(kafka.status());
  if (*kafka) fmt::print("kafka {}\n", (*kafka)->address());
  std::fflush(stdout);
  Status status = RunJobs(**runtime, stop);
  for (const sql::Select& select : selects) {
    if (!status.ok() || stop) break;
    status = RunSelect(**runtime, select, options.rows_max, stop);
  }
  return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
}

}  // namespace millrace::cli
