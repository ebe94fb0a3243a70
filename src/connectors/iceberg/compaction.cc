#include "connectors/iceberg/compaction.h"

#include <algorithm>
#include <map>

#include "connectors/iceberg/snapshot_update.h"

namespace millrace::connectors::iceberg {

namespace {

constexpr size_t kFilesToMerge = 8;
constexpr size_t kManifestsMax = 40;
constexpr int64_t kManifestBytesMax = 8 << 20;  // larger ones are left alone
constexpr size_t kEntriesOfManifest = 20'000;

// Sizes of one class differ by less than eight times.
int SizeClass(int64_t bytes) {
  int size_class = 0;
  for (; bytes >= 8; bytes /= 8) size_class++;
  return size_class;
}

std::string PartitionKey(const DataFile& file) {
  std::string key;
  for (const duckdb::Value& value : file.partition) {
    const std::string text = value.ToSQLString();
    key += std::to_string(text.size()) + ":" + text;
  }
  return key;
}

// A rewrite of parts of nested columns cannot tell what an older schema called them.
bool CanRewriteFiles(const TableMetadata& table, const std::vector<ManifestFile>& manifests) {
  const bool deletes = std::any_of(manifests.begin(), manifests.end(),
                                   [](const ManifestFile& each) { return each.content != 0; });
  const bool nested = std::any_of(table.schema.begin(), table.schema.end(), [](const auto& field) {
    return field.type.kind != IcebergType::Kind::kPrimitive;
  });
  return !deletes && (!nested || table.schema_count == 1);
}

// One run of a compaction: what it reads, and what it will have to delete if it is in vain.
class Run {
 public:
  Run(const CompactionSettings& settings, RestCatalog& catalog, DataWriter& writer,
      TableMetadata& table)
      : settings_(settings), catalog_(catalog), writer_(writer), table_(table) {}

  Result<int64_t> Do() {
    const Snapshot* head = table_.FindSnapshot(table_.current_snapshot);
    if (!head) return 0;
    MR_RETURN_IF_ERROR(ReadManifests(*head));
    std::vector<DataFile> files;
    for (const ManifestEntry& entry : entries_) files.push_back(entry.file);
    std::vector<std::vector<size_t>> groups;
    if (CanRewriteFiles(table_, others_)) groups = ChooseFiles(files, settings_.file_bytes);
    if (groups.empty() && merged_manifests_ < kManifestsMax) return 0;
    snapshot_.id = NewSnapshotId();
    Status done = WriteAll(groups);
    if (done.ok()) done = Commit();
    if (!done.ok()) {
      if (done.code() != Code::kFailedPrecondition) return done;
      // Somebody else was faster, or this commit was sent twice.
      MR_ASSIGN_OR_RETURN(auto there, catalog_.Load());
      if (there) table_ = std::move(*there);
    }
    if (table_.FindSnapshot(snapshot_.id)) return static_cast<int64_t>(snapshot_.removed.size());
    for (const std::string& location : written_) {
      MR_RETURN_IF_ERROR(writer_.files().Remove(location));
    }
    return 0;
  }

 private:
  // Small manifests of the current spec go to entries_, others stay as they are.
  Status ReadManifests(const Snapshot& head) {
    MR_ASSIGN_OR_RETURN(std::string list, writer_.files().Read(head.manifest_list));
    MR_ASSIGN_OR_RETURN(auto manifests, ReadManifestList(list, head.manifest_list));
    MR_ASSIGN_OR_RETURN(columns_, PartitionColumnsOf(spec(), table_.schema));
    for (ManifestFile& manifest : manifests) {
      if (manifest.content != 0 || manifest.spec_id != table_.spec_id ||
          manifest.length > kManifestBytesMax) {
        others_.push_back(std::move(manifest));
        continue;
      }
      MR_ASSIGN_OR_RETURN(std::string bytes, writer_.files().Read(manifest.path));
      MR_ASSIGN_OR_RETURN(auto entries, ReadManifest(bytes, manifest, columns_));
      for (ManifestEntry& entry : entries) {
        if (!entry.live()) continue;
        entry.status = EntryStatus::kExisting;
        entries_.push_back(std::move(entry));
      }
      merged_manifests_++;
    }
    return Status::Ok();
  }

