#include "batch/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/app_batch.h"
#include "cli/cli.h"
#include "cli/sql_answer.h"
#include "cli/terminal.h"
#include "env/files.h"
#include "project/batch_settings.h"

namespace millrace::cli {

namespace {

namespace fs = std::filesystem;

// The nearest directory with a millrace.yml, from the file's own upwards; else the file's own.
fs::path ProjectOf(const fs::path& file) {
  for (fs::path at = file.parent_path();; at = at.parent_path()) {
    if (fs::exists(at / "millrace.yml")) return at;
    if (at == at.parent_path()) return file.parent_path();
  }
}

Status ReadVariables(const BatchOptions& options, std::map<std::string, std::string>& variables) {
  for (const std::string& assignment : options.variables) {
    const size_t equals = assignment.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Status(Code::kInvalidArgument, "\"" + assignment + "\" is not NAME=VALUE")
          .WithHint("write --set date=2025-07-24");
    }
    variables[assignment.substr(0, equals)] = assignment.substr(equals + 1);
  }
  return Status::Ok();
}

// "daily_orders date=2025-07-24": the same file with the same variables is the same run.
std::string RunName(const fs::path& file, const std::map<std::string, std::string>& variables) {
  std::string name = file.stem().string();
  for (const auto& [variable, value] : variables) name += " " + variable + "=" + value;
  return name;
}

Status Show(const batch::Step& step, const std::string& format) {
  if (step.answer) {
    MR_ASSIGN_OR_RETURN(SqlAnswer answer, ParseSqlAnswer(step.answer->ToJson()));
    fmt::print("{}", RenderAnswer(answer, format));
  } else {
    // Results alone go to stdout.
    fmt::print(stderr, "{:>8.2f} s  {}{}{}\n", step.elapsed_ms / 1000, step.statement,
               step.outcome.empty() ? "" : "  ->  ", step.outcome);
  }
  std::fflush(stdout);
  return Status::Ok();
}

Status Run(const BatchOptions& options) {
  const fs::path file = fs::absolute(options.file);
  MR_ASSIGN_OR_RETURN(const std::string sql,
                      env::ReadWholeFile(*env::FileSystem::Real(), file.string()));
  const fs::path project = ProjectOf(file);
  MR_ASSIGN_OR_RETURN(const batch::Settings settings, project::BatchSettingsOf(project.string()));
  batch::Options run;
  MR_RETURN_IF_ERROR(ReadVariables(options, run.variables));
  run.run = options.run.empty() ? RunName(file, run.variables) : options.run;
  const char* data = std::getenv("MILLRACE_DATA_DIR");
  run.directory = fs::absolute(data ? fs::path(data) : project / ".millrace") / "batch";
  fs::current_path(project);
  Status shown;
  MR_RETURN_IF_ERROR(
      batch::RunBatch(sql, options.file, settings, run, [&](const batch::Step& step) {
        if (shown.ok()) shown = Show(step, options.format);
      }));
  return shown;
}

}  // namespace

int RunBatchFile(const BatchOptions& options) {
  Status status = Run(options);
  return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
}

}  // namespace millrace::cli
