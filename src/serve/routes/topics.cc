// Routes over the log itself: list, create, read and write topics.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <map>
#include <mutex>

#include "base/strings.h"
#include "env/clock.h"
#include "log/internal_topics.h"
#include "log/topic_reader.h"
#include "registry/record_check.h"
#include "serve/routes/json_body.h"
#include "serve/routes/routes.h"

namespace millrace::serve {

namespace {
constexpr int64_t kRecordsDefault = 10;
constexpr int64_t kRecordsMax = 1000;
constexpr int64_t kRecordBytesMax = 4 << 20;
constexpr int64_t kPartitionsMax = 1000;

// Records per second of each topic between two looks at least a second apart.
class TopicRates {
 public:
  // None until the second look.
  std::optional<double> Observe(const std::string& topic, int64_t end_offsets) {
    int64_t now = env::Clock::System()->MonotonicMicros();
    std::lock_guard lock(mutex_);
    auto [it, is_new] = samples_.try_emplace(topic, Sample{now, end_offsets, std::nullopt});
    Sample& last = it->second;
    if (!is_new && now - last.at_us >= 1'000'000) {
      double seconds = static_cast<double>(now - last.at_us) / 1e6;
      int64_t more = std::max<int64_t>(0, end_offsets - last.end_offsets);  // topic made anew
      last = {now, end_offsets, static_cast<double>(more) / seconds};
    }
    return last.rate;
  }

 private:
  struct Sample {
    int64_t at_us;
    int64_t end_offsets;
    std::optional<double> rate;
  };
  std::mutex mutex_;
  std::map<std::string, Sample> samples_;
};

Result<std::string> TopicJson(log::Log& log, const log::TopicInfo& info, TopicRates& rates) {
  std::string partitions;
  int64_t records = 0;
  int64_t size_bytes = 0;
  int64_t end_offsets = 0;
  for (int p = 0; p < info.config.partitions; p++) {
    MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log.DescribePartition(info.name, p));
    fmt::format_to(std::back_inserter(partitions),
                   "{}{{\"partition\":{},\"start_offset\":{},\"end_offset\":{},\"size_bytes\":{}}}",
                   p ? "," : "", p, at.start_offset, at.end_offset, at.size_bytes);
    records += at.end_offset - at.start_offset;
    size_bytes += at.size_bytes;
    end_offsets += at.end_offset;
  }
  std::optional<double> rate = rates.Observe(info.name, end_offsets);
  return fmt::format(
      "{{\"name\":{},\"partitions\":[{}],\"retention_ms\":{},\"records\":{},\"size_bytes\":{},"
      "\"rate_in\":{}}}",
      JsonQuote(info.name), partitions, info.config.retention_ms, records, size_bytes,
      rate ? fmt::format("{:.1f}", *rate) : "null");
}

Result<std::string> ListTopics(log::Log& log, TopicRates& rates) {
  std::string list;
  for (const log::TopicInfo& info : log.Topics()) {
    Result<std::string> json = TopicJson(log, info, rates);
    if (!json.ok()) continue;  // deleted meanwhile
    list += (list.empty() ? "" : ",") + *json;
  }
  return "[" + list + "]";
}

Result<log::TopicInfo> Describe(log::Log& log, std::string_view topic) {
  Result<log::TopicInfo> info = log.Describe(std::string(topic));
  if (info.ok() || info.status().code() != Code::kNotFound) return info;
  std::vector<std::string> names;
  for (const log::TopicInfo& other : log.Topics()) names.push_back(other.name);
  return Status(Code::kNotFound, fmt::format("topic \"{}\" does not exist", topic))
      .WithHint(DidYouMean(topic, names));
}

Result<std::string> CreateTopic(log::Log& log, TopicRates& rates, const Request& request) {
  std::string name(request.PathArg("topic"));
  MR_ASSIGN_OR_RETURN(JsonBody body,
                      JsonBody::Parse(request, {"partitions", "retention_ms", "retention_bytes"}));
  log::TopicConfig config;
  MR_ASSIGN_OR_RETURN(auto partitions, body.Number("partitions"));
  MR_ASSIGN_OR_RETURN(auto retention_ms, body.Number("retention_ms"));
  MR_ASSIGN_OR_RETURN(auto retention_bytes, body.Number("retention_bytes"));
  if (partitions && (*partitions < 1 || *partitions > kPartitionsMax)) {
    return Status(Code::kInvalidArgument, fmt::format("\"partitions\" is {}; it must be 1 to {}",
                                                      *partitions, kPartitionsMax));
  }
  if (partitions) config.partitions = static_cast<int>(*partitions);
  if (retention_ms) config.retention_ms = *retention_ms;
  if (retention_bytes) config.retention_bytes = *retention_bytes;
  if (config.retention_ms < -1 || config.retention_bytes < -1) {
    return Status(Code::kInvalidArgument, "a retention is -1 (for ever) or a limit of 0 or more");
  }
  MR_RETURN_IF_ERROR(log.CreateTopic(name, config));
  MR_ASSIGN_OR_RETURN(log::TopicInfo info, log.Describe(name));
  return TopicJson(log, info, rates);
}

// The query parameter as a number, or `otherwise` when it is missing.
Result<int64_t> NumberParam(const Request& request, std::string_view name, int64_t otherwise) {
  if (!request.HasQuery(name)) return otherwise;
  std::string_view text = request.Query(name);
  int64_t number = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc() || end != text.data() + text.size()) {
    return Status(Code::kInvalidArgument, fmt::format("\"{}={}\" is not a number", name, text));
  }
  return number;
}

