#include "project/project.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/strings.h"
#include "env/files.h"
#include "project/config_file.h"
#include "project/create_table_as.h"
#include "project/schema_files.h"
#include "sql/parser.h"

namespace millrace::project {

namespace {

bool EndsWith(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

}  // namespace

Result<std::string> ResolveReferences(const std::string& value) {
  std::string out;
  for (size_t i = 0; i < value.size();) {
    size_t start = value.find("${", i);
    size_t end = start == std::string::npos ? start : value.find('}', start);
    if (end == std::string::npos) return out + value.substr(i);
    out += value.substr(i, start - i);
    std::string reference = value.substr(start + 2, end - start - 2);
    i = end + 1;
    if (reference.rfind("env:", 0) == 0) {
      const char* found = std::getenv(reference.c_str() + 4);
      if (!found) {
        return Status(Code::kNotFound,
                      fmt::format("environment variable \"{}\" is not set", reference.substr(4)))
            .WithHint(fmt::format("export {}=… before starting", reference.substr(4)));
      }
      out += found;
    } else if (reference.rfind("file:", 0) == 0) {
      auto content = env::ReadWholeFile(*env::FileSystem::Real(), reference.substr(5));
      if (!content.ok()) return content.status();
      out += Trim(*content);
    } else {
      return Status(Code::kBadOption, fmt::format("\"${{{}}}\" is not a reference", reference))
          .WithHint("write ${env:NAME} or ${file:/path}");
    }
  }
  return out;
}

std::unique_ptr<Project> Project::Load(const std::string& path, const std::string& target,
                                       std::vector<Status>& faults) {
  std::unique_ptr<Project> project(new Project());
  env::FileSystem& files = *env::FileSystem::Real();
  if (EndsWith(path, ".sql")) {
    project->directory_ = env::ParentDirectory(path);
    project->LoadAddedColumns(faults);
    project->config_.name = path;
    project->config_.targets["dev"].embedded = {"kafka", "jdbc"};
    project->LoadScript(path, faults);
  } else {
    project->directory_ = path;
    project->LoadAddedColumns(faults);
    project->LoadConfig(target, faults);
    auto names = files.List(path + "/sql");
    if (!names.ok() && HasModels(path)) names = std::vector<std::string>{};
    if (!names.ok()) {
      faults.push_back(
          Status(
              Code::kNotFound,
              fmt::format("\"{}\" is not a project: it has neither sql/ nor dbt_project.yml", path))
              .WithHint("make one with: millrace init " + path));
      return project;
    }
    for (const std::string& name : *names) {
      if (EndsWith(name, ".sql")) project->LoadScript(path + "/sql/" + name, faults);
    }
    if (HasModels(path)) project->LoadStreamModels(faults);
  }
  for (const auto& [table, checks] : project->config_.expectations) {
    if (checks.empty() || project->catalog_.FindTable(table)) continue;
    std::vector<std::string> tables;
    for (const sql::Table* one : project->catalog_.Tables()) tables.push_back(one->name);
    faults.push_back(
        Status(Code::kUnknownTable, fmt::format("expectations: there is no table \"{}\"", table))
            .WithHint(DidYouMean(table, tables))
            .At(checks.front().span));
  }
  // Two jobs may write one table: their names must differ all the same.
  std::set<std::string> used;
  for (JobStatement& statement : project->jobs_) {
    std::string base =
        statement.settings.name.empty() ? statement.insert.target.last() : statement.settings.name;
    std::string name = base;
    for (int n = 2; !used.insert(name).second; n++) name = fmt::format("{}_{}", base, n);
    statement.settings.name = name;
  }
  return project;
}

void Project::LoadConfig(const std::string& target, std::vector<Status>& faults) {
  std::string path = directory_ + "/millrace.yml";
  config_.name = directory_;
  if (env::FileSystem::Real()->Size(path).ok()) {
    Status read = ReadConfigFile(path, config_, faults);
    auto text = env::ReadWholeFile(*env::FileSystem::Real(), path);
    if (text.ok()) files_["millrace.yml"] = std::move(*text);
    if (!read.ok()) faults.push_back(std::move(read));
  }
  config_.targets.try_emplace("dev", Target{{"kafka", "jdbc"}, {}});
  if (!target.empty()) config_.target = target;
  if (!config_.targets.count(config_.target)) {
    std::vector<std::string> names;
    for (const auto& [name, unused] : config_.targets) names.push_back(name);
    faults.push_back(
        Status(Code::kUnknownOption, fmt::format("there is no target \"{}\"", config_.target))
            .WithHint(DidYouMean(config_.target, names))
            .At({path, 0, 0, 0}));
  }
}

void Project::LoadScript(const std::string& path, std::vector<Status>& faults) {
  auto text = env::ReadWholeFile(*env::FileSystem::Real(), path);
  if (!text.ok()) {
    faults.push_back(text.status());
    return;
  }
  files_["sql/" + path.substr(path.rfind('/') + 1)] = *text;
  AddScript(*text, path, faults);
}

void Project::AddScript(const std::string& text, const std::string& path,
                        std::vector<Status>& faults) {
  sql::ParsedScript script = sql::ParseScriptAll(text, path);
  for (Status& error : script.errors) faults.push_back(std::move(error));
  for (sql::Statement& statement : script.statements) {
    auto add_job = [&](const sql::Insert& insert) {
      jobs_.push_back({insert, statement.text.text, settings_});
      settings_.name.clear();  // a name is for the next job only
    };
    if (const auto* set = statement.As<sql::Set>()) {
      Status applied = job::ApplySetting(set->key, set->value, settings_);
      if (applied.ok()) {
        set_[set->key] = set->value;
      } else {
        faults.push_back(std::move(applied).At(statement.text.span));
      }
    } else if (const auto* reset = statement.As<sql::Reset>()) {
      Reset(reset->key);
    } else if (const auto* insert = statement.As<sql::Insert>()) {
      add_job(*insert);
    } else if (const auto* statements = statement.As<sql::StatementSet>()) {
      for (const sql::Insert& one : statements->inserts) add_job(one);
    } else if (const auto* table = statement.As<sql::CreateTable>()) {
      sql::CreateTable definition = *table;
      if (!definition.query.empty()) {
        if (definition.if_not_exists && catalog_.FindTable(definition.name.last())) continue;
        auto filling = TakeQueryOf(definition);
        if (!filling.ok()) {
          faults.push_back(filling.status());
          continue;
        }
        add_job(*filling);
      }
      AddTable(std::move(definition), faults);
    } else if (statement.As<sql::CreateView>() || statement.As<sql::CreateFunction>() ||
               statement.As<sql::Drop>()) {
      Status applied = catalog_.Apply(statement);
      if (applied.ok() && !added_.columns.empty()) applied = grown_.Apply(statement);
      if (!applied.ok()) faults.push_back(std::move(applied));
    } else {
      others_.push_back(std::move(statement));
    }
  }
}

void Project::LoadStreamModels(std::vector<Status>& faults) {
  dbt::ProjectOptions options;
  options.directory = directory_;
  auto models = LoadModels(options, catalog_);
  if (!models.ok()) {
    faults.push_back(models.status());
    return;
  }
  auto streams = StreamModelsOf(**models);
  if (!streams.ok()) {
    faults.push_back(streams.status());
    return;
  }
  for (StreamModel& model : *streams) {
    const std::string path = directory_ + "/" + model.node.path;
    // As a script that comes after the others: so a version of a job keeps it (job_versions.h).
    files_[fmt::format("sql/~model {:04} {}.sql", stream_models_.size(), model.name)] =
        model.script;
    const std::string script = model.script;
    stream_models_[path] = std::move(model);
    std::vector<Status> own;
    AddScript(script, path, own);
    for (Status& fault : own) faults.push_back(Placed(std::move(fault)));
  }
}

Status Project::Placed(Status status) const {
  auto model = stream_models_.find(status.span().file);
  if (model == stream_models_.end() || status.span().line == 0) return status;
  SourceSpan place = PlaceInModel(model->second, status.span());
  return std::move(status).At(place);
}

void Project::KeepJobs(const std::set<std::string>& names) {
  std::erase_if(jobs_, [&](const JobStatement& job) { return !names.contains(job.settings.name); });
}

// One setting, or all of them ("").
void Project::Reset(const std::string& key) {
  if (key.empty()) set_.clear();
  set_.erase(key);
  const bool named = !key.empty() && key != "pipeline.name";
  const std::string name = named ? settings_.name : "";  // of the next job only
  settings_ = job::JobSettings();
  for (const auto& [kept, value] : set_) (void)job::ApplySetting(kept, value, settings_);
  settings_.name = name;
}

// With what millrace.yml expects of it.
void Project::AddTable(sql::CreateTable definition, std::vector<Status>& faults) {
  if (Status read = ReadSchemaFiles(directory_, definition, files_); !read.ok()) {
    faults.push_back(std::move(read));
    return;
  }
  auto expected = config_.expectations.find(definition.name.last());
  if (expected != config_.expectations.end()) {
    for (const sql::CheckConstraint& check : expected->second) {
      bool taken = std::any_of(definition.constraints.begin(), definition.constraints.end(),
                               [&](const auto& c) { return EqualsIgnoreCase(c.name, check.name); });
      if (taken) {
        faults.push_back(
            Status(Code::kAlreadyExists, fmt::format("table \"{}\" has a constraint \"{}\" already",
                                                     definition.name.last(), check.name))
                .WithHint("give the expectation another name")
                .At(check.span));
        continue;
      }
      definition.constraints.push_back(check);
    }
  }
  Status added = catalog_.AddTable(definition);
  if (added.ok() && !added_.columns.empty()) return AddGrown(definition, faults);
  if (!added.ok()) faults.push_back(std::move(added));
}

// What a version of a job was made with lies beside its scripts; else what was found last.
void Project::LoadAddedColumns(std::vector<Status>& faults) {
  env::FileSystem& files = *env::FileSystem::Real();
  for (const std::string& directory : {directory_, data_directory()}) {
    auto text = env::ReadWholeFile(files, directory + "/" + kAddedColumnsFile);
    if (!text.ok()) continue;
    auto added = AddedColumns::Parse(*text);
    if (!added.ok()) {
      faults.push_back(
          std::move(added).status().At({directory + "/" + kAddedColumnsFile, 0, 0, 0}));
      return;
    }
    added_ = std::move(*added);
    files_[kAddedColumnsFile] = std::move(*text);
    return;
  }
}

void Project::AddGrown(const sql::CreateTable& definition, std::vector<Status>& faults) {
  sql::CreateTable grown = definition;
  Status added = added_.AppendTo(grown);
  if (added.ok()) added = grown_.AddTable(grown);
  // By now the table declares the name in another way, by LIKE say.
  if (!added.ok()) added = grown_.AddTable(definition);
  if (!added.ok()) faults.push_back(std::move(added));
}

Result<sql::Insert> Project::TakeQueryOf(sql::CreateTable& definition) const {
  sql::CreateTable grown = definition;
  auto filling = TakeQuery(catalog_, settings_, definition);
  if (filling.ok() || added_.columns.empty()) return filling;
  auto with_added = TakeQuery(grown_, settings_, grown);
  if (!with_added.ok()) return filling;
  definition = std::move(grown);
  return with_added;
}

std::string Project::data_directory() const {
  const char* given = std::getenv("MILLRACE_DATA_DIR");
  return given && *given ? given : directory_ + "/.millrace";
}

std::string Project::target_directory() const {
  return config_.target == "dev" ? data_directory()
                                 : data_directory() + "/targets/" + config_.target;
}

bool Project::IsEmbedded(const std::string& connector) const {
  auto target = config_.targets.find(config_.target);
  if (target == config_.targets.end()) return false;
  const auto& embedded = target->second.embedded;
  return std::find(embedded.begin(), embedded.end(), connector) != embedded.end();
}

bool Project::IsInLog(const sql::Table& table) const {
  const std::string connector = table.Option("connector");
  if (connector != "kafka" && connector != "upsert-kafka") return false;
  return IsEmbedded("kafka") || table.Option("properties.bootstrap.servers") == kEmbeddedServers;
}

Result<job::Binding> Project::Bind(const sql::Table& table) const {
  job::Binding binding;
  binding.options = table.OptionValues();
  auto connector = binding.options.find("connector");
  if (connector == binding.options.end()) {
    return Status(Code::kBadOption,
                  fmt::format("table \"{}\" does not say where its rows are", table.name))
        .WithHint("add WITH ('connector' = 'kafka', …); see: millrace connectors")
        .At(table.span);
  }
  std::string name = connector->second;
  auto target = config_.targets.find(config_.target);
  if (target != config_.targets.end()) {
    auto overrides = target->second.options.find(name);
    if (overrides != target->second.options.end()) {
      for (const auto& [key, value] : overrides->second) binding.options[key] = value;
    }
  }
  const bool in_warehouse = name == "jdbc" && IsEmbedded("jdbc");
  const bool in_cluster = (name == "kafka" || name == "upsert-kafka") && !IsInLog(table);
  auto found = connectors::FindConnector(in_warehouse ? "warehouse"
                                         : in_cluster ? name + "-cluster"
                                                      : name);
  if (!found.ok()) {
    auto option = table.options.find("connector");
    return std::move(found).status().At(option == table.options.end() ? table.span
                                                                      : option->second.value_span);
  }
  binding.connector = *found;
  if (in_warehouse) {
    // The warehouse needs no address: the table's name counts, and what the job heeds.
    std::map<std::string, std::string> kept = {{"connector", "warehouse"}};
    for (const auto& [key, value] : binding.options) {
      if (key == "table-name" || key == "emit" || key.starts_with("millrace.") ||
          key.starts_with("lookup.")) {
        kept[key] = value;
      }
    }
    binding.options = std::move(kept);
  }
  for (auto& [key, value] : binding.options) {
    // A key that signs must not lie about in texts that are shared.
    if (key == "secret" && !value.starts_with("${")) {
      return Status(
                 Code::kBadOption,
                 fmt::format("option 'secret' of table \"{}\" holds the secret itself", table.name))
          .WithHint("keep it elsewhere, and write '${env:NAME}' or '${file:/path}'")
          .At(table.span);
    }
    auto resolved = ResolveReferences(value);
    if (!resolved.ok()) {
      return std::move(resolved)
          .status()
          .Annotate(fmt::format("option '{}' of table \"{}\"", key, table.name))
          .At(table.span);
    }
    value = *resolved;
  }
  return binding;
}

Result<std::unique_ptr<job::CompiledJob>> Project::CompileIn(const sql::Catalog& catalog,
                                                             const JobStatement& statement) const {
  return job::CompileInsert(catalog, statement.insert, statement.sql, statement.settings,
                            [this](const sql::Table& table) { return Bind(table); });
}

Result<std::unique_ptr<job::CompiledJob>> Project::Compile(const JobStatement& statement) const {
  auto job = CompileIn(catalog_, statement);
  if (!job.ok() && !added_.columns.empty()) {
    auto grown = CompileIn(grown_, statement);
    if (grown.ok()) return grown;
  }
  if (!job.ok()) return Placed(std::move(job).status());
  return job;
}

std::vector<Status> Project::Validate() const {
  std::vector<Status> faults;
  std::set<std::string> seen;  // a broken table would be reported by every job
  auto add = [&](Status fault) {
    if (seen.insert(fault.ToString()).second) faults.push_back(std::move(fault));
  };
  for (const sql::Table* table : catalog_.Tables()) {
    auto binding = Bind(*table);
    if (!binding.ok()) {
      add(binding.status());
      continue;
    }
    auto settings = job::TakeTableSettings(binding->options);
    if (!settings.ok()) add(Placed(std::move(settings).status().At(table->span)));
    auto options = connectors::ParseOptions(binding->connector->spec, binding->options);
    if (!options.ok()) add(Placed(std::move(options).status().At(table->span)));
  }
  for (const JobStatement& statement : jobs_) {
    auto compiled = Compile(statement);
    if (!compiled.ok()) add(compiled.status());
  }
  return faults;
}

}  // namespace millrace::project
