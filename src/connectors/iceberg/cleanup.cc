#include "connectors/iceberg/cleanup.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "connectors/iceberg/data_writer.h"
#include "connectors/iceberg/manifest.h"
#include "connectors/iceberg/snapshot_update.h"

namespace millrace::connectors::iceberg {

namespace {

bool IsLeftAlone(const TableMetadata& table) {
  auto allowed = table.properties.find("gc.enabled");
  return allowed != table.properties.end() && EqualsIgnoreCase(allowed->second, "false");
}

Status AddManifests(const Snapshot& snapshot, TableFiles& files, std::set<std::string>& manifests) {
  auto bytes = files.Read(snapshot.manifest_list);
  if (!bytes.ok()) return std::move(bytes).status();
  MR_ASSIGN_OR_RETURN(auto list, ReadManifestList(*bytes, snapshot.manifest_list));
  for (const ManifestFile& manifest : list) manifests.insert(manifest.path);
  return Status::Ok();
}

Status AddFiles(const std::string& manifest, TableFiles& files, std::set<std::string>& paths) {
  MR_ASSIGN_OR_RETURN(std::string bytes, files.Read(manifest));
  MR_ASSIGN_OR_RETURN(auto named, FilesOfManifest(bytes, manifest));
  paths.insert(named.begin(), named.end());
  return Status::Ok();
}

// Of the snapshots that stay, those that have whatever an expired one and any that stays have both.
//
// A file is added once, and is then in every snapshot up to the one that takes it away. So of a
// row of snapshots in which each came from the one before, and which are all newer than those that
// are expired, the first one has it if any has. Older ones that stay (of tags, of jobs) are few.
std::vector<const Snapshot*> Witnesses(const TableMetadata& table,
                                       const std::vector<Snapshot>& expired,
                                       int64_t older_than_ms) {
  std::vector<const Snapshot*> witnesses, recent;
  for (const Snapshot& snapshot : table.snapshots) {
    (snapshot.timestamp_ms < older_than_ms ? witnesses : recent).push_back(&snapshot);
  }
  std::sort(recent.begin(), recent.end(), [](const Snapshot* a, const Snapshot* b) {
    return a->sequence_number < b->sequence_number;
  });
  bool in_a_row = true;
  for (size_t i = 0; i < recent.size(); i++) {
    const bool follows = i == 0 || recent[i]->parent == recent[i - 1]->id;
    // One that was picked from elsewhere adds files again.
    in_a_row = in_a_row && follows && !recent[i]->summary.contains("source-snapshot-id");
  }
  for (const Snapshot& snapshot : expired) {
    in_a_row = in_a_row && !recent.empty() && snapshot.sequence_number < recent[0]->sequence_number;
  }
  if (in_a_row && !recent.empty()) recent.resize(1);
  witnesses.insert(witnesses.end(), recent.begin(), recent.end());
  return witnesses;
}

// Files of `expired` that no snapshot of `table` has.
Result<std::set<std::string>> FilesOfNobody(const std::vector<Snapshot>& expired,
                                            const TableMetadata& table, int64_t older_than_ms,
                                            TableFiles& files) {
  std::set<std::string> gone, kept, unneeded, needed;
  for (const Snapshot& snapshot : expired) {
    MR_RETURN_IF_ERROR(AddManifests(snapshot, files, gone));
    unneeded.insert(snapshot.manifest_list);
  }
  for (const Snapshot* snapshot : Witnesses(table, expired, older_than_ms)) {
    MR_RETURN_IF_ERROR(AddManifests(*snapshot, files, kept));
  }
  for (const std::string& path : gone) {
    if (kept.contains(path)) continue;
    unneeded.insert(path);
    MR_RETURN_IF_ERROR(AddFiles(path, files, unneeded));
  }
  for (const std::string& path : kept) {
    MR_RETURN_IF_ERROR(AddFiles(path, files, needed));
  }
  for (const std::string& path : needed) unneeded.erase(path);
  return unneeded;
}

// All that any snapshot of the table has.
Result<std::set<std::string>> FilesOfTable(const TableMetadata& table, TableFiles& files) {
  std::set<std::string> paths, manifests;
  for (const Snapshot& snapshot : table.snapshots) {
    paths.insert(snapshot.manifest_list);
    MR_RETURN_IF_ERROR(AddManifests(snapshot, files, manifests));
  }
  for (const std::string& path : manifests) {
    paths.insert(path);
    MR_RETURN_IF_ERROR(AddFiles(path, files, paths));
  }
  return paths;
}

}  // namespace

std::vector<int64_t> ExpiredSnapshots(const TableMetadata& table, int64_t older_than_ms) {
  std::set<int64_t> needed = {table.current_snapshot};
  for (const auto& [name, id] : table.refs) needed.insert(id);
  for (const auto& [job, newest] : NewestOfJobs(table)) needed.insert(newest->id);
  std::vector<int64_t> expired;
  for (const Snapshot& snapshot : table.snapshots) {
    if (snapshot.timestamp_ms >= older_than_ms || needed.contains(snapshot.id)) continue;
    expired.push_back(snapshot.id);
  }
  return expired;
}

Result<int64_t> ExpireSnapshots(int64_t older_than_ms, RestCatalog& catalog, TableFiles& files,
                                TableMetadata& table) {
  const std::vector<int64_t> ids = ExpiredSnapshots(table, older_than_ms);
  if (ids.empty() || IsLeftAlone(table)) return 0;
  std::vector<Snapshot> expired;
  for (const int64_t id : ids) expired.push_back(*table.FindSnapshot(id));
  auto after = catalog.Commit(
      HeadIsStill(table),
      {fmt::format(R"({{"action":"remove-snapshots","snapshot-ids":[{}]}})", fmt::join(ids, ","))});
  if (!after.ok()) {
    // Somebody else was faster: another time.
    if (after.status().code() == Code::kFailedPrecondition) return 0;
    return std::move(after).status();
  }
  table = std::move(*after);
  MR_ASSIGN_OR_RETURN(auto unneeded, FilesOfNobody(expired, table, older_than_ms, files));
  for (const std::string& location : unneeded) MR_RETURN_IF_ERROR(files.Remove(location));
  return static_cast<int64_t>(ids.size());
}

Result<int64_t> DeleteOrphans(int64_t older_than_us, TableFiles& files,
                              const TableMetadata& table) {
  if (IsLeftAlone(table)) return 0;
  std::vector<std::string> old;
  for (const char* kind : {"data", "metadata"}) {
    MR_ASSIGN_OR_RETURN(auto listed, files.List(table.DirectoryOf(kind)));
    for (const TableFiles::Listed& file : listed) {
      if (IsOurFile(file.location) && file.modified_us < older_than_us)
        old.push_back(file.location);
    }
  }
  if (old.empty()) return 0;
  MR_ASSIGN_OR_RETURN(const auto needed, FilesOfTable(table, files));
  int64_t deleted = 0;
  for (const std::string& location : old) {
    if (needed.contains(location)) continue;
    MR_RETURN_IF_ERROR(files.Remove(location));
    deleted++;
  }
  return deleted;
}

}  // namespace millrace::connectors::iceberg
