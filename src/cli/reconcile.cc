// millrace reconcile: asks the project's checks of destinations against their sources now.
#include "project/reconcile.h"

#include <fmt/format.h>

#include "cli/access.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/path_argument.h"
#include "cli/terminal.h"
#include "env/clock.h"

namespace millrace::cli {

namespace {

Result<bool> Reconcile(const ReconcileOptions& options, const std::string& directory,
                       const std::string& name,
                       const std::vector<project::ReconcileCheck>& checks) {
  std::vector<project::ReconcileCheck> chosen = checks;
  if (!name.empty()) {
    MR_ASSIGN_OR_RETURN(project::ReconcileCheck check, project::FindReconcileCheck(checks, name));
    chosen = {check};
  }
  if (chosen.empty()) {
    return Status(Code::kNotFound, "the project declares no reconciliation")
        .WithHint("one is a file reconcile/NAME.yml: docs/reference/reconcile.md");
  }
  MR_ASSIGN_OR_RETURN(auto access, Access::Open(directory, options.target));
  bool ok = true;
  for (const project::ReconcileCheck& check : chosen) {
    const project::ReconcileResult result =
        project::RunReconcileCheck(check, env::Clock::System()->WallMicros() / 1000,
                                   [&](const std::string& sql) { return access->Sql(sql); });
    fmt::print("{}\n", options.json ? result.ToJson() : result.ToText());
    ok = ok && result.ok;
    OutgoingRecord record;
    record.key = result.name;
    record.value = result.ToJson();
    MR_RETURN_IF_ERROR(access->Write(project::kReconciliationTopic, {record}));
  }
  return ok;
}

}  // namespace

int RunReconcile(const ReconcileOptions& options) {
  const bool only_name = options.name.empty() && !LooksLikePath(options.directory);
  const std::string directory = only_name ? "." : CleanPath(options.directory);
  std::vector<Status> faults;
  auto checks = project::LoadReconcileChecks(directory, faults);
  if (!faults.empty()) return FailAll(faults);
  auto ok = Reconcile(options, directory, only_name ? options.directory : options.name, checks);
  if (!ok.ok()) return Fail(ok.status());
  return *ok ? kExitOk : kExitFault;
}

}  // namespace millrace::cli
