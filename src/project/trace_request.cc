#include "project/trace_request.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <deque>
#include <map>

#include "base/strings.h"
#include "log/topic_reader.h"
#include "project/trace_sink.h"

namespace millrace::project {

namespace {

constexpr int64_t kPage = 1000;
constexpr int64_t kPageBytesMax = 4 << 20;
constexpr int64_t kTopicRecordsMax = 200'000;

class OwnLog : public TraceLog {
 public:
  explicit OwnLog(log::Log& log) : log_(log) {}

  Result<std::vector<Range>> Ranges(const std::string& topic) override {
    const auto info = log_.Describe(topic);
    if (!info.ok() && info.status().code() == Code::kNotFound) {
      std::vector<std::string> names;
      for (const log::TopicInfo& one : log_.Topics()) names.push_back(one.name);
      return Status(Code::kNotFound, fmt::format("topic \"{}\" does not exist", topic))
          .WithHint(DidYouMean(topic, names));
    }
    MR_RETURN_IF_ERROR(info.status());
    std::vector<Range> ranges;
    for (int p = 0; p < info->config.partitions; p++) {
      MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log_.DescribePartition(topic, p));
      MR_ASSIGN_OR_RETURN(const int64_t start, ReaderOf(topic).Start(p));
      ranges.push_back({p, start, at.stable_offset});
    }
    return ranges;
  }

  Result<std::vector<TraceRecord>> Read(const std::string& topic, int partition, int64_t offset,
                                        int64_t limit) override {
    MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log_.DescribePartition(topic, partition));
    MR_ASSIGN_OR_RETURN(const int64_t start, ReaderOf(topic).Start(partition));
    int64_t from = std::max(offset, start);
    std::vector<TraceRecord> records;
    auto visit = [&](std::span<const model::Record> some) {
      for (const model::Record& r : some) {
        TraceRecord& record = records.emplace_back();
        record = {topic, partition, r.offset, r.timestamp_ms, {}, {}};
        if (r.has_key) record.key = std::string(r.key);
        if (r.has_value) record.value = std::string(r.value);
      }
    };
    // Past markers and aborted records: who finds nothing takes it for the end.
    while (records.empty() && from < at.stable_offset) {
      const int64_t to = std::min(at.stable_offset, from + limit);
      MR_ASSIGN_OR_RETURN(from, ReaderOf(topic).Read(partition, from, to, kPageBytesMax, visit));
    }
    return records;
  }

 private:
  log::TopicReader& ReaderOf(const std::string& topic) {
    return readers_.try_emplace(topic, log_, topic).first->second;
  }

  log::Log& log_;
  std::map<std::string, log::TopicReader> readers_;  // by topic
};

// Calls `visit(record)` for each record of a topic, partition by partition.
template <typename Visit>
Status VisitAll(TraceLog& log, const std::string& topic, const std::vector<TraceLog::Range>& ranges,
                Visit visit) {
  for (const TraceLog::Range& range : ranges) {
    int64_t next = range.start_offset;
    while (next < range.end_offset) {
      MR_ASSIGN_OR_RETURN(auto records, log.Read(topic, range.partition, next, kPage));
      if (records.empty()) break;
      next = records.back().offset + 1;
      for (TraceRecord& record : records) visit(std::move(record));
    }
  }
  return Status::Ok();
}

// A field of a JSON object as text; nothing when it is not there.
std::optional<std::string> FieldText(const std::string& json, const std::string& field) {
  simdjson::dom::parser parser;
  simdjson::dom::element object, value;
  if (parser.parse(json).get(object) || object[field].get(value)) return std::nullopt;
  std::string_view text;
  return value.get(text) ? simdjson::minify(value) : std::string(text);
}

Result<std::string> TopicOf(const Project& project, const std::string& table_name) {
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
      .WithHint("records of tables over topics can be traced: a key with such a table");
}

// The records whose key, or whose key column in a JSON value, is one of the keys; of each key, in
// the order of the keys, the newest `limit`.
Result<std::vector<TraceRecord>> FindByKey(const Project& project, const TraceRequest& request,
                                           TraceLog& log) {
  MR_ASSIGN_OR_RETURN(const std::string topic, TopicOf(project, request.table));
  const sql::Table* table = project.catalog().FindTable(request.table);
  const std::string column = request.column.empty() ? KeyColumnOf(*table) : request.column;
  MR_ASSIGN_OR_RETURN(const auto ranges, log.Ranges(topic));
  std::map<std::string, std::deque<TraceRecord>> found;
  for (const std::string& key : request.keys) found[key];
  MR_RETURN_IF_ERROR(VisitAll(log, topic, ranges, [&](TraceRecord record) {
    auto of_key = record.key ? found.find(*record.key) : found.end();
    if (of_key == found.end() && !column.empty() && record.value) {
      const auto field = FieldText(*record.value, column);
      of_key = field ? found.find(*field) : found.end();
    }
    if (of_key == found.end()) return;
    auto& newest = of_key->second;
    newest.push_back(std::move(record));
    if (newest.size() > static_cast<size_t>(request.limit)) newest.pop_front();
  }));
  std::vector<TraceRecord> all;
  for (const std::string& key : request.keys) {
    if (found[key].empty()) {
      return Status(Code::kNotFound,
                    fmt::format("no record of topic \"{}\" has the key \"{}\"{}", topic, key,
                                column.empty() ? "" : fmt::format(", or {} = that", column)))
          .WithHint("another column can be named to look in; old records may be past retention");
    }
    all.insert(all.end(), found[key].begin(), found[key].end());
  }
  return all;
}

