#include <fmt/format.h>

#include "cli/app_lineage.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "project/lineage_text.h"

namespace millrace::cli {

namespace {

Result<std::string> Show(const project::Project& project, const LineageOptions& options) {
  MR_ASSIGN_OR_RETURN(project::Lineage whole, project::LineageOf(project));
  if (options.name.empty()) {
    if (options.format == "json") return project::LineageJson(whole) + "\n";
    if (options.format == "dot") return project::LineageDot(whole);
    if (options.format == "yaml") return project::LineageYaml(project, whole);
    return project::LineageText(whole);
  }
  const auto direction = options.up     ? project::LineageDirection::kUp
                         : options.down ? project::LineageDirection::kDown
                                        : project::LineageDirection::kBoth;
  MR_ASSIGN_OR_RETURN(project::LineageWays ways, project::WaysOf(whole, options.name, direction));
  if (options.format == "json") return project::LineageJson(ways) + "\n";
  if (options.format == "dot") return project::LineageDot(project::UnionOf(ways));
  if (options.format == "yaml") return project::LineageYaml(project, project::UnionOf(ways));
  return project::LineageText(whole, ways);
}

}  // namespace

int RunLineage(const LineageOptions& options) {
  std::vector<Status> faults;
  auto project = project::Project::Load(CleanPath(options.directory), options.target, faults);
  if (!faults.empty()) return FailAll(faults);
  auto text = Show(*project, options);
  if (!text.ok()) return Fail(text.status());
  fmt::print("{}", *text);
  return kExitOk;
}

}  // namespace millrace::cli
