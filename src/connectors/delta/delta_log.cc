#include "connectors/delta/delta_log.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "base/strings.h"
#include "duck/warehouse.h"
#include "env/files.h"

namespace millrace::connectors::delta {

namespace {

constexpr size_t kVersionDigits = 20;

// The columns of a checkpoint, as read_json takes them.
constexpr const char* kCheckpointColumns =
    "{txn: 'STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)', "
    "add: 'STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, "
    "modificationTime BIGINT, dataChange BOOLEAN, stats VARCHAR, tags MAP(VARCHAR, VARCHAR))', "
    "remove: 'STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, "
    "extendedFileMetadata BOOLEAN, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT)', "
    "metaData: 'STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider "
    "VARCHAR, options MAP(VARCHAR, VARCHAR)), schemaString VARCHAR, partitionColumns VARCHAR[], "
    "configuration MAP(VARCHAR, VARCHAR), createdTime BIGINT)', "
    "protocol: 'STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures "
    "VARCHAR[], writerFeatures VARCHAR[])'}";

// A file of the log: its version, and what follows that in its name.
struct LogFile {
  int64_t version = 0;
  std::string suffix;
};

std::optional<LogFile> ParseName(const std::string& name) {
  LogFile file;
  if (name.size() <= kVersionDigits) return std::nullopt;
  const char* end = name.data() + kVersionDigits;
  if (std::from_chars(name.data(), end, file.version).ptr != end) return std::nullopt;
  file.suffix = name.substr(kVersionDigits);
  return file;
}

bool IsCheckpoint(const LogFile& file) {
  return file.suffix.starts_with(".checkpoint.") && file.suffix.ends_with(".parquet");
}

// Of ".checkpoint.0000000001.0000000003.parquet": 3; of ".checkpoint.parquet": 1; of kinds that are
// not read here: 0.
size_t PartCount(const std::string& suffix) {
  if (suffix == ".checkpoint.parquet") return 1;
  const std::vector<std::string> words = millrace::Split(suffix, '.');
  size_t count = 0;
  if (words.size() != 5) return 0;
  std::from_chars(words[3].data(), words[3].data() + words[3].size(), count);
  return count;
}

}  // namespace

void Snapshot::Apply(const Actions& actions) {
  if (actions.protocol) protocol = *actions.protocol;
  if (actions.metadata) metadata = *actions.metadata;
  for (const RemoveFile& file : actions.removed) {
    files.erase(file.path);
    tombstones[file.path] = file;
  }
  for (const AddFile& file : actions.added) {
    tombstones.erase(file.path);
    files[file.path] = file;
  }
  for (const ApplicationVersion& reached : actions.versions) {
    versions[reached.application] = reached;
  }
}

DeltaLog::DeltaLog(TableStore& store, duckdb::Connection& connection, const std::string& table_path)
    : store_(store), connection_(connection), directory_(table_path + "/_delta_log") {}

std::string DeltaLog::VersionPath(int64_t version, const std::string& suffix) const {
  return fmt::format("{}/{:020}{}", directory_, version, suffix);
}

Status DeltaLog::Open() {
  snapshot_ = {};
  checkpoint_ = -1;
  MR_ASSIGN_OR_RETURN(auto names, store_.List(directory_));
  std::map<int64_t, std::map<size_t, std::vector<std::string>>> checkpoints;  // by part count
  int64_t first = -1;
  for (const std::string& name : names) {
    const auto file = ParseName(name);
    if (!file) continue;
    if (file->suffix == ".json" && first < 0) first = file->version;
    if (!IsCheckpoint(*file)) continue;
    checkpoints[file->version][PartCount(file->suffix)].push_back(directory_ + "/" + name);
  }
  for (auto version = checkpoints.rbegin(); version != checkpoints.rend(); ++version) {
    for (const auto& [count, parts] : version->second) {
      if (count != parts.size() || checkpoint_ >= 0) continue;
      MR_RETURN_IF_ERROR(ReadCheckpoint(version->first, parts));
    }
  }
  if (checkpoint_ < 0 && first > 0) {
    return Status(Code::kCorruption, "the log \"" + directory_ + "\" begins with version " +
                                         std::to_string(first) + ", without a checkpoint")
        .WithHint("only classic checkpoints in Parquet are read here; or its first files are lost");
  }
  Actions all;
  return ReadNewVersions(all);
}

Status DeltaLog::ReadCheckpoint(int64_t version, const std::vector<std::string>& parts) {
  std::vector<std::string> quoted;
  for (const std::string& part : parts) quoted.push_back(QuoteLiteral(part));
  auto rows =
      duck::Warehouse::QueryOn(connection_, "SELECT to_json(action)::VARCHAR FROM read_parquet([" +
                                                Join(quoted, ", ") + "]) AS action");
  if (!rows.ok()) return std::move(rows).status().WithRetry(Retry::kBackoff);
  Actions actions;
  for (auto& chunk : rows->rows->Chunks()) {
    const auto* lines = duckdb::FlatVector::GetData<duckdb::string_t>(chunk.data[0]);
    for (duckdb::idx_t r = 0; r < chunk.size(); r++) {
      MR_RETURN_IF_ERROR(ReadAction({lines[r].GetData(), lines[r].GetSize()}, actions));
    }
  }
  snapshot_.Apply(actions);
  snapshot_.version = checkpoint_ = version;
  return Status::Ok();
}

Result<Actions> DeltaLog::ReadVersion(int64_t version) const {
  const std::string path = VersionPath(version, ".json");
  MR_ASSIGN_OR_RETURN(std::string text, store_.Read(path));
  Actions actions;
  for (const std::string& line : millrace::Split(text, '\n')) {
    if (Trim(line).empty()) continue;
    Status read = ReadAction(line, actions);
    if (!read.ok()) return std::move(read).Annotate("\"" + path + "\"");
  }
  return actions;
}

// Whether the log still has the version known here. It is deleted from its beginning: without that
// version there is no telling that the next one is not there only because it is not there any more.
Result<bool> DeltaLog::Reaches() const {
  if (snapshot_.version < 0) return true;
  MR_ASSIGN_OR_RETURN(const bool there, store_.Exists(VersionPath(snapshot_.version, ".json")));
  if (there) return true;
  return store_.Exists(VersionPath(snapshot_.version, ".checkpoint.parquet"));
}

Result<Actions> DeltaLog::Refresh() {
  Actions all;
  MR_ASSIGN_OR_RETURN(bool reaches, Reaches());
  if (reaches) {
    MR_RETURN_IF_ERROR(ReadNewVersions(all));
    return all;
  }
  MR_RETURN_IF_ERROR(Open());
  MR_ASSIGN_OR_RETURN(reaches, Reaches());
  if (!reaches) {
    return Status(Code::kCorruption, "the log \"" + directory_ + "\" lacks its newest version " +
                                         std::to_string(snapshot_.version));
  }
  all.protocol = snapshot_.protocol;
  all.metadata = snapshot_.metadata;
  for (const auto& [path, file] : snapshot_.files) all.added.push_back(file);
  return all;
}

Status DeltaLog::ReadNewVersions(Actions& all) {
  while (true) {
    auto next = ReadVersion(snapshot_.version + 1);
    if (!next.ok() && next.status().code() == Code::kNotFound) return Status::Ok();
    if (!next.ok()) return std::move(next).status();
    snapshot_.Apply(*next);
    snapshot_.version++;
    if (next->protocol) all.protocol = next->protocol;
    if (next->metadata) all.metadata = next->metadata;
    all.removed.insert(all.removed.end(), next->removed.begin(), next->removed.end());
    all.added.insert(all.added.end(), next->added.begin(), next->added.end());
  }
}

Status DeltaLog::Commit(const Actions& actions) {
  MR_ASSIGN_OR_RETURN(const bool reaches, Reaches());
  if (!reaches) {
    return Status(Code::kAlreadyExists, "the log \"" + directory_ + "\" begins after version " +
                                            std::to_string(snapshot_.version));
  }
  MR_RETURN_IF_ERROR(
      store_.WriteNew(VersionPath(snapshot_.version + 1, ".json"), ActionLines(actions)));
  snapshot_.Apply(actions);
  snapshot_.version++;
  return Status::Ok();
}

Status DeltaLog::Checkpoint() {
  Actions actions;
  actions.protocol = snapshot_.protocol;
  actions.metadata = snapshot_.metadata;
  for (auto& [path, file] : snapshot_.files) {
    actions.added.push_back(file);
    actions.added.back().data_change = false;
  }
  for (auto& [path, file] : snapshot_.tombstones) {
    actions.removed.push_back(file);
    actions.removed.back().data_change = false;
  }
  for (auto& [name, version] : snapshot_.versions) actions.versions.push_back(version);
  const std::string lines = store_.staging(), parquet = lines + ".parquet";
  MR_RETURN_IF_ERROR(env::ReplaceFile(*env::FileSystem::Real(), lines, ActionLines(actions)));
  MR_RETURN_IF_ERROR(duck::Warehouse::Execute(
      connection_, "COPY (FROM read_json(" + QuoteLiteral(lines) +
                       ", format = 'newline_delimited', columns = " + kCheckpointColumns +
                       ")) TO " + QuoteLiteral(parquet) + " (FORMAT parquet, COMPRESSION zstd)"));
  MR_RETURN_IF_ERROR(
      store_.Publish(parquet, VersionPath(snapshot_.version, ".checkpoint.parquet")));
  MR_RETURN_IF_ERROR(env::FileSystem::Real()->Remove(lines));
  checkpoint_ = snapshot_.version;
  const size_t size = 2 + actions.added.size() + actions.removed.size() + actions.versions.size();
  return store_.Replace(directory_ + "/_last_checkpoint",
                        fmt::format("{{\"version\":{},\"size\":{}}}", checkpoint_, size));
}

Status DeltaLog::Expire(int64_t before_ms) {
  MR_ASSIGN_OR_RETURN(auto names, store_.List(directory_));
  int64_t first_kept = -1;
  for (const std::string& name : names) {  // in the order of their versions
    const auto file = ParseName(name);
    if (!file || !IsCheckpoint(*file)) continue;
    auto actions = ReadVersion(file->version);
    if (!actions.ok() && actions.status().code() == Code::kNotFound) continue;
    if (!actions.ok()) return std::move(actions).status();
    if (!actions->info || actions->info->at_ms >= before_ms) break;
    first_kept = file->version;
  }
  for (const std::string& name : names) {
    const auto file = ParseName(name);
    if (!file || file->version >= first_kept) continue;
    MR_RETURN_IF_ERROR(store_.Remove(directory_ + "/" + name));
  }
  return Status::Ok();
}

}  // namespace millrace::connectors::delta
