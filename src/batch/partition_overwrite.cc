#include "batch/partition_overwrite.h"

#include <fmt/format.h>

#include <duckdb/parser/expression/constant_expression.hpp>
#include <map>
#include <set>

#include "base/strings.h"
#include "duck/door.h"
#include "duck/remote_files.h"
#include "duck/warehouse.h"
#include "env/files.h"

namespace millrace::batch {

namespace {

using duck::AtTheDoor;
using duck::Warehouse;

constexpr const char* kFileName = "data.parquet";
constexpr const char* kStaging = ".staging";

// The text of a constant option, upper case; "TRUE" of one without a value; "" when it is not
// given.
std::string OptionOf(const duckdb::CopyInfo& info, const std::string& name) {
  if (auto found = info.options.find(name); found != info.options.end()) {
    return found->second.empty() ? "TRUE" : ToUpper(found->second[0].ToString());
  }
  if (auto found = info.parsed_options.find(name); found != info.parsed_options.end()) {
    if (!found->second) return "TRUE";
    std::string text = found->second->ToString();
    return ToUpper(Trim(text.starts_with('\'') ? text.substr(1, text.size() - 2) : text));
  }
  return "";
}

// A flag of any spelling: OVERWRITE, OVERWRITE true, OVERWRITE 1. What is not clearly off is on.
bool IsSet(const duckdb::CopyInfo& info, const std::string& name) {
  static const std::set<std::string> kOff = {"", "FALSE", "F", "0", "CAST('F' AS BOOLEAN)"};
  return kOff.count(OptionOf(info, name)) == 0;
}

void SetOption(duckdb::CopyInfo& info, const std::string& name, const duckdb::Value& value) {
  info.options.erase(name);
  info.parsed_options[name] = duckdb::make_uniq<duckdb::ConstantExpression>(value);
}

bool IsOnThisMachine(const std::string& path) {
  return path.find("://") == std::string::npos;
}

bool IsHidden(const std::string& path_below) {
  return path_below.starts_with(".") || path_below.starts_with("_") ||
         path_below.find("/.") != std::string::npos;
}

// The files of one overwrite: what there is, what comes in its place.
class Directory {
 public:
  Directory(duckdb::Connection& connection, std::string path)
      : connection_(connection),
        path_(std::move(path)),
        local_(IsOnThisMachine(path_)),
        files_(*env::FileSystem::Real()) {}

  // Files below `path`, by their path below it; those that readers pass over are left out.
  Result<std::vector<std::string>> List(const std::string& path) {
    std::vector<std::string> below;
    MR_ASSIGN_OR_RETURN(const auto files, duck::ListRemoteFiles(connection_, path));
    for (const duck::RemoteFile& file : files) {
      if (!IsHidden(file.path)) below.push_back(file.path);
    }
    return below;
  }

  // Makes `<partition>/data.parquet` the bytes of `staged`, in one step.
  Status Publish(const std::string& partition, const std::string& staged) {
    const std::string target = path_ + "/" + partition;
    if (!local_) return duck::UploadFile(connection_, staged, target + "/" + kFileName);
    MR_RETURN_IF_ERROR(files_.CreateDirectories(target));
    MR_ASSIGN_OR_RETURN(auto file, files_.Open(staged, env::OpenMode::kWrite));
    MR_RETURN_IF_ERROR(file->Sync());
    MR_RETURN_IF_ERROR(files_.Rename(staged, target + "/" + kFileName));
    return files_.SyncDirectory(target);
  }

  Status Remove(const std::string& partition) {
    const std::string target = path_ + "/" + partition;
    if (local_) {
      MR_RETURN_IF_ERROR(files_.Remove(target + "/" + kFileName));
      return files_.SyncDirectory(target);
    }
    return duck::RemoveRemoteFile(connection_, target + "/" + kFileName);
  }

