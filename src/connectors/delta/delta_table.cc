#include "connectors/delta/delta_table.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "base/strings.h"
#include "connectors/delta/compaction.h"
#include "connectors/delta/delta_schema.h"
#include "connectors/delta/protocol.h"
#include "connectors/delta/table_columns.h"

namespace millrace::connectors::delta {

namespace {

std::string WriterName(const std::string& application) {
  return fmt::format("millrace-{:016x}", XXH64(application.data(), application.size(), 0));
}

}  // namespace

DeltaTable::DeltaTable(env::FileSystem& files, env::Clock& clock, DeltaSettings settings,
                       model::Schema columns)
    : files_(files), clock_(clock), settings_(std::move(settings)), columns_(std::move(columns)) {}

Status DeltaTable::Open() {
  const std::string writer = WriterName(Application());
  store_ = s3::IsS3(settings_.path) ? NewS3Store(settings_.store, clock_, settings_.path, writer,
                                                 settings_.spill_directory)
                                    : NewLocalStore(files_, settings_.path, writer);
  data_ = std::make_unique<DataFiles>(
      *store_,
      DataFileSettings{settings_.path, writer, settings_.spill_directory, settings_.file_bytes});
  MR_RETURN_IF_ERROR(data_->Open());
  log_ = std::make_unique<DeltaLog>(*store_, data_->connection(), settings_.path);
  MR_RETURN_IF_ERROR(log_->Open());
  if (log_->snapshot().version < 0) {
    Status created = Create();
    // Somebody was faster: then it is as if it had been there.
    if (created.code() == Code::kAlreadyExists) created = log_->Refresh().status();
    MR_RETURN_IF_ERROR(created);
  }
  MR_ASSIGN_OR_RETURN(const model::Schema missing, CheckTable());
  if (missing.size() > 0) MR_RETURN_IF_ERROR(AddMissing(missing));
  MR_RETURN_IF_ERROR(data_->DeleteOrphans(log_->snapshot()).status());
  return StartGathering();
}

Status DeltaTable::StartGathering() {
  MR_ASSIGN_OR_RETURN(model::Schema named, NamedAsStored(log_->snapshot().metadata, columns_));
  if (settings_.key.empty()) {
    rows_ = std::make_unique<GatheredRows>(data_->connection(), std::move(named));
    return rows_->Open();
  }
  std::vector<std::string> key;
  for (const std::string& name : settings_.key) {
    key.push_back(named.columns[static_cast<size_t>(named.Find(name))].name);
  }
  changes_ = std::make_unique<KeyChanges>(*data_, std::move(named), std::move(key),
                                          log_->snapshot().metadata.partition_columns);
  return changes_->changes().Open();
}

Status DeltaTable::Create() {
  MR_ASSIGN_OR_RETURN(Protocol protocol, RaisedFor({}, columns_));
  MR_ASSIGN_OR_RETURN(std::string schema, SchemaJson(columns_));
  MR_ASSIGN_OR_RETURN(std::string id, data_->Uuid());
  Actions actions;
  actions.info = Info("CREATE TABLE");
  actions.protocol = protocol;
  actions.metadata = {.id = id,
                      .schema = schema,
                      .partition_columns = settings_.partitioned_by,
                      .created_ms = NowMs()};
  return log_->Commit(actions);
}

// The declared columns that the table lacks; an error when Millrace cannot write it as it is.
Result<model::Schema> DeltaTable::CheckTable() const {
  const Snapshot& table = log_->snapshot();
  const std::string where = "Delta table \"" + settings_.path + "\"";
  MR_RETURN_IF_ERROR(
      CheckWritable(table.protocol, table.metadata, !settings_.key.empty()).Annotate(where));
  auto missing = MissingColumns(table.metadata, columns_, settings_.partitioned_by);
  if (!missing.ok()) return std::move(missing).status().Annotate(where);
  return missing;
}

Status DeltaTable::AddMissing(const model::Schema& missing) {
  Actions actions;
  actions.info = Info("ADD COLUMNS");
  MR_ASSIGN_OR_RETURN(Protocol protocol, RaisedFor(log_->snapshot().protocol, missing));
  if (protocol.writer_features != log_->snapshot().protocol.writer_features) {
    actions.protocol = protocol;
  }
  actions.metadata = log_->snapshot().metadata;
  MR_ASSIGN_OR_RETURN(actions.metadata->schema, AddColumns(actions.metadata->schema, missing));
  Status added = log_->Commit(actions);
  if (added.code() != Code::kAlreadyExists) return added;
  MR_RETURN_IF_ERROR(log_->Refresh().status());
  return std::move(added).WithRetry(Retry::kBackoff);  // Open looks at the table anew
}

Result<model::Schema> DeltaTable::Stored() const {
  return ParseSchemaJson(log_->snapshot().metadata.schema);
}

model::Epoch DeltaTable::LastEpoch() const {
  const auto& versions = log_->snapshot().versions;
  const auto found = versions.find(Application());
  return found == versions.end() ? 0 : found->second.version;
}

Result<model::Epoch> DeltaTable::FindLastEpoch() {
  MR_RETURN_IF_ERROR(CatchUp().status());
  MR_RETURN_IF_ERROR(data_->DeleteOrphans(log_->snapshot()).status());
  return LastEpoch();
}

// What others did meanwhile; an error when rows as they are declared no longer fit.
Result<Actions> DeltaTable::CatchUp() {
  MR_ASSIGN_OR_RETURN(Actions others, log_->Refresh());
  if (!others.protocol && !others.metadata) return others;
  MR_ASSIGN_OR_RETURN(const model::Schema missing, CheckTable());
  if (missing.size() == 0) return others;
  return Status(Code::kFailedPrecondition, "Delta table \"" + settings_.path +
                                               "\" lost the column \"" + missing.columns[0].name +
                                               "\" to another writer")
      .WithHint("a restart adds it again");
}

Status DeltaTable::MakeRoom() {
  return changes_ ? changes_->changes().MakeRoom() : rows_->MakeRoom();
}

void DeltaTable::Gather(const SinkBatch& batch) {
  if (changes_) {
    changes_->changes().Gather(batch);
  } else if (batch.weights) {
    rows_->GatherCopies(*batch.rows, *batch.weights);
  } else {
    rows_->Gather(*batch.rows);
  }
}

int64_t DeltaTable::gathered_rows() const {
  return changes_ ? changes_->changes().gathered() : rows_->count();
}

Status DeltaTable::Forget() {
  return changes_ ? changes_->changes().Forget() : rows_->Forget();
}

Status DeltaTable::Commit(model::Epoch epoch) {
  Actions actions;
  actions.info = Info("STREAMING UPDATE");
  actions.info->parameters["epoch"] = std::to_string(epoch);
  actions.versions = {{Application(), epoch, NowMs()}};
  MR_RETURN_IF_ERROR(changes_ ? Change(std::move(actions), epoch)
                              : Append(std::move(actions), epoch));
  return Forget();
}

// As CatchUp; nobody else may commit under this job's name.
Result<Actions> DeltaTable::CatchUpAsTheOnlyOne(model::Epoch epoch) {
  const model::Epoch before = LastEpoch();
  MR_ASSIGN_OR_RETURN(Actions others, CatchUp());
  if (LastEpoch() == before) return others;
  if (store_->remote() && LastEpoch() == epoch) {
    return Status(Code::kUnavailable, "an earlier try of this commit has reached Delta table \"" +
                                          settings_.path + "\" meanwhile")
        .WithRetry(Retry::kBackoff);  // finds it there
  }
  return Status(Code::kFailedPrecondition, "another process commits to Delta table \"" +
                                               settings_.path + "\" as job \"" + settings_.job +
                                               "\" of table \"" + settings_.table + "\"")
      .WithHint("stop one of the two, or rename its job");
}

Status DeltaTable::Append(Actions actions, model::Epoch epoch) {
  actions.info->blind_append = true;
  MR_RETURN_IF_ERROR(rows_->Flush());
  if (rows_->count() > 0) {
    const Metadata& table = log_->snapshot().metadata;
    MR_ASSIGN_OR_RETURN(const model::Schema named, NamedAsStored(table, columns_));
    MR_ASSIGN_OR_RETURN(actions.added,
                        data_->Write("FROM gathered", named, table.partition_columns, NowMs()));
  }
  while (true) {
    Status done = log_->Commit(actions);
    if (done.code() != Code::kAlreadyExists) return done;
    MR_RETURN_IF_ERROR(CatchUpAsTheOnlyOne(epoch).status());
  }
}

Status DeltaTable::Change(Actions actions, model::Epoch epoch) {
  MR_RETURN_IF_ERROR(changes_->changes().Settle());
  while (true) {
    MR_ASSIGN_OR_RETURN(const model::Schema stored, Stored());
    MR_ASSIGN_OR_RETURN(const auto replaced, changes_->Concerned(log_->snapshot(), stored));
    actions.removed = Removed(replaced, true);
    MR_ASSIGN_OR_RETURN(actions.added,
                        data_->Write(changes_->Rows(replaced, stored), stored,
                                     log_->snapshot().metadata.partition_columns, NowMs()));
    bool still_right = true;
    while (still_right) {
      Status done = log_->Commit(actions);
      if (done.code() != Code::kAlreadyExists) return done;
      MR_ASSIGN_OR_RETURN(const Actions others, CatchUpAsTheOnlyOne(epoch));
      still_right = AllThere(replaced) && !others.protocol && !others.metadata &&
                    std::none_of(others.added.begin(), others.added.end(),
                                 [](const AddFile& file) { return file.data_change; });
    }
    for (const AddFile& file : actions.added) MR_RETURN_IF_ERROR(data_->Delete(file.path));
  }
}

bool DeltaTable::AllThere(const std::vector<AddFile>& files) const {
  const auto& present = log_->snapshot().files;
  return std::all_of(files.begin(), files.end(),
                     [&](const AddFile& file) { return present.contains(file.path); });
}

std::vector<RemoveFile> DeltaTable::Removed(const std::vector<AddFile>& files,
                                            bool data_change) const {
  std::vector<RemoveFile> removed;
  for (const AddFile& file : files) {
    removed.push_back({file.path, NowMs(), data_change, file.partition, file.bytes});
  }
  return removed;
}

Result<Maintenance> DeltaTable::Maintain() {
  Maintenance done;
  MR_RETURN_IF_ERROR(CatchUp().status());
  for (const auto& group : FilesToMerge(log_->snapshot(), settings_.file_bytes)) {
    MR_ASSIGN_OR_RETURN(const bool merged, Replace(group));
    if (merged) done.files_merged += static_cast<int64_t>(group.size());
  }
  MR_ASSIGN_OR_RETURN(done.files_deleted,
                      DeleteRemoved(OldestKeptMs("delta.deletedFileRetentionDuration")));
  if (log_->versions_to_checkpoint() >= settings_.checkpoint_versions) {
    MR_RETURN_IF_ERROR(log_->Checkpoint());
    MR_RETURN_IF_ERROR(log_->Expire(OldestKeptMs("delta.logRetentionDuration")));
    done.checkpoint = true;
  }
  return done;
}

// Puts one file into the place of `files`. False: another writer changed what they are part of.
Result<bool> DeltaTable::Replace(const std::vector<AddFile>& files) {
  MR_ASSIGN_OR_RETURN(const model::Schema stored, Stored());
  MR_ASSIGN_OR_RETURN(AddFile merged, data_->Merge(files, stored, NowMs()));
  Actions actions;
  actions.info = Info("OPTIMIZE");
  actions.added = {merged};
  actions.removed = Removed(files, false);
  while (true) {
    Status done = log_->Commit(actions);
    if (done.ok()) return true;
    if (done.code() != Code::kAlreadyExists) return done;
    MR_ASSIGN_OR_RETURN(const Actions others, CatchUp());
    if (AllThere({merged})) return true;  // the try before was done after all
    if (AllThere(files) && !others.protocol && !others.metadata) continue;
    MR_RETURN_IF_ERROR(data_->Delete(merged.path));
    return false;
  }
}

Result<int64_t> DeltaTable::DeleteRemoved(int64_t before_ms) {
  std::vector<std::string> old;
  for (const auto& [path, file] : log_->snapshot().tombstones) {
    if (file.deleted_ms < before_ms) old.push_back(path);
  }
  for (const std::string& path : old) {
    MR_RETURN_IF_ERROR(data_->Delete(path));
    log_->ForgetTombstone(path);
  }
  return static_cast<int64_t>(old.size());
}

int64_t DeltaTable::OldestKeptMs(const std::string& property) const {
  return NowMs() - KeptMicros(log_->snapshot().metadata, property, settings_.retention_us) / 1000;
}

std::string DeltaTable::Application() const {
  return settings_.job + "/" + settings_.table;
}

CommitInfo DeltaTable::Info(const std::string& operation) const {
  return {.at_ms = NowMs(),
          .operation = operation,
          .parameters = {{"job", settings_.job}, {"table", settings_.table}}};
}

int64_t DeltaTable::NowMs() const {
  return clock_.WallMicros() / 1000;
}

}  // namespace millrace::connectors::delta
