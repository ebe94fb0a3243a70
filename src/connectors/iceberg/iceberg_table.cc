#include "connectors/iceberg/iceberg_table.h"

#include <fmt/format.h>

#include "connectors/iceberg/cleanup.h"
#include "connectors/iceberg/compaction.h"
#include "connectors/iceberg/snapshot_update.h"
#include "connectors/iceberg/table_columns.h"

namespace millrace::connectors::iceberg {

namespace {

constexpr int kTries = 5;  // of one commit, when others are faster
// Credentials that end sooner are asked for again.
constexpr int64_t kCredentialsLeftMs = 5 * 60 * 1000;

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
  MR_ASSIGN_OR_RETURN(writer_, DataWriter::Open(settings_.spill_directory));
  MR_RETURN_IF_ERROR(Reload());
  if (!settings_.key.empty()) {
    overwrite_ =
        std::make_unique<KeyOverwrite>(*writer_, columns_, settings_.key, settings_.file_bytes);
    MR_RETURN_IF_ERROR(overwrite_->changes().Open());
  }
  return Prepare();
}

Result<model::Epoch> IcebergTable::LastEpoch() {
  MR_RETURN_IF_ERROR(Reload());
  return CommittedEpoch(table_, settings_.job);
}

Status IcebergTable::Gather(const SinkBatch& batch) {
  if (!overwrite_) return writer_->Append(batch);
  MR_RETURN_IF_ERROR(overwrite_->changes().MakeRoom());
  overwrite_->changes().Gather(batch);
  return Status::Ok();
}

int64_t IcebergTable::gathered_rows() const {
  return overwrite_ ? overwrite_->changes().gathered() : writer_->rows();
}

Status IcebergTable::Commit(model::Epoch epoch) {
  if (!pending_ && gathered_rows() == 0) return Status::Ok();
  if (CredentialsMayHaveEnded()) MR_RETURN_IF_ERROR(Reload());
  Status done = overwrite_ ? CommitChanges(epoch) : CommitPending(epoch);
  failed_ = !done.ok();
  return done;
}

Status IcebergTable::CommitPending(model::Epoch epoch) {
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

Status IcebergTable::CommitChanges(model::Epoch epoch) {
  MR_RETURN_IF_ERROR(overwrite_->changes().Settle());
  Status done;
  std::vector<std::string> refused;  // what was written for a head that is none any more
  for (int i = 0; i < kTries; i++) {
    // Also at first: what is written behind an old head is written in vain.
    MR_RETURN_IF_ERROR(Reload());
    if (asks_again_ && CommittedEpoch(table_, settings_.job) >= epoch) return Forget();
    for (const std::string& location : refused) {
      MR_RETURN_IF_ERROR(writer_->files().Remove(location));
    }
    if (!IsAsDescribed()) MR_RETURN_IF_ERROR(Prepare());
    MR_ASSIGN_OR_RETURN(KeyOverwrite::Written written, overwrite_->Write(table_, partition_));
    if (written.snapshot.id == 0) return Forget();
    written.snapshot.timestamp_ms = clock_.WallMicros() / 1000;
    written.snapshot.extra = EpochSummary(settings_.job, epoch);
    asks_again_ = true;
    auto after = catalog_.Commit(HeadIsStill(table_), AddSnapshot(table_, written.snapshot));
    if (after.ok()) {
      table_ = std::move(*after);
      return Forget();
    }
    done = std::move(after).status();
    // It may be taken after all, so what it wrote stays, perhaps as an orphan.
    if (done.code() != Code::kFailedPrecondition) return done;
    // Unless something in between has sent it twice, which the table will show.
    refused = std::move(written.locations);
  }
  return done;
}

Status IcebergTable::Maintain(const MaintenanceSettings& settings) {
  MR_RETURN_IF_ERROR(Reload());
  const int64_t now_us = clock_.WallMicros();
  MR_RETURN_IF_ERROR(
      Compact({settings_.file_bytes, now_us / 1000}, catalog_, *writer_, table_).status());
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
  MR_RETURN_IF_ERROR(CheckSupported());
  return UseStore();
}

Status IcebergTable::UseStore() {
  for (const char* kind : {"data", "metadata"}) {
    const std::string directory = table_.DirectoryOf(kind);
    if (PathOf(directory).find("://") == std::string::npos) continue;
    if (!s3::IsS3(directory)) {
      return Status(Code::kUnsupported, "the Iceberg table \"" + catalog_.table_name() +
                                            "\" has its files at \"" + directory + "\"")
          .WithHint("tables on this machine (file:) and in S3 (s3:) can be written");
    }
    const s3::Access access = AccessFor(settings_.store, catalog_.store_properties());
    if (access == store_) continue;
    MR_RETURN_IF_ERROR(writer_->UseAccess(access));
    store_ = access;
  }
  return Status::Ok();
}

bool IcebergTable::CredentialsMayHaveEnded() const {
  if (store_.empty() || settings_.store.contains("key_id")) return false;
  const int64_t end_ms = CredentialsEndMs(catalog_.store_properties());
  return failed_ || (end_ms > 0 && end_ms - clock_.WallMicros() / 1000 < kCredentialsLeftMs);
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
  partition_.clear();
  for (const PartitionField& field : table_.FindSpec(table_.spec_id)->fields) {
    MR_ASSIGN_OR_RETURN(PartitionTransform transform, PartitionTransformOf(field, table_.schema));
    partition_.push_back(std::move(transform));
  }
  // Files that are written anew have all columns.
  MR_RETURN_IF_ERROR(writer_->Describe(overwrite_ ? table_.schema : matched.written, partition_));
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
  if (overwrite_) MR_RETURN_IF_ERROR(overwrite_->changes().Forget());
  pending_.reset();
  asks_again_ = false;
  // Somebody else may have changed it since.
  return IsAsDescribed() ? Status::Ok() : Prepare();
}

bool IcebergTable::IsAsDescribed() const {
  return table_.schema_id == described_schema_ && table_.spec_id == described_spec_;
}

Result<std::vector<ManifestFile>> IcebergTable::ManifestsOfHead() {
  const Snapshot* head = table_.FindSnapshot(table_.current_snapshot);
  if (!head) return std::vector<ManifestFile>();
  MR_ASSIGN_OR_RETURN(std::string bytes, writer_->files().Read(head->manifest_list));
  return ReadManifestList(bytes, head->manifest_list);
}

}  // namespace millrace::connectors::iceberg
