#include <fmt/format.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/dev_process.h"
#include "cli/terminal.h"
#include "project/verify.h"

namespace millrace::cli {

int RunVerify(const VerifyOptions& options) {
  std::vector<Status> faults;
  auto project = project::Project::Load(CleanPath(options.directory), options.target, faults);
  if (!faults.empty()) return FailAll(faults);
  if (auto dev = FindDevProcess(project->data_directory())) {
    return Fail(Status(Code::kFailedPrecondition,
                       fmt::format("the project runs: {} (process {})", dev->url, dev->pid))
                    .WithHint("stop it first: a job is verified as of the epoch at which it "
                              "stopped"));
  }
  auto runtime = project::Runtime::Open(std::move(project), false);
  if (!runtime.ok()) return Fail(runtime.status());
  auto report = project::VerifyJob(**runtime, options.job, static_cast<size_t>(options.lines_max));
  if (!report.ok()) return Fail(report.status());
  fmt::print("{}", options.json ? report->ToJson() + "\n" : report->ToText());
  return report->equal() ? kExitOk : kExitFault;
}

}  // namespace millrace::cli
