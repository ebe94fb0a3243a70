#include "project/job_versions.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <filesystem>

#include "base/strings.h"
#include "env/files.h"

namespace millrace::project {

namespace {

Status RemoveTree(const std::string& path) {
  std::error_code failed;
  std::filesystem::remove_all(path, failed);
  if (!failed) return Status::Ok();
  return Status(Code::kIo, fmt::format("cannot delete \"{}\": {}", path, failed.message()));
}

}  // namespace

Result<JobVersions> JobVersions::Load(const Project& project, const std::string& job) {
  JobVersions versions;
  versions.job_ = job;
  versions.directory_ = project.target_directory() + "/versions/" + job;
  versions.first_state_ = project.target_directory() + "/state/" + job;
  const std::string path = versions.directory_ + "/versions.json";
  env::FileSystem& files = *env::FileSystem::Real();
  if (!files.Size(path).ok()) return versions;
  MR_ASSIGN_OR_RETURN(std::string text, env::ReadWholeFile(files, path));
  simdjson::dom::parser parser;
  simdjson::dom::element json;
  bool damaged = parser.parse(text).get(json);
  auto number = [&](const char* name, int& to) {
    int64_t found = 0;
    damaged = damaged || json[name].get_int64().get(found);
    to = static_cast<int>(found);
  };
  number("next", versions.next_);
  number("serving", versions.serving);
  number("previous", versions.previous);
  number("staged", versions.staged);
  number("retired", versions.retired);
  std::string_view from;
  damaged = damaged || json["from"].get_string().get(from);
  if (damaged) {
    return Status(Code::kCorruption, fmt::format("\"{}\" is not a list of versions", path))
        .WithHint("it is replaced in one step, so something else wrote it: put it back");
  }
  versions.from = std::string(from);
  return versions;
}

Status JobVersions::Save() const {
  env::FileSystem& files = *env::FileSystem::Real();
  MR_RETURN_IF_ERROR(files.CreateDirectories(directory_));
  return env::ReplaceFile(
      files, directory_ + "/versions.json",
      fmt::format(R"({{"next": {}, "serving": {}, "previous": {}, "staged": {}, "retired": {}, )"
                  R"("from": {}}})"
                  "\n",
                  next_, serving, previous, staged, retired, JsonQuote(from)));
}

void JobVersions::Promote() {
  if (previous != staged) retired = previous;
  previous = serving;
  serving = staged;
  staged = 0;
}

std::string JobVersions::StateDirectory(int version) const {
  return version == 1 ? first_state_ : fmt::format("{}/{}/state", directory_, version);
}

std::string JobVersions::CommitName(int version) const {
  return version == 1 ? job_ : fmt::format("{}@v{}", job_, version);
}

bool JobVersions::SameText(int version, const Project& project) const {
  const std::string root = fmt::format("{}/{}/project", directory_, version);
  env::FileSystem& files = *env::FileSystem::Real();
  size_t kept = files.Size(root + "/millrace.yml").ok() ? 1 : 0;
  auto scripts = files.List(root + "/sql");
  if (!scripts.ok()) return false;
  kept += scripts->size();
  kept += files.Size(root + "/" + Project::kAddedColumnsFile).ok() ? 1 : 0;
  if (kept != project.files().size()) return false;
  for (const auto& [name, text] : project.files()) {
    auto content = env::ReadWholeFile(files, root + "/" + name);
    if (!content.ok() || *content != text) return false;
  }
  return true;
}

Status JobVersions::KeepText(int version, const Project& project) const {
  if (SameText(version, project)) return Status::Ok();
  const std::string root = fmt::format("{}/{}/project", directory_, version);
  const std::string next = root + ".new";
  env::FileSystem& files = *env::FileSystem::Real();
  MR_RETURN_IF_ERROR(RemoveTree(next));
  MR_RETURN_IF_ERROR(files.CreateDirectories(next + "/sql"));
  for (const auto& [name, text] : project.files()) {
    MR_RETURN_IF_ERROR(env::ReplaceFile(files, next + "/" + name, text));
  }
  MR_RETURN_IF_ERROR(RemoveTree(root));
  return files.Rename(next, root);
}

Result<std::unique_ptr<Project>> JobVersions::LoadText(int version,
                                                       const std::string& target) const {
  const std::string root = fmt::format("{}/{}/project", directory_, version);
  if (!env::FileSystem::Real()->List(root + "/sql").ok()) {
    return Status(Code::kNotFound,
                  fmt::format("the text by which version {} of job \"{}\" was made was not kept",
                              version, job_));
  }
  std::vector<Status> faults;
  auto project = Project::Load(root, target, faults);
  if (!faults.empty()) {
    return std::move(faults[0]).Annotate(
        fmt::format("version {} of job \"{}\", as it was", version, job_));
  }
  return project;
}

Status JobVersions::Remove(int version) const {
  MR_RETURN_IF_ERROR(RemoveTree(StateDirectory(version)));
  return RemoveTree(fmt::format("{}/{}", directory_, version));
}

}  // namespace millrace::project
