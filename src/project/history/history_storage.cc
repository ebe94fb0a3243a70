#include "project/history/history_storage.h"

#include <filesystem>
#include <set>

#include "batch/storage.h"
#include "duck/remote_files.h"
#include "project/batch_settings.h"
#include "project/config_section.h"

namespace millrace::project {

namespace {

using Places = std::map<std::string, std::string>;

void ReadPlaces(YamlReader& reader, const YAML::Node& topics, Places& places) {
  for (const auto& topic : topics) {
    if (!topic.second.IsMap()) continue;
    const YAML::Node parquet = topic.second["parquet"];
    if (!parquet || !parquet.IsMap() || !parquet["at"]) continue;
    std::string at;
    reader.Text(parquet["at"], at);
    while (at.ends_with('/')) at.pop_back();
    places[topic.first.as<std::string>()] = at;
  }
}

}  // namespace

std::string HistoryDirectory(const Project& project) {
  const std::filesystem::path data = std::filesystem::absolute(project.data_directory());
  return (data / "history").lexically_normal().string();
}

std::map<std::string, std::string> RemoteHistories(const Project& project) {
  return SectionOf<Places>(project, "topics", ReadPlaces);
}

std::vector<std::string> HistoryDirectories(const Project& project) {
  std::set<std::string> directories = {HistoryDirectory(project)};
  for (const auto& [topic, prefix] : RemoteHistories(project)) directories.insert(prefix + "/");
  return {directories.begin(), directories.end()};
}

Status UseHistoryStorage(const Project& project, duck::Warehouse& database) {
  if (RemoteHistories(project).empty()) return Status::Ok();
  MR_ASSIGN_OR_RETURN(const batch::Settings settings, BatchSettingsOf(project.directory()));
  auto connection = database.Connect();
  MR_RETURN_IF_ERROR(duck::LoadRemoteFiles(*connection));
  return batch::UseStorage(*connection, settings.storage);
}

}  // namespace millrace::project