  Status WriteAll(const std::vector<std::vector<size_t>>& groups) {
    std::vector<ManifestEntry> added;
    for (const std::vector<size_t>& group : groups) {
      std::vector<DataFile> files;
      for (const size_t i : group) {
        entries_[i].status = EntryStatus::kDeleted;
        entries_[i].snapshot_id = snapshot_.id;
        files.push_back(entries_[i].file);
      }
      MR_ASSIGN_OR_RETURN(DataFile merged,
                          writer_.Rewrite(files, table_.schema, table_.DirectoryOf("data")));
      written_.push_back(merged.path);
      snapshot_.removed.insert(snapshot_.removed.end(), files.begin(), files.end());
      snapshot_.added.push_back(merged);
      added.push_back({.snapshot_id = snapshot_.id, .file = std::move(merged)});
    }
    if (!added.empty()) MR_RETURN_IF_ERROR(WriteManifestOf(added));
    for (size_t at = 0; at < entries_.size(); at += kEntriesOfManifest) {
      const size_t end = std::min(at + kEntriesOfManifest, entries_.size());
      MR_RETURN_IF_ERROR(WriteManifestOf(
          {entries_.begin() + static_cast<long>(at), entries_.begin() + static_cast<long>(end)}));
    }
    manifests_.insert(manifests_.end(), others_.begin(), others_.end());
    return Status::Ok();
  }

  Status WriteManifestOf(const std::vector<ManifestEntry>& entries) {
    ManifestFile manifest;
    manifest.path = NewMetadataFile();
    MR_RETURN_IF_ERROR(writer_.files().Write(
        manifest.path, WriteManifest(table_, spec(), columns_, entries, snapshot_.id, manifest)));
    manifests_.push_back(std::move(manifest));
    return Status::Ok();
  }

  Status Commit() {
    snapshot_.timestamp_ms = settings_.timestamp_ms;
    snapshot_.operation = "replace";
    snapshot_.manifest_list = NewMetadataFile();
    MR_RETURN_IF_ERROR(
        writer_.files().Write(snapshot_.manifest_list,
                              WriteManifestList(manifests_, snapshot_.id, table_.current_snapshot,
                                                table_.last_sequence_number + 1)));
    MR_ASSIGN_OR_RETURN(table_,
                        catalog_.Commit(HeadIsStill(table_), AddSnapshot(table_, snapshot_)));
    return Status::Ok();
  }

  std::string NewMetadataFile() {
    written_.push_back(table_.DirectoryOf("metadata") + "/" + NewFileName(".avro"));
    return written_.back();
  }

  const PartitionSpec& spec() const { return *table_.FindSpec(table_.spec_id); }

  const CompactionSettings& settings_;
  RestCatalog& catalog_;
  DataWriter& writer_;
  TableMetadata& table_;
  std::vector<PartitionColumn> columns_;
  std::vector<ManifestEntry> entries_;
  std::vector<ManifestFile> others_;
  size_t merged_manifests_ = 0;
  NewSnapshot snapshot_;
  std::vector<ManifestFile> manifests_;  // of the new snapshot
  std::vector<std::string> written_;
};

}  // namespace

std::vector<std::vector<size_t>> ChooseFiles(const std::vector<DataFile>& files,
                                             int64_t file_bytes) {
  std::map<std::pair<std::string, int>, std::vector<size_t>> classes;
  for (size_t i = 0; i < files.size(); i++) {
    const DataFile& file = files[i];
    if (!IsOurFile(file.path) || file.size_bytes >= file_bytes / 2) continue;
    classes[{PartitionKey(file), SizeClass(file.size_bytes)}].push_back(i);
  }
  std::vector<std::vector<size_t>> groups;
  for (auto& [key, alike] : classes) {
    if (alike.size() < kFilesToMerge) continue;
    std::vector<size_t> group;
    int64_t bytes = 0;
    for (const size_t i : alike) {
      if (bytes + files[i].size_bytes > file_bytes && group.size() > 1) {
        groups.push_back(std::move(group));
        group.clear();
        bytes = 0;
      }
      group.push_back(i);
      bytes += files[i].size_bytes;
    }
    if (group.size() > 1) groups.push_back(std::move(group));
  }
  return groups;
}

Result<int64_t> Compact(const CompactionSettings& settings, RestCatalog& catalog,
                        DataWriter& writer, TableMetadata& table) {
  return Run(settings, catalog, writer, table).Do();
}

}  // namespace millrace::connectors::iceberg
