#include "connectors/iceberg/iceberg_table.h"

#include <fmt/format.h>

#include "connectors/iceberg/cleanup.h"
#include "connectors/iceberg/compaction.h"
#include "connectors/iceberg/snapshot_update.h"
#include "connectors/iceberg/table_columns.h"

namespace millrace::connectors::iceberg {

namespace {

constexpr int kTries = 5;  // of one commit, when others are faster

// Each commit rewrites the table's metadata: the catalog is asked not to keep all of them.
const std::map<std::string, std::string> kPropertiesOfNewTables = {
    {"format-version", "2"},
    {"write.parquet.compression-codec", "zstd"},
    {"write.metadata.delete-after-commit.enabled", "true"},
    {"write.metadata.previous-versions-max", "20"},
};

}  // namespace

IcebergTable::IcebergTable(TableSettings settings, model::Schema columns, env::Clock& clock)
    : settings_(std::move(settings)),
      columns_(std::move(columns)),
      clock_(clock),
      catalog_(settings_.catalog) {}

Status IcebergTable::Open() {
  MR_RETURN_IF_ERROR(catalog_.Open());
  MR_ASSIGN_OR_RETURN(auto there, catalog_.Load());
  if (!there) {
    NewTable table{.schema = {}, .spec = {}, .properties = kPropertiesOfNewTables};
    MR_RETURN_IF_ERROR(
        DescribeNewTable(columns_, settings_.partitioned_by, table.schema, table.spec));
    const Status created = catalog_.Create(table);
    if (!created.ok() && created.code() != Code::kAlreadyExists) return created;
  }
  MR_RETURN_IF_ERROR(Reload());
  MR_ASSIGN_OR_RETURN(writer_, DataWriter::Open(settings_.spill_directory, settings_.store));
  return Prepare();
}

Result<model::Epoch> IcebergTable::LastEpoch() {
  MR_RETURN_IF_ERROR(Reload());
  return CommittedEpoch(table_, settings_.job);
}

Status IcebergTable::Commit(model::Epoch epoch) {
  if (!pending_ && writer_->rows() == 0) return Status::Ok();
  if (!pending_) MR_RETURN_IF_ERROR(WritePending());
  Status done;
  for (int i = 0; i < kTries; i++) {
    if (asks_again_) {
      MR_RETURN_IF_ERROR(Reload());
      if (CommittedEpoch(table_, settings_.job) >= epoch) return Forget();
    }
    asks_again_ = true;
    done = TryCommit(epoch);
    if (done.ok()) return Forget();
    if (done.code() != Code::kFailedPrecondition) return done;
  }
  return done;
}

Status IcebergTable::Maintain(const MaintenanceSettings& settings) {
  MR_RETURN_IF_ERROR(Reload());
  const int64_t now_us = clock_.WallMicros();
  MR_RETURN_IF_ERROR(
      Compact({settings.file_bytes, now_us / 1000}, catalog_, *writer_, table_).status());
  MR_RETURN_IF_ERROR(ExpireSnapshots((now_us - settings.snapshots_kept_us) / 1000, catalog_,
                                     writer_->files(), table_)
                         .status());
  if (orphans_sought_us_ >= 0 && now_us - orphans_sought_us_ < settings.orphans_after_us) {
    return Status::Ok();
  }
  MR_RETURN_IF_ERROR(
      DeleteOrphans(now_us - settings.orphans_after_us, writer_->files(), table_).status());
  orphans_sought_us_ = now_us;
  return Status::Ok();
}

Status IcebergTable::Reload() {
  MR_ASSIGN_OR_RETURN(auto there, catalog_.Load());
  if (!there) {
    return Status(Code::kUnknownTable,
                  "the catalog has no table \"" + catalog_.table_name() + "\" any more")
        .WithRetry(Retry::kBackoff);
  }
  table_ = std::move(*there);
  return CheckSupported();
}

Status IcebergTable::CheckSupported() const {
  if (table_.format_version == 2) return Status::Ok();
  return Status(Code::kUnsupported, fmt::format("the Iceberg table \"{}\" has format version {}",
                                                catalog_.table_name(), table_.format_version))
      .WithHint(
          "version 2 can be written; one of version 1 is raised by setting the table's "
          "property 'format-version' to 2");
}

Status IcebergTable::Prepare() {
  MR_ASSIGN_OR_RETURN(MatchedColumns matched, MatchColumns(columns_, table_));
  if (!matched.missing.empty()) {
    MR_ASSIGN_OR_RETURN(
        table_,
        catalog_.Commit(
            {fmt::format(R"({{"type":"assert-current-schema-id","current-schema-id":{}}})",
                         table_.schema_id)},
            {R"({"action":"add-schema","schema":)" + SchemaWith(table_, matched.missing) + "}",
             R"({"action":"set-current-schema","schema-id":-1})"}));
    MR_ASSIGN_OR_RETURN(matched, MatchColumns(columns_, table_));
  }
  std::vector<PartitionTransform> partition;
  for (const PartitionField& field : table_.FindSpec(table_.spec_id)->fields) {
    MR_ASSIGN_OR_RETURN(PartitionTransform transform, PartitionTransformOf(field, table_.schema));
    partition.push_back(std::move(transform));
  }
  MR_RETURN_IF_ERROR(writer_->Describe(matched.written, std::move(partition)));
  described_schema_ = table_.schema_id;
  described_spec_ = table_.spec_id;
  for (const char* kind : {"data", "metadata"}) {
    MR_RETURN_IF_ERROR(writer_->files().CreateDirectory(table_.DirectoryOf(kind)));
  }
  return Status::Ok();
}

Status IcebergTable::WritePending() {
  const PartitionSpec& spec = *table_.FindSpec(described_spec_);
  Pending pending;
  pending.snapshot_id = NewSnapshotId();
  MR_ASSIGN_OR_RETURN(pending.files, writer_->WriteFiles(table_.DirectoryOf("data")));
  MR_ASSIGN_OR_RETURN(auto columns, PartitionColumnsOf(spec, table_.schema));
  std::vector<ManifestEntry> entries;
  for (const DataFile& file : pending.files) {
    entries.push_back({.snapshot_id = pending.snapshot_id, .file = file});
  }
  pending.manifest.path = table_.DirectoryOf("metadata") + "/" + NewFileName(".avro");
  MR_RETURN_IF_ERROR(writer_->files().Write(
      pending.manifest.path,
      WriteManifest(table_, spec, columns, entries, pending.snapshot_id, pending.manifest)));
  pending_ = std::move(pending);
  return Status::Ok();
}

Status IcebergTable::TryCommit(model::Epoch epoch) {
  MR_ASSIGN_OR_RETURN(std::vector<ManifestFile> manifests, ManifestsOfHead());
  manifests.insert(manifests.begin(), pending_->manifest);
  NewSnapshot snapshot;
  snapshot.id = pending_->snapshot_id;
  snapshot.timestamp_ms = clock_.WallMicros() / 1000;
  snapshot.manifest_list = table_.DirectoryOf("metadata") + "/" + NewFileName(".avro");
  snapshot.operation = "append";
  snapshot.extra = EpochSummary(settings_.job, epoch);
  snapshot.added = pending_->files;
  MR_RETURN_IF_ERROR(writer_->files().Write(
      snapshot.manifest_list,
      WriteManifestList(std::move(manifests), snapshot.id, table_.current_snapshot,
                        table_.last_sequence_number + 1)));
  // A list that is refused stays, as an orphan: it may have been taken before, by a request that
  // something in between has sent twice.
  MR_ASSIGN_OR_RETURN(table_, catalog_.Commit(HeadIsStill(table_), AddSnapshot(table_, snapshot)));
  return Status::Ok();
}

Status IcebergTable::Forget() {
  MR_RETURN_IF_ERROR(writer_->Forget());
  pending_.reset();
  asks_again_ = false;
  // Somebody else may have changed it since.
  const bool same = table_.schema_id == described_schema_ && table_.spec_id == described_spec_;
  return same ? Status::Ok() : Prepare();
}

Result<std::vector<ManifestFile>> IcebergTable::ManifestsOfHead() {
  const Snapshot* head = table_.FindSnapshot(table_.current_snapshot);
  if (!head) return std::vector<ManifestFile>();
  MR_ASSIGN_OR_RETURN(std::string bytes, writer_->files().Read(head->manifest_list));
  return ReadManifestList(bytes, head->manifest_list);
}

}  // namespace millrace::connectors::iceberg
