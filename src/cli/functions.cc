#include <fmt/format.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/path_argument.h"
#include "cli/terminal.h"
#include "project/project.h"
#include "sql/reference.h"

namespace millrace::cli {

int RunFunctions(const FunctionsOptions& options) {
  if (options.markdown) {
    auto text = sql::RenderReference();
    if (!text.ok()) return Fail(text.status());
    fmt::print("{}", *text);
    return kExitOk;
  }
  // In a project its own functions, too; what is wrong with the rest of it matters elsewhere.
  std::unique_ptr<project::Project> project;
  std::vector<Status> faults;
  if (LooksLikePath("sql")) project = project::Project::Load(".", "", faults);
  auto own = project ? project->catalog().Functions() : std::vector<const sql::Function*>();
  auto text = sql::RenderFunctionList(options.name, own);
  if (!text.ok()) return Fail(text.status());
  fmt::print("{}", *text);
  return kExitOk;
}

}  // namespace millrace::cli