 private:
  duckdb::Connection& connection_;
  const std::string path_;
  const bool local_;
  env::FileSystem& files_;
};

// Where a COPY goes, without slashes at the end.
Result<std::string> TargetOf(duckdb::Connection& connection, const duckdb::CopyInfo& info) {
  std::string path = info.file_path;
  if (info.file_path_expression) {
    MR_ASSIGN_OR_RETURN(
        auto answer,
        Warehouse::QueryOn(connection, "SELECT " + info.file_path_expression->ToString()));
    if (answer.Get(0, 0).IsNull()) {
      return Status(Code::kInvalidArgument,
                    "the path of COPY … TO is NULL: " + info.file_path_expression->ToString())
          .WithHint("a variable that is not set is NULL: --set NAME=VALUE");
    }
    path = answer.Get(0, 0).ToString();
  }
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

Status CheckOptions(const duckdb::CopyInfo& info) {
  if (info.format != "parquet" && OptionOf(info, "format") != "PARQUET") {
    return Status(Code::kUnsupported, "PARTITION_BY with OVERWRITE writes Parquet only")
        .WithHint("write FORMAT parquet, or leave OVERWRITE out and write to a new directory");
  }
  for (const char* name : {"filename_pattern", "file_size_bytes", "per_thread_output", "append"}) {
    if (OptionOf(info, name).empty()) continue;
    return Status(Code::kUnsupported,
                  fmt::format("PARTITION_BY with OVERWRITE does not take {}", ToUpper(name)))
        .WithDetail("a partition is one file, so that it is replaced in one step")
        .WithHint("leave it out");
  }
  return Status::Ok();
}

// DuckDB may have written a partition in several files.
Result<std::string> OneFile(duckdb::Connection& connection, const std::string& staging,
                            const std::string& partition, const std::vector<std::string>& parts) {
  if (parts.size() == 1) return staging + "/" + parts[0];
  std::vector<std::string> quoted;
  for (const std::string& part : parts) quoted.push_back(QuoteLiteral(staging + "/" + part));
  const std::string whole = staging + "/" + partition + "/whole";
  MR_RETURN_IF_ERROR(Warehouse::Execute(connection, "COPY (FROM read_parquet([" +
                                                        Join(quoted, ", ") +
                                                        "], hive_partitioning = false)) TO " +
                                                        QuoteLiteral(whole) + " (FORMAT parquet)"));
  return whole;
}

// Partitions there are, refusing files that are not ours.
Result<std::set<std::string>> Existing(Directory& directory, const std::string& target) {
  MR_ASSIGN_OR_RETURN(auto files, directory.List(target));
  std::set<std::string> partitions;
  for (const std::string& file : files) {
    if (file.ends_with(std::string("/") + kFileName)) {
      partitions.insert(env::ParentDirectory(file));
      continue;
    }
    return Status(Code::kFailedPrecondition,
                  "\"" + target + "/" + file + "\" was not written by an OVERWRITE of ours")
        .WithDetail(
            "a partition is replaced as one file, data.parquet; readers would see the rows "
            "of other files beside it")
        .WithHint("move it away, or write to another directory");
  }
  return partitions;
}

}  // namespace

bool IsPartitionOverwrite(const duckdb::SQLStatement& statement) {
  if (statement.type != duckdb::StatementType::COPY_STATEMENT) return false;
  const duckdb::CopyInfo& info = *statement.Cast<duckdb::CopyStatement>().info;
  return !info.is_from && !OptionOf(info, "partition_by").empty() &&
         (IsSet(info, "overwrite") || IsSet(info, "overwrite_or_ignore"));
}

Result<Overwritten> OverwritePartitions(duckdb::Connection& connection,
                                        duckdb::unique_ptr<duckdb::SQLStatement> statement,
                                        const std::string& scratch) {
  duckdb::CopyInfo& info = *statement->Cast<duckdb::CopyStatement>().info;
  MR_RETURN_IF_ERROR(CheckOptions(info));
  MR_ASSIGN_OR_RETURN(const std::string target, TargetOf(connection, info));
  const bool remove_others = IsSet(info, "overwrite");
  const bool local = IsOnThisMachine(target);
  Directory directory(connection, target);

  env::FileSystem& files = *env::FileSystem::Real();
  // On the target's own file system, so that a rename puts a file in place.
  const std::string staging_home = local ? target + "/" + kStaging : scratch + "/" + kStaging;
  MR_RETURN_IF_ERROR(files.CreateDirectories(staging_home));
  MR_ASSIGN_OR_RETURN(auto lock, files.Lock(staging_home + "/lock"));
  MR_ASSIGN_OR_RETURN(auto existing, Existing(directory, target));
  const std::string staging = staging_home + "/result";

  // DuckDB empties the staging directory of what a dead process left there.
  for (const char* name : {"overwrite", "overwrite_or_ignore"}) {
    info.options.erase(name);
    info.parsed_options.erase(name);
  }
  SetOption(info, "overwrite", duckdb::Value::BOOLEAN(true));
  // Not ".parquet": patterns of readers must not find it.
  SetOption(info, "file_extension", duckdb::Value("part"));
  info.file_path_expression.reset();
  info.file_path = staging;

  Overwritten done;
  MR_RETURN_IF_ERROR(AtTheDoor([&] {
    auto result = connection.Query(std::move(statement));
    if (result->HasError()) return duck::FromDuckError(result->GetErrorObject());
    done.rows = result->GetValue(0, 0).GetValue<int64_t>();
    return Status::Ok();
  }));
  MR_ASSIGN_OR_RETURN(auto staged, directory.List(staging));
  std::map<std::string, std::vector<std::string>> parts;  // by partition
  for (const std::string& file : staged) parts[env::ParentDirectory(file)].push_back(file);
  // Everything that can fail for reasons of the query comes before the first partition is replaced.
  std::map<std::string, std::string> whole;
  for (const auto& [partition, some] : parts) {
    MR_ASSIGN_OR_RETURN(whole[partition], OneFile(connection, staging, partition, some));
  }
  for (const auto& [partition, file] : whole) {
    MR_RETURN_IF_ERROR(directory.Publish(partition, file));
    existing.erase(partition);
    done.partitions++;
  }
  if (remove_others) {
    for (const std::string& partition : existing) {
      MR_RETURN_IF_ERROR(directory.Remove(partition));
      done.removed++;
    }
  }
  return done;
}

}  // namespace millrace::batch
