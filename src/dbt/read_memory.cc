#include "dbt/read_memory.h"

#include <fmt/format.h>

#include <filesystem>

#include "dbt/past_state.h"
#include "dbt/project_reader.h"
#include "dbt/same.h"
#include "dbt/yaml.h"
#include "env/clock.h"
#include "env/files.h"

namespace millrace::dbt {

Result<std::unique_ptr<Project>> ReadMemory::Load(const ProjectOptions& options) {
  auto project = std::make_unique<Project>();
  project->options = options;
  if (!std::filesystem::exists(project->Absolute("dbt_project.yml"))) {
    return Status(Code::kNotFound, fmt::format("\"{}\" has no dbt_project.yml", options.directory))
        .WithHint("name the project's directory with --project-dir");
  }
  const std::string seed = fmt::format("{} {}", env::Clock::System()->WallMicros(),
                                       env::Clock::System()->MonotonicMicros());
  std::string id = Md5Hex(seed);
  for (size_t at : {8, 13, 18, 23}) id.insert(at, "-");
  project->invocation_id = id;
  *reading_ = project.get();
  Status read = ProjectReader(*project, *this).Read();
  *reading_ = nullptr;
  if (engine_ == nullptr) engine_ = std::move(project->engine);
  MR_RETURN_IF_ERROR(read);
  if (!options.state_directory.empty()) {
    MR_ASSIGN_OR_RETURN(project->past, PastState::Load(project->Absolute(options.state_directory)));
  }
  return project;
}

Result<std::unique_ptr<Project>> ReadMemory::LoadOnce(const ProjectOptions& options) {
  ReadMemory memory;
  MR_ASSIGN_OR_RETURN(auto project, memory.Load(options));
  *memory.reading_ = project.get();
  project->engine = std::move(memory.engine_);
  return project;
}

void ReadMemory::Forget(const std::string& path) {
  files_.erase(path);
  const std::string below = path + "/";
  auto end = files_.lower_bound(below);
  while (end != files_.end() && end->first.starts_with(below)) end = files_.erase(end);
}

void ReadMemory::ForgetAll() {
  files_.clear();
}

Result<const ReadMemory::File*> ReadMemory::Read(const std::string& path) {
  if (auto found = files_.find(path); found != files_.end()) return &found->second;
  File file;
  MR_ASSIGN_OR_RETURN(file.text, env::ReadWholeFile(*env::FileSystem::Real(), path));
  file.checksum = Sha256Hex(*file.text);
  file.number = ++readings_;
  if (path.ends_with(".csv")) file.text.reset();
  return &(files_[path] = std::move(file));
}

Result<const Value*> ReadMemory::ReadYaml(const std::string& path, const std::string& shown) {
  MR_RETURN_IF_ERROR(Read(path).status());
  File& file = files_.at(path);
  if (!file.yaml) {
    MR_ASSIGN_OR_RETURN(file.yaml, ParseYaml(*file.text, shown));
  }
  return &*file.yaml;
}

std::unique_ptr<JinjaEngine> ReadMemory::NewEngine() const {
  return std::make_unique<JinjaEngine>([reading = reading_](const std::string& name,
                                                            const Value& args,
                                                            const Value& kwargs) -> Result<Value> {
    Project* project = *reading;
    if (project != nullptr && project->host) return project->host(name, args, kwargs);
    return Status(Code::kInternal, "a template was rendered after its project's work ended");
  });
}

const ReadMemory::Note* ReadMemory::FindNote(const Node& asked) const {
  auto found = notes_.find(asked.id);
  return found != notes_.end() && Same(found->second.asked, asked) ? &found->second : nullptr;
}

void ReadMemory::SetSurroundings(Value surroundings) {
  if (Same(surroundings, surroundings_)) return;
  notes_.clear();
  of_files_.clear();
  of_entries_.clear();
  surroundings_ = std::move(surroundings);
}

}  // namespace millrace::dbt
