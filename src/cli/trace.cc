#include <fmt/format.h>
#include <simdjson.h>

#include <deque>
#include <map>

#include "base/strings.h"
#include "cli/access.h"
#include "cli/app_lineage.h"
#include "cli/cli.h"
#include "cli/sql_answer.h"
#include "cli/terminal.h"
#include "project/trace.h"

namespace millrace::cli {

namespace {

constexpr int64_t kPage = 1000;
constexpr int64_t kTopicRecordsMax = 200'000;

// A field of a JSON object as text; nothing when it is not there.
std::optional<std::string> FieldText(const std::string& json, const std::string& field) {
  simdjson::dom::parser parser;
  simdjson::dom::element object, value;
  if (parser.parse(json).get(object) || object[field].get(value)) return std::nullopt;
  std::string_view text;
  return value.get(text) ? simdjson::minify(value) : std::string(text);
}

Result<std::string> TopicOf(const project::Project& project, const std::string& table_name) {
  const sql::Table* table = project.catalog().FindTable(table_name);
  if (!table) {
    std::vector<std::string> names;
    for (const sql::Table* one : project.catalog().Tables()) names.push_back(one->name);
    return Status(Code::kUnknownTable, fmt::format("there is no table \"{}\"", table_name))
        .WithHint(DidYouMean(table_name, names));
  }
  MR_ASSIGN_OR_RETURN(job::Binding binding, project.Bind(*table));
  auto topic = binding.options.find("topic");
  if (topic != binding.options.end()) return topic->second;
  return Status(Code::kUnsupported, fmt::format("table \"{}\" is not in the log", table_name))
      .WithHint("records of tables over topics can be traced: --key with such a table");
}

// The records whose key, or whose key column in a JSON value, is one of `keys`; of each key, in the
// order of the keys, the newest `limit`.
Result<std::vector<project::TraceRecord>> FindByKey(Access& access, const project::Project& project,
                                                    const TraceOptions& options) {
  MR_ASSIGN_OR_RETURN(const std::string topic, TopicOf(project, options.table));
  const sql::Table* table = project.catalog().FindTable(options.table);
  const std::string column = options.column.empty() ? project::KeyColumnOf(*table) : options.column;
  MR_ASSIGN_OR_RETURN(TopicDescription description, access.Topic(topic));
  std::map<std::string, std::deque<project::TraceRecord>> found;
  for (const std::string& key : options.keys) found[key];
  for (const TopicPartition& partition : description.partitions) {
    int64_t next = partition.start_offset;
    while (next < partition.end_offset) {
      MR_ASSIGN_OR_RETURN(auto records, access.Read(topic, partition.partition, next, kPage));
      if (records.empty()) break;
      for (const StoredRecord& r : records) {
        next = r.offset + 1;
        auto of_key = r.key ? found.find(*r.key) : found.end();
        if (of_key == found.end() && !column.empty() && r.value) {
          const auto field = FieldText(*r.value, column);
          of_key = field ? found.find(*field) : found.end();
        }
        if (of_key == found.end()) continue;
        auto& newest = of_key->second;
        newest.push_back({topic, r.partition, r.offset, r.timestamp_ms, r.key, r.value});
        if (newest.size() > static_cast<size_t>(options.limit)) newest.pop_front();
      }
    }
  }
  std::vector<project::TraceRecord> all;
  for (const std::string& key : options.keys) {
    if (found[key].empty()) {
      return Status(Code::kNotFound,
                    fmt::format("no record of topic \"{}\" has the key \"{}\"{}", topic, key,
                                column.empty() ? "" : fmt::format(", or {} = that", column)))
          .WithHint("--column names another column to look in; old records may be past retention");
    }
    all.insert(all.end(), found[key].begin(), found[key].end());
  }
  return all;
}

// All records of a topic. Errors: kResourceExhausted: too many.
Result<std::vector<project::TraceRecord>> ReadTopic(Access& access, const std::string& topic) {
  MR_ASSIGN_OR_RETURN(TopicDescription description, access.Topic(topic));
  if (description.records() > kTopicRecordsMax) {
    return Status(Code::kResourceExhausted,
                  fmt::format("topic \"{}\" has {} records; a trace reads {} at most", topic,
                              description.records(), kTopicRecordsMax));
  }
  std::vector<project::TraceRecord> all;
  for (const TopicPartition& partition : description.partitions) {
    int64_t next = partition.start_offset;
    while (next < partition.end_offset) {
      MR_ASSIGN_OR_RETURN(auto records, access.Read(topic, partition.partition, next, kPage));
      if (records.empty()) break;
      for (StoredRecord& r : records) {
        next = r.offset + 1;
        all.push_back({topic, r.partition, r.offset, r.timestamp_ms, r.key, r.value});
      }
    }
  }
  return all;
}

Result<project::TraceRecord> FindByOffset(Access& access, const TraceOptions& options) {
  MR_ASSIGN_OR_RETURN(TopicDescription description, access.Topic(options.topic));
  for (const TopicPartition& partition : description.partitions) {
    if (partition.partition != options.partition) continue;
    MR_ASSIGN_OR_RETURN(auto records,
                        access.Read(options.topic, options.partition, options.offset, 1));
    if (records.empty() || records[0].offset != options.offset) {
      return Status(Code::kNotFound,
                    fmt::format("topic \"{}\" has no record at partition {}, offset {}",
                                options.topic, options.partition, options.offset))
          .WithHint(fmt::format("it keeps offsets {} to {}", partition.start_offset,
                                partition.end_offset - 1));
    }
    const StoredRecord& r = records[0];
    return project::TraceRecord{options.topic,  r.partition, r.offset,
                                r.timestamp_ms, r.key,       r.value};
  }
  return Status(Code::kNotFound,
                fmt::format("topic \"{}\" has no partition {}", options.topic, options.partition))
      .WithHint(fmt::format("it has {}", description.partitions.size()));
}

// What the ledger says of who read a record. Nothing where it has no entry, or none any more.
std::optional<project::TraceCommit> FindInLedger(Access& access, const std::string& job,
                                                 const project::TraceRecord& record) {
  auto json = access.Sql(fmt::format(
      "SELECT epoch, epoch_ms(committed_at) FROM millrace.ledger_offsets WHERE job = {} AND topic "
      "= {} AND split = '{}' AND from_offset <= {} AND to_offset > {} ORDER BY committed_at DESC "
      "LIMIT 1",
      QuoteLiteral(job), QuoteLiteral(record.topic), record.partition, record.offset,
      record.offset));
  if (!json.ok()) return std::nullopt;
  auto answer = ParseSqlAnswer(*json);
  if (!answer.ok() || answer->rows.empty()) return std::nullopt;
  const std::vector<SqlCell>& row = answer->rows[0];
  return project::TraceCommit{std::atoll(row[0].text.c_str()), std::atoll(row[1].text.c_str())};
}

Result<std::vector<project::TraceRecord>> RecordsToTrace(Access& access,
                                                         const project::Project& project,
                                                         const TraceOptions& options,
                                                         const project::TraceAccess& services) {
  if (!options.sink.empty()) {
    return project::SourcesOf(project, options.sink, options.where, options.limit, services);
  }
  if (!options.table.empty() && !options.keys.empty()) return FindByKey(access, project, options);
  if (!options.topic.empty() && options.offset >= 0) {
    MR_ASSIGN_OR_RETURN(project::TraceRecord record, FindByOffset(access, options));
    return std::vector<project::TraceRecord>{std::move(record)};
  }
  return Status(Code::kInvalidArgument, "which record?")
      .WithHint(
          "millrace trace TABLE --key K, or --topic T --partition P --offset O, or --sink "
          "TABLE --where CONDITION");
}

Result<std::string> Show(Access& access, const project::Project& project,
                         const TraceOptions& options) {
  std::map<std::string, std::vector<project::TraceRecord>> topics;  // that were read
  project::TraceAccess services;
  services.ask = [&](const std::string& sql) { return access.Sql(sql); };
  services.commits = [&](const std::string& job, const project::TraceRecord& traced) {
    return FindInLedger(access, job, traced);
  };
  services.read_topic = [&](const std::string& topic) -> Result<std::vector<project::TraceRecord>> {
    if (!topics.count(topic)) {
      MR_ASSIGN_OR_RETURN(topics[topic], ReadTopic(access, topic));
    }
    return topics[topic];
  };
  MR_ASSIGN_OR_RETURN(const project::Lineage lineage, project::LineageOf(project));
  services.lineage = &lineage;
  MR_ASSIGN_OR_RETURN(const auto records, RecordsToTrace(access, project, options, services));
  std::string out;
  for (const project::TraceRecord& record : records) {
    MR_ASSIGN_OR_RETURN(project::Trace trace, project::TraceOf(project, record, services));
    if (options.format == "json") {
      out += trace.ToJson() + "\n";
    } else if (options.format == "yaml") {
      out += (out.empty() ? "" : "---\n") + trace.ToYaml();
    } else {
      out += (out.empty() ? "" : "\n") + trace.ToText();
    }
  }
  return out;
}

}  // namespace

int RunTrace(const TraceOptions& given) {
  TraceOptions options = given;
  // Without a table the first word is the directory.
  if (!options.sink.empty() && !options.table.empty()) {
    options.directory = std::exchange(options.table, "");
  }
  const std::string directory = CleanPath(options.directory);
  std::vector<Status> faults;
  auto project = project::Project::Load(directory, options.target, faults);
  if (!faults.empty()) return FailAll(faults);
  auto access = Access::Open(directory, options.target);
  if (!access.ok()) return Fail(access.status());
  auto text = Show(**access, *project, options);
  if (!text.ok()) return Fail(text.status());
  fmt::print("{}", *text);
  return kExitOk;
}

}  // namespace millrace::cli
