#include "connectors/delta/delta_table.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "base/strings.h"
#include "connectors/delta/compaction.h"
#include "connectors/delta/delta_schema.h"
#include "connectors/delta/protocol.h"

namespace millrace::connectors::delta {

namespace {

std::string WriterName(const std::string& application) {
  return fmt::format("millrace-{:016x}", XXH64(application.data(), application.size(), 0));
}

std::string Seconds(int64_t micros) {
  return fmt::format("interval {} seconds", micros / 1'000'000);
}

}  // namespace

DeltaTable::DeltaTable(env::FileSystem& files, env::Clock& clock, DeltaSettings settings,
                       model::Schema columns)
    : files_(files), clock_(clock), settings_(std::move(settings)), columns_(std::move(columns)) {}

Status DeltaTable::Open() {
  MR_RETURN_IF_ERROR(files_.CreateDirectories(settings_.path));
  const std::string writer = WriterName(Application());
  data_ = std::make_unique<DataFiles>(
      files_,
      DataFileSettings{settings_.path, writer, settings_.spill_directory, settings_.file_bytes});
  MR_RETURN_IF_ERROR(data_->Open());
  log_ = std::make_unique<DeltaLog>(files_, data_->connection(), settings_.path, writer);
  MR_RETURN_IF_ERROR(log_->Open());
  if (log_->snapshot().version < 0) {
    Status created = Create();
    // Somebody was faster: then it is as if it had been there.
    if (created.code() == Code::kAlreadyExists) created = log_->Refresh().status();
    MR_RETURN_IF_ERROR(created);
  }
  MR_RETURN_IF_ERROR(CheckRights());
  MR_ASSIGN_OR_RETURN(model::Schema missing, FindMissing());
  if (missing.size() > 0) MR_RETURN_IF_ERROR(AddMissing(missing));
  MR_RETURN_IF_ERROR(data_->DeleteOrphans(log_->snapshot()).status());
  MR_ASSIGN_OR_RETURN(model::Schema named, NamedAsStored());
  return data_->Begin(std::move(named));
}

Status DeltaTable::Create() {
  MR_ASSIGN_OR_RETURN(Protocol protocol, RaisedFor({}, columns_));
  MR_ASSIGN_OR_RETURN(std::string schema, SchemaJson(columns_));
  MR_ASSIGN_OR_RETURN(std::string id, data_->Uuid());
  Actions actions;
  actions.info = Info("CREATE TABLE");
  actions.protocol = protocol;
  actions.metadata = {
      .id = id,
      .name = {},
      .description = {},
      .schema = schema,
      .partition_columns = settings_.partitioned_by,
      .configuration = {{"delta.deletedFileRetentionDuration", Seconds(settings_.retention_us)},
                        {"delta.logRetentionDuration", Seconds(settings_.retention_us)}},
      .created_ms = NowMs()};
  return log_->Commit(actions);
}

Status DeltaTable::CheckRights() const {
  const Snapshot& table = log_->snapshot();
  return CheckWritable(table.protocol, table.metadata, false)
      .Annotate("Delta table \"" + settings_.path + "\"");
}

// The declared columns that the table lacks; kFailedPrecondition when what it has is not as
// declared.
Result<model::Schema> DeltaTable::FindMissing() const {
  const auto refused = [&](const std::string& what) {
    return Status(Code::kFailedPrecondition, "Delta table \"" + settings_.path + "\" " + what)
        .WithHint("declare the table as it is there, or write to another 'path'");
  };
  const Metadata& metadata = log_->snapshot().metadata;
  MR_ASSIGN_OR_RETURN(const model::Schema stored, ParseSchemaJson(metadata.schema));
  const auto& partitions = metadata.partition_columns;
  if (!std::equal(partitions.begin(), partitions.end(), settings_.partitioned_by.begin(),
                  settings_.partitioned_by.end(), EqualsIgnoreCase)) {
    return refused("is partitioned by (" + Join(partitions, ", ") + "), table \"" +
                   settings_.table + "\" by (" + Join(settings_.partitioned_by, ", ") + ")");
  }
  model::Schema missing;
  for (const model::Column& column : columns_.columns) {
    const int at = stored.Find(column.name);
    if (at < 0) {
      missing.columns.push_back(column);
      continue;
    }
    const model::Column& there = stored.columns[static_cast<size_t>(at)];
    if (there.type != column.type) {
      return refused("has column \"" + there.name + "\" as " + there.type.ToString() +
                     ", table \"" + settings_.table + "\" declares " + column.type.ToString());
    }
    if (!there.nullable && column.nullable) {
      return refused("has column \"" + there.name + "\" NOT NULL, table \"" + settings_.table +
                     "\" declares that it may be NULL");
    }
  }
  for (const model::Column& there : stored.columns) {
    if (there.nullable || columns_.Find(there.name) >= 0) continue;
    return refused("has the column \"" + there.name + "\" NOT NULL, which table \"" +
                   settings_.table + "\" does not declare");
  }
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

// The declared columns under the names that the table has for them.
Result<model::Schema> DeltaTable::NamedAsStored() const {
  MR_ASSIGN_OR_RETURN(const model::Schema stored,
                      ParseSchemaJson(log_->snapshot().metadata.schema));
  model::Schema named = columns_;
  for (model::Column& column : named.columns) {
    column.name = stored.columns[static_cast<size_t>(stored.Find(column.name))].name;
  }
  return named;
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
  MR_RETURN_IF_ERROR(CheckRights());
  MR_ASSIGN_OR_RETURN(const model::Schema missing, FindMissing());
  if (missing.size() == 0) return others;
  return Status(Code::kFailedPrecondition, "Delta table \"" + settings_.path +
                                               "\" lost the column \"" + missing.columns[0].name +
                                               "\" to another writer")
      .WithHint("a restart adds it again");
}

Status DeltaTable::Commit(model::Epoch epoch) {
  Actions actions;
  actions.info = Info("STREAMING UPDATE");
  actions.info->parameters["epoch"] = std::to_string(epoch);
  actions.info->blind_append = true;
  actions.versions = {{Application(), epoch, NowMs()}};
  MR_ASSIGN_OR_RETURN(actions.added,
                      data_->Write(log_->snapshot().metadata.partition_columns, NowMs()));
  MR_RETURN_IF_ERROR(Append(actions));
  return data_->Forget();
}

Status DeltaTable::Append(const Actions& actions) {
  while (true) {
    Status done = log_->Commit(actions);
    if (done.code() != Code::kAlreadyExists) return done;
    MR_ASSIGN_OR_RETURN(const Actions others, CatchUp());
    for (const ApplicationVersion& version : others.versions) {
      if (version.application != Application()) continue;
      return Status(Code::kFailedPrecondition, "another process commits to Delta table \"" +
                                                   settings_.path + "\" as job \"" + settings_.job +
                                                   "\" of table \"" + settings_.table + "\"")
          .WithHint("stop one of the two, or rename its job");
    }
  }
}

Result<Maintenance> DeltaTable::Maintain() {
  Maintenance done;
  MR_RETURN_IF_ERROR(CatchUp().status());
  for (const auto& group : FilesToMerge(log_->snapshot(), settings_.file_bytes)) {
    MR_ASSIGN_OR_RETURN(const bool merged, Replace(group));
    if (merged) done.files_merged += static_cast<int64_t>(group.size());
  }
  const int64_t before_ms = NowMs() - settings_.retention_us / 1000;
  MR_ASSIGN_OR_RETURN(done.files_deleted, DeleteRemoved(before_ms));
  if (log_->versions_to_checkpoint() >= settings_.checkpoint_versions) {
    MR_RETURN_IF_ERROR(log_->Checkpoint());
    MR_RETURN_IF_ERROR(log_->Expire(before_ms));
    done.checkpoint = true;
  }
  return done;
}

// Puts one file into the place of `files`. False: another writer changed what they are part of.
Result<bool> DeltaTable::Replace(const std::vector<AddFile>& files) {
  MR_ASSIGN_OR_RETURN(const model::Schema stored,
                      ParseSchemaJson(log_->snapshot().metadata.schema));
  MR_ASSIGN_OR_RETURN(AddFile merged, data_->Merge(files, stored, NowMs()));
  Actions actions;
  actions.info = Info("OPTIMIZE");
  actions.added = {merged};
  for (const AddFile& file : files) {
    actions.removed.push_back({file.path, NowMs(), false, file.partition, file.bytes});
  }
  while (true) {
    Status done = log_->Commit(actions);
    if (done.ok()) return true;
    if (done.code() != Code::kAlreadyExists) return done;
    MR_ASSIGN_OR_RETURN(const Actions others, CatchUp());
    const auto& present = log_->snapshot().files;
    const bool all_there = std::all_of(files.begin(), files.end(), [&](const AddFile& file) {
      return present.contains(file.path);
    });
    if (all_there && !others.protocol && !others.metadata) continue;
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
