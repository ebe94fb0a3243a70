#include "project/version_tables.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "env/clock.h"

namespace millrace::project {

Result<std::unique_ptr<job::CompiledJob>> CompileJob(const Project& text, const std::string& job) {
  std::vector<std::string> names;
  for (const JobStatement& statement : text.jobs()) {
    if (statement.settings.name == job) return text.Compile(statement);
    names.push_back(statement.settings.name);
  }
  return Status(Code::kNotFound, fmt::format("there is no job \"{}\"", job))
      .WithHint(DidYouMean(job, names));
}

Result<std::unique_ptr<connectors::TableVersions>> OpenTables(Runtime& runtime, const Project& text,
                                                              const std::string& job) {
  MR_ASSIGN_OR_RETURN(auto compiled, CompileJob(text, job));
  connectors::TableContext table;
  table.name = compiled->sink->name;
  table.schema = compiled->sink->schema;
  table.job = job;
  table.services.warehouse = &runtime.warehouse();
  table.services.clock = env::Clock::System();
  std::map<std::string, std::string> given = compiled->sink_binding.options;
  MR_RETURN_IF_ERROR(job::TakeTableSettings(given).status());
  const connectors::ConnectorSpec& spec = compiled->sink_binding.connector->spec;
  MR_ASSIGN_OR_RETURN(table.options, connectors::ParseOptions(spec, given));
  return connectors::OpenTableVersions(spec.name, table);
}

Status DropVersion(Runtime& runtime, const std::string& job, const JobVersions& versions,
                   int version) {
  std::shared_ptr<const Project> text;
  auto kept = versions.LoadText(version, runtime.project().config().target);
  if (kept.ok()) {
    text = std::move(*kept);
  } else {
    // From before there were texts, or half deleted: the table's name does not change with them.
    MR_ASSIGN_OR_RETURN(text, runtime.ServingText(job));
  }
  // The table first: while the text is there, this can be done again.
  MR_ASSIGN_OR_RETURN(auto tables, OpenTables(runtime, *text, job));
  if (tables) MR_RETURN_IF_ERROR(tables->Drop(version, versions.CommitName(version)));
  return versions.Remove(version);
}

Status SettleVersions(Runtime& runtime, const std::string& job, JobVersions& versions) {
  if (versions.staged > 0) {
    MR_ASSIGN_OR_RETURN(auto text,
                        versions.LoadText(versions.staged, runtime.project().config().target));
    MR_ASSIGN_OR_RETURN(auto tables, OpenTables(runtime, *text, job));
    int serving = versions.serving;
    if (tables) {
      MR_ASSIGN_OR_RETURN(serving, tables->Serving());
    }
    if (serving == versions.staged) {
      versions.Promote();
      MR_RETURN_IF_ERROR(versions.Save());
    }
  }
  if (versions.retired == 0) return Status::Ok();
  MR_RETURN_IF_ERROR(DropVersion(runtime, job, versions, versions.retired));
  versions.retired = 0;
  return versions.Save();
}

}  // namespace millrace::project