void AppendBytes(std::string& out, const char* name, bool present, std::string_view bytes) {
  if (!present) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":null", name);
  } else if (IsValidUtf8(bytes)) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":{}", name, JsonQuote(bytes));
  } else {
    fmt::format_to(std::back_inserter(out), ",\"{}_base64\":\"{}\"", name, Base64(bytes));
  }
}

Result<std::string> ReadRecords(log::Log& log, const Request& request) {
  MR_ASSIGN_OR_RETURN(log::TopicInfo info, Describe(log, request.PathArg("topic")));
  MR_ASSIGN_OR_RETURN(int64_t partition, NumberParam(request, "partition", 0));
  if (partition < 0 || partition >= info.config.partitions) {
    return Status(Code::kNotFound,
                  fmt::format("topic \"{}\" has no partition {}", info.name, partition))
        .WithHint(fmt::format("its partitions are 0 to {}", info.config.partitions - 1));
  }
  int index = static_cast<int>(partition);
  MR_ASSIGN_OR_RETURN(int64_t limit, NumberParam(request, "limit", kRecordsDefault));
  limit = std::clamp<int64_t>(limit, 0, kRecordsMax);
  MR_ASSIGN_OR_RETURN(int64_t offset, NumberParam(request, "offset", -limit));
  MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log.DescribePartition(info.name, index));
  int64_t from = offset < 0 ? at.end_offset + offset : offset;
  log::TopicReader reader(log, info.name);
  int64_t start = at.start_offset;
  // Who names an offset may mean one of the archive.
  if (offset >= 0 && offset < start) {
    MR_ASSIGN_OR_RETURN(start, reader.Start(index));
  }
  from = std::clamp(from, start, at.end_offset);
  int64_t to = std::min(at.stable_offset, from + limit);

  std::string list;
  auto visit = [&](std::span<const model::Record> records) {
    for (const model::Record& record : records) {
      fmt::format_to(std::back_inserter(list),
                     "{}{{\"partition\":{},\"offset\":{},\"timestamp_ms\":{}",
                     list.empty() ? "" : ",", partition, record.offset, record.timestamp_ms);
      AppendBytes(list, "key", record.has_key, record.key);
      AppendBytes(list, "value", record.has_value, record.value);
      list += '}';
    }
  };
  while (from < to && static_cast<int64_t>(list.size()) < kRecordBytesMax) {
    MR_ASSIGN_OR_RETURN(int64_t next, reader.Read(index, from, to, kRecordBytesMax, visit));
    if (next <= from) break;
    from = next;
    // Nothing but markers and aborted records: whoever pages on by the last record would stop here.
    if (from == to && list.empty()) to = std::min(at.stable_offset, from + limit);
  }
  return "[" + list + "]";
}

struct RecordToWrite {
  std::optional<std::string> key;
  std::optional<std::string> value;
  int partition = 0;
};

