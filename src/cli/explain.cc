#include <fmt/format.h>

#include "base/strings.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/path_argument.h"
#include "cli/statement_answers.h"
#include "cli/terminal.h"
#include "project/project.h"
#include "sql/parser.h"

namespace millrace::cli {

namespace {

Status ExplainText(const project::Project& project, const std::string& text) {
  MR_ASSIGN_OR_RETURN(auto statements, sql::ParseScript(text, "-c"));
  std::string out;
  for (const sql::Statement& statement : statements) {
    const auto* explain = statement.As<sql::Explain>();
    MR_ASSIGN_OR_RETURN(std::string plan,
                        ExplainStatement(project, explain ? *explain->statement : statement));
    out += (out.empty() ? "" : "\n") + plan;
  }
  fmt::print("{}", out);
  return Status::Ok();
}

Status ExplainJobs(const project::Project& project, const std::string& wanted) {
  std::vector<std::string> names;
  std::string out;
  for (const project::JobStatement& job : project.jobs()) {
    names.push_back(job.settings.name);
    if (!wanted.empty() && job.settings.name != wanted) continue;
    MR_ASSIGN_OR_RETURN(auto compiled, project.Compile(job));
    out += (out.empty() ? "" : "\n") + compiled->Explain();
  }
  if (out.empty() && !wanted.empty()) {
    return Status(Code::kNotFound, fmt::format("there is no job \"{}\"", wanted))
        .WithHint(DidYouMean(wanted, names));
  }
  fmt::print("{}", out.empty() ? "no jobs: the project has no INSERT INTO statement\n" : out);
  return Status::Ok();
}

}  // namespace

int RunExplain(const ExplainOptions& options) {
  bool only_job = options.second.empty() && !options.first.empty() && !LooksLikePath(options.first);
  std::string path = only_job || options.first.empty() ? "." : options.first;
  std::string job = only_job ? options.first : options.second;
  std::vector<Status> faults;
  auto project = project::Project::Load(CleanPath(path), options.target, faults);
  if (!faults.empty()) return FailAll(faults);
  Status status =
      options.sql.empty() ? ExplainJobs(*project, job) : ExplainText(*project, options.sql);
  return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
}

}  // namespace millrace::cli
