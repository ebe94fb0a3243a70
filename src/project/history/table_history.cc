#include "project/history/table_history.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "duck/door.h"
#include "project/history/offset_set.h"

namespace millrace::project {

namespace {

constexpr int64_t kGraceMs = 10 * 60 * 1000;
// Another number when the same columns and format come to give other files.
constexpr int kFormatVersion = 1;
// Ends the name of a directory whose files hold the bytes of every record.
constexpr const char* kWithBytes = "-records";

// A table's name as that of a directory.
std::string DirectoryName(const std::string& table) {
  std::string name;
  for (const char c : table) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-';
    name += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return name;
}

// Of everything that decides what a record becomes.
std::string Fingerprint(const HistoryTable& table) {
  std::vector<std::string> parts = {std::to_string(kFormatVersion), table.format.format};
  for (const model::Column& column : table.format.schema.columns) {
    parts.insert(parts.end(),
                 {column.name, column.type.ToString(), column.nullable ? "" : "NOT NULL"});
  }
  for (const sql::MetadataColumn& column : table.metadata) {
    parts.insert(parts.end(), {column.name, column.type.ToString(), "METADATA", column.key});
  }
  for (const auto& [name, value] : table.format.options) {
    parts.insert(parts.end(), {name, value});
  }
  const std::string text = Join(parts, std::string_view("\0", 1));
  return fmt::format("{:016x}{}", XXH3_64bits(text.data(), text.size()),
                     table.with_bytes ? kWithBytes : "");
}

Result<model::Schema> ColumnsOf(const HistoryFile& file, duck::Warehouse& database) {
  return duck::AtTheDoor([&]() -> Result<model::Schema> {
    auto connection = database.Connect();
    auto result = connection->Query("SELECT * FROM read_parquet(" + QuoteLiteral(file.Path()) +
                                    ", hive_partitioning = false) LIMIT 0");
    if (result->HasError()) {
      return AskAgain(duck::FromDuckError(result->GetErrorObject()), file.Path());
    }
    model::Schema schema;
    for (size_t c = 0; c < result->names.size(); c++) {
      schema.columns.push_back({result->names[c], result->types[c], true});
    }
    return schema;
  });
}

}  // namespace

TableHistory::TableHistory(HistoryTable table, HistorySettings settings, std::string root,
                           HistoryPlace& place, log::Log& log, duck::Warehouse& database)
    : table_(std::move(table)),
      settings_(settings),
      root_(std::move(root)),
      place_(place),
      log_(log),
      database_(database),
      generations_(1) {}

Status TableHistory::Open() {
  for (const model::Column& column : table_.Columns().columns) {
    if (HistoryColumns().Find(column.name) < 0) continue;
    return Status(Code::kBadOption, fmt::format("column \"{}\" of table \"{}\" has a name that "
                                                "Parquet files of its topic need",
                                                column.name, table_.name))
        .WithHint("rename the column, or take 'parquet' of topic \"" + table_.topic +
                  "\" out of millrace.yml");
  }
  Status found = FindFiles();
  std::lock_guard lock(mutex_);
  opened_ = found;
  return found;
}

Status TableHistory::FindFiles() {
  MR_ASSIGN_OR_RETURN(const log::TopicInfo info, log_.Describe(table_.topic));
  const std::string of_topic = root_ + "/" + table_.topic;
  MR_RETURN_IF_ERROR(place_.RemoveOthers(of_topic, std::to_string(info.created_us)));
  const std::string directory =
      fmt::format("{}/{}/{}", of_topic, info.created_us, DirectoryName(table_.name));
  MR_ASSIGN_OR_RETURN(auto generations, ListGenerations(directory));
  std::lock_guard lock(mutex_);
  created_us_ = info.created_us;
  gone_.clear();
  generations_ = std::move(generations);
  return Status::Ok();
}

Result<std::vector<TableHistory::Generation>> TableHistory::ListGenerations(
    const std::string& directory) const {
  MR_ASSIGN_OR_RETURN(const auto files, place_.List(directory));
  std::map<std::string, Generation> found;  // by the name of their directory: oldest first
  for (const duck::RemoteFile& file : files) {
    const size_t slash = file.path.find('/');
    if (slash == std::string::npos) continue;
    const std::string name = file.path.substr(0, slash);
    if (file.path.ends_with(".tmp")) {
      MR_RETURN_IF_ERROR(place_.Remove(directory + "/" + file.path));
    }
    auto parsed = ParseHistoryFileName(file.path.substr(slash + 1));
    if (!parsed) continue;
    Generation& generation = found[name];
    generation.directory = parsed->directory = directory + "/" + name;
    generation.with_bytes = name.ends_with(kWithBytes);
    parsed->bytes = file.bytes;
    generation.files.push_back(std::move(*parsed));
  }
  const std::string fingerprint = Fingerprint(table_);
  const int newest = found.empty() ? 0 : std::atoi(found.rbegin()->first.c_str());
  Generation current;
  current.directory = fmt::format("{}/{:04}-{}", directory, newest + 1, fingerprint);
  std::vector<Generation> generations;
  for (auto& [name, generation] : found) {
    if (name.ends_with("-" + fingerprint)) {
      current = std::move(generation);
      continue;
    }
    MR_ASSIGN_OR_RETURN(generation.columns, ColumnsOf(generation.files.front(), database_));
    generations.push_back(std::move(generation));
  }
  current.columns = table_.Columns();
  current.with_bytes = table_.with_bytes;
  generations.push_back(std::move(current));
  return generations;
}

Status TableHistory::Keep(int64_t now_ms, const std::function<bool()>& stop) {
  MR_ASSIGN_OR_RETURN(const log::TopicInfo info, log_.Describe(table_.topic));
  bool known;
  {
    std::lock_guard lock(mutex_);
    known = opened_.ok() && info.created_us == created_us_;
  }
  if (!known) MR_RETURN_IF_ERROR(Open());
  if (info.config.cleanup.compact) {
    return Status(Code::kFailedPrecondition,
                  "topic \"" + table_.topic + "\" is compacted, so it is not kept as Parquet")
        .WithHint("set its cleanup to delete, or take 'parquet' out of millrace.yml");
  }
  std::vector<log::PartitionInfo> partitions;
  for (int p = 0; p < info.config.partitions; p++) {
    MR_RETURN_IF_ERROR(WritePartition(p, stop));
    MR_ASSIGN_OR_RETURN(partitions.emplace_back(), log_.DescribePartition(table_.topic, p));
  }
  Forget(now_ms, partitions);
  return Status::Ok();
}

Status TableHistory::WritePartition(int partition, const std::function<bool()>& stop) {
  MR_ASSIGN_OR_RETURN(const auto closed, log_.ClosedSegments(table_.topic, partition));
  OffsetSet covered;
  std::string directory;
  {
    std::lock_guard lock(mutex_);
    directory = generations_.back().directory;
    for (const HistoryFile& file : generations_.back().files) {
      if (file.partition == partition) covered.Add(file.offsets);
    }
  }
  for (const log::OffsetRange& segment : closed) {
    for (const log::OffsetRange& missing : covered.Missing(segment)) {
      if (stop()) return Status::Ok();
      auto file = WriteHistoryFile(log_, table_, partition, missing, directory, place_, database_);
      if (!file.ok()) {
        // Retention or a deletion was quicker: what is left is for the next call.
        MR_ASSIGN_OR_RETURN(const auto now, log_.DescribePartition(table_.topic, partition));
        if (now.start_offset > missing.from) continue;
        return file.status();
      }
      std::lock_guard lock(mutex_);
      generations_.back().files.push_back(*std::move(file));
    }
  }
  return Status::Ok();
}

int64_t TableHistory::VisibleFrom(const log::PartitionInfo& partition) const {
  return settings_.keep_ms ? partition.deleted_before : partition.start_offset;
}

void TableHistory::Forget(int64_t now_ms, const std::vector<log::PartitionInfo>& partitions) {
  std::lock_guard lock(mutex_);
  std::vector<OffsetSet> current(partitions.size());
  const auto is_known = [&](const HistoryFile& file) {
    return static_cast<size_t>(file.partition) < partitions.size();
  };
  for (const HistoryFile& file : generations_.back().files) {
    if (is_known(file)) current[static_cast<size_t>(file.partition)].Add(file.offsets);
  }
  for (Generation& generation : generations_) {
    const bool is_current = &generation == &generations_.back();
    std::erase_if(generation.files, [&](const HistoryFile& file) {
      if (!is_known(file)) return false;
      const auto partition = static_cast<size_t>(file.partition);
      const log::PartitionInfo& info = partitions[partition];
      const bool in_log = file.offsets.to > info.start_offset;
      const bool old = settings_.keep_ms && *settings_.keep_ms >= 0 && !in_log &&
                       file.newest_ms < now_ms - *settings_.keep_ms;
      const bool replaced = !is_current && current[partition].Holds(file.offsets);
      if (!old && !replaced && file.offsets.to > VisibleFrom(info)) return false;
      gone_.push_back({file.Path(), now_ms});
      return true;
    });
  }
  std::erase_if(generations_, [&](const Generation& generation) {
    return generation.files.empty() && &generation != &generations_.back();
  });
}

void TableHistory::RemoveGone(int64_t now_ms) {
  std::vector<Gone> gone;
  {
    std::lock_guard lock(mutex_);
    gone.swap(gone_);
  }
  std::erase_if(gone, [&](const Gone& file) {
    if (file.since_ms > now_ms - kGraceMs) return false;
    return place_.Remove(file.path).ok();  // else at the next call
  });
  std::lock_guard lock(mutex_);
  gone_.insert(gone_.end(), gone.begin(), gone.end());
}

Result<int64_t> TableHistory::Needed(int partition) const {
  MR_ASSIGN_OR_RETURN(const auto info, log_.DescribePartition(table_.topic, partition));
  OffsetSet covered;
  std::lock_guard lock(mutex_);
  for (const HistoryFile& file : generations_.back().files) {
    if (file.partition == partition) covered.Add(file.offsets);
  }
  return covered.Missing({info.start_offset, INT64_MAX}).front().from;
}

TableHistory::Description TableHistory::Describe(int partition) const {
  Description description;
  std::lock_guard lock(mutex_);
  for (const HistoryFile& file : generations_.back().files) {
    if (file.partition != partition) continue;
    const auto& [from, to] = file.offsets;
    description.covered_from =
        description.files == 0 ? from : std::min(description.covered_from, from);
    description.covered_to = std::max(description.covered_to, to);
    description.files++;
    description.bytes += file.bytes;
  }
  return description;
}

Result<std::vector<HistoryFile>> TableHistory::RecordFiles(int partition) const {
  MR_ASSIGN_OR_RETURN(const log::TopicInfo info, log_.Describe(table_.topic));
  std::vector<HistoryFile> found;
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(opened_);
  if (info.created_us != created_us_ || info.config.cleanup.compact) return found;
  for (const Generation& generation : generations_) {
    if (!generation.with_bytes) continue;
    for (const HistoryFile& file : generation.files) {
      if (file.partition == partition) found.push_back(file);
    }
  }
  return found;
}

Result<TableHistory::Plan> TableHistory::MakePlan() const {
  Plan plan;
  // First the log: what retention takes from it afterwards is in the files by then.
  MR_ASSIGN_OR_RETURN(const log::TopicInfo info, log_.Describe(table_.topic));
  std::vector<log::PartitionInfo> partitions;
  for (int p = 0; p < info.config.partitions; p++) {
    MR_ASSIGN_OR_RETURN(partitions.emplace_back(), log_.DescribePartition(table_.topic, p));
  }
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(opened_);
  const bool usable = info.created_us == created_us_ && !info.config.cleanup.compact;
  std::vector<OffsetSet> taken(partitions.size());
  const auto choose = [&](const Generation& generation, bool current) {
    Parts parts;
    parts.columns = generation.columns;
    parts.current = current;
    for (const HistoryFile& file : generation.files) {
      const auto p = static_cast<size_t>(file.partition);
      if (p >= partitions.size()) continue;
      const int64_t from = std::max(file.offsets.from, VisibleFrom(partitions[p]));
      auto ranges = taken[p].Missing({from, file.offsets.to});
      if (from >= file.offsets.to || ranges.empty()) continue;
      taken[p].Add(file.offsets);
      const bool whole = ranges.size() == 1 && ranges[0].from == file.offsets.from &&
                         ranges[0].to == file.offsets.to;
      if (whole) ranges.clear();
      parts.parts.push_back({file, std::move(ranges)});
    }
    if (!parts.parts.empty()) plan.stored.push_back(std::move(parts));
  };
  if (usable) choose(generations_.back(), true);
  for (size_t p = 0; p < partitions.size(); p++) {
    const auto& [start, stable] =
        std::pair(partitions[p].start_offset, partitions[p].stable_offset);
    for (const log::OffsetRange& range : taken[p].Missing({start, stable})) {
      plan.log.push_back({static_cast<int>(p), range.from, range.to});
    }
    taken[p].Add({start, stable});
  }
  for (size_t g = generations_.size(); usable && g-- > 1;) choose(generations_[g - 1], false);
  return plan;
}

}  // namespace millrace::project