Result<std::vector<RecordToWrite>> ParseRecords(const Request& request, int partitions,
                                                int without_key) {
  MR_ASSIGN_OR_RETURN(JsonBody body, JsonBody::Parse(request, {"records"}));
  simdjson::dom::array array;
  auto field = body.Field("records");
  if (!field || field->get(array)) {
    return Status(Code::kInvalidArgument, "the field \"records\" is missing or not an array")
        .WithHint("send {\"records\": [{\"key\": \"k\", \"value\": \"v\"}]}");
  }
  std::vector<RecordToWrite> out;
  auto text = [](simdjson::dom::element record, const char* name, std::optional<std::string>& to) {
    simdjson::dom::element element;
    if (record[name].get(element) || element.is_null()) return true;
    std::string_view view;
    if (element.get(view)) return false;
    to = std::string(view);
    return true;
  };
  for (simdjson::dom::element record : array) {
    RecordToWrite& to = out.emplace_back();
    int64_t partition = -1;
    simdjson::dom::element element;
    bool good =
        record.is_object() && text(record, "key", to.key) && text(record, "value", to.value);
    if (good && !record["partition"].get(element) && !element.is_null()) {
      good = !element.get(partition) && partition >= 0 && partition < partitions;
    }
    if (!good) {
      return Status(Code::kInvalidArgument,
                    fmt::format("record {} is not {{\"key\": text or null, \"value\": text or "
                                "null, \"partition\": 0 to {}}}",
                                out.size() - 1, partitions - 1))
          .WithHint("nothing was written");
    }
    to.partition = partition >= 0 ? static_cast<int>(partition)
                   : to.key       ? log::PartitionForKey(*to.key, partitions)
                                  : without_key;
  }
  return out;
}

Status CheckStrict(registry::RecordCheck& strict, const std::string& topic,
                   const std::vector<RecordToWrite>& records) {
  for (size_t i = 0; i < records.size(); i++) {
    model::Record record;
    record.has_key = records[i].key.has_value();
    record.has_value = records[i].value.has_value();
    if (record.has_key) record.key = *records[i].key;
    if (record.has_value) record.value = *records[i].value;
    if (auto fault = strict.Fault(topic, record)) {
      return Status(Code::kInvalidArgument,
                    fmt::format("record {} is refused by the strict topic \"{}\": {}", i, topic,
                                *fault))
          .WithHint("nothing was written");
    }
  }
  return {};
}

Result<std::string> WriteRecords(log::Log& log, registry::RecordCheck* strict,
                                 std::atomic<uint32_t>& turn, const Request& request) {
  MR_RETURN_IF_ERROR(log::CheckWritable(request.PathArg("topic")));
  MR_ASSIGN_OR_RETURN(log::TopicInfo info, Describe(log, request.PathArg("topic")));
  int partitions = info.config.partitions;
  int without_key = static_cast<int>(turn.fetch_add(1) % static_cast<uint32_t>(partitions));
  MR_ASSIGN_OR_RETURN(auto records, ParseRecords(request, partitions, without_key));
  if (strict != nullptr && strict->Applies(info.name)) {
    MR_RETURN_IF_ERROR(CheckStrict(*strict, info.name, records));
  }
  std::map<int, std::vector<log::NewRecord>> by_partition;
  for (const RecordToWrite& record : records) {
    log::NewRecord& to = by_partition[record.partition].emplace_back();
    if (record.key) to.key = *record.key;
    if (record.value) to.value = *record.value;
  }
  for (const auto& [partition, some] : by_partition) {
    MR_ASSIGN_OR_RETURN([[maybe_unused]] int64_t base,
                        log.AppendAndWait(info.name, partition, some));
  }
  return fmt::format("{{\"written\":{}}}", records.size());
}
}  // namespace

void AddTopicRoutes(Router& router, Backend& backend, BlockingPool& pool) {
  auto rates = std::make_shared<TopicRates>();
  auto turn = std::make_shared<std::atomic<uint32_t>>(0);
  router.Add(Method::kGet, "/api/topics", InPool(pool, [&backend, rates](const Request&) {
               return JsonResponse(ListTopics(backend.log(), *rates));
             }));
  router.Add(Method::kGet, "/api/topics/{topic}",
             InPool(pool, [&backend, rates](const Request& request) {
               Result<log::TopicInfo> info = Describe(backend.log(), request.PathArg("topic"));
               if (!info.ok()) return ErrorResponse(info.status());
               return JsonResponse(TopicJson(backend.log(), *info, *rates));
             }));
  router.Add(Method::kPost, "/api/topics/{topic}",
             InPool(pool, [&backend, rates](const Request& request) {
               Response response = JsonResponse(CreateTopic(backend.log(), *rates, request));
               if (response.status == 200) response.status = 201;
               return response;
             }));
  router.Add(Method::kGet, "/api/topics/{topic}/records",
             InPool(pool, [&backend](const Request& request) {
               return JsonResponse(ReadRecords(backend.log(), request));
             }));
  router.Add(Method::kPost, "/api/topics/{topic}/records",
             InPool(pool, [&backend, turn](const Request& request) {
               return JsonResponse(WriteRecords(backend.log(), backend.Strict(), *turn, request));
             }));
}

}  // namespace millrace::serve