Result<TraceRecord> FindByOffset(const TraceRequest& request, TraceLog& log) {
  MR_ASSIGN_OR_RETURN(const auto ranges, log.Ranges(request.topic));
  for (const TraceLog::Range& range : ranges) {
    if (range.partition != request.partition) continue;
    MR_ASSIGN_OR_RETURN(auto records,
                        log.Read(request.topic, request.partition, request.offset, 1));
    if (!records.empty() && records[0].offset == request.offset) return std::move(records[0]);
    return Status(Code::kNotFound, fmt::format("topic \"{}\" has no record at partition {}, "
                                               "offset {}",
                                               request.topic, request.partition, request.offset))
        .WithHint(range.start_offset == range.end_offset
                      ? "the partition holds no records"
                      : fmt::format("it keeps offsets {} to {}", range.start_offset,
                                    range.end_offset - 1));
  }
  return Status(Code::kNotFound,
                fmt::format("topic \"{}\" has no partition {}", request.topic, request.partition))
      .WithHint(fmt::format("it has {}", ranges.size()));
}

// What the ledger says of who read a record. Nothing where it has no entry, or none any more.
std::optional<TraceCommit> FindInLedger(const AskSql& ask, const std::string& job,
                                        const TraceRecord& record) {
  const auto answer = AskRows(
      ask, fmt::format("SELECT epoch, epoch_ms(committed_at) FROM millrace.ledger_offsets WHERE "
                       "job = {} AND topic = {} AND split = '{}' AND from_offset <= {} AND "
                       "to_offset > {} ORDER BY committed_at DESC LIMIT 1",
                       QuoteLiteral(job), QuoteLiteral(record.topic), record.partition,
                       record.offset, record.offset));
  if (!answer.ok() || answer->rows.empty()) return std::nullopt;
  const std::vector<CellText>& row = answer->rows[0];
  return TraceCommit{std::atoll(row[0].value_or("0").c_str()),
                     std::atoll(row[1].value_or("0").c_str())};
}

// Topics, each read once.
class Topics {
 public:
  explicit Topics(TraceLog& log) : log_(log) {}
  // Errors: kResourceExhausted: too many records.
  Result<std::vector<TraceRecord>> Read(const std::string& topic) {
    if (auto known = read_.find(topic); known != read_.end()) return known->second;
    MR_ASSIGN_OR_RETURN(const auto ranges, log_.Ranges(topic));
    int64_t count = 0;
    for (const TraceLog::Range& range : ranges) count += range.end_offset - range.start_offset;
    if (count > kTopicRecordsMax) {
      return Status(Code::kResourceExhausted,
                    fmt::format("topic \"{}\" has {} records; a trace reads {} at most", topic,
                                count, kTopicRecordsMax));
    }
    std::vector<TraceRecord> all;
    MR_RETURN_IF_ERROR(VisitAll(log_, topic, ranges,
                                [&](TraceRecord record) { all.push_back(std::move(record)); }));
    return read_[topic] = std::move(all);
  }

 private:
  TraceLog& log_;
  std::map<std::string, std::vector<TraceRecord>> read_;
};

Result<std::vector<TraceRecord>> RecordsToTrace(const Project& project, const TraceRequest& request,
                                                TraceLog& log, const TraceAccess& access) {
  if (!request.sink.empty() && !request.where.empty()) {
    return SourcesOf(project, request.sink, request.where, request.limit, access);
  }
  if (!request.table.empty() && !request.keys.empty()) return FindByKey(project, request, log);
  if (!request.topic.empty() && request.offset >= 0) {
    MR_ASSIGN_OR_RETURN(TraceRecord record, FindByOffset(request, log));
    return std::vector<TraceRecord>{std::move(record)};
  }
  return Status(Code::kInvalidArgument, "which record?")
      .WithHint(
          "name a table and a key, or topic, partition and offset, or a sink and a condition on "
          "its rows: millrace trace TABLE --key K, or --topic T --partition P --offset O, or "
          "--sink TABLE --where CONDITION");
}

}  // namespace

std::unique_ptr<TraceLog> NewTraceLog(log::Log& log) {
  return std::make_unique<OwnLog>(log);
}

Result<std::vector<Trace>> TracesOf(const Project& project, const TraceRequest& request,
                                    TraceLog& log, const AskSql& ask) {
  Topics topics(log);
  MR_ASSIGN_OR_RETURN(const Lineage lineage, LineageOf(project));
  TraceAccess access;
  access.ask = ask;
  access.commits = [&](const std::string& job, const TraceRecord& record) {
    return FindInLedger(ask, job, record);
  };
  access.read_topic = [&](const std::string& topic) { return topics.Read(topic); };
  access.lineage = &lineage;
  MR_ASSIGN_OR_RETURN(const auto records, RecordsToTrace(project, request, log, access));
  std::vector<Trace> traces;
  for (const TraceRecord& record : records) {
    MR_ASSIGN_OR_RETURN(Trace trace, TraceOf(project, record, access));
    traces.push_back(std::move(trace));
  }
  return traces;
}

std::string TracesJson(const std::vector<Trace>& traces) {
  std::vector<std::string> texts;
  for (const Trace& trace : traces) texts.push_back(trace.ToJson());
  return fmt::format(R"({{"traces":[{}]}})", Join(texts, ","));
}

}  // namespace millrace::project
