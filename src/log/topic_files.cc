#include "log/topic_files.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

namespace millrace::log {

namespace {
constexpr size_t kNameBytesMax = 240;  // "<name>.topic.json.tmp" is a file name of at most 255
constexpr int kPartitionsMax = 100'000;
constexpr int64_t kSegmentBytesMin = 1024;
constexpr int64_t kSegmentBytesMax = 1LL << 30;  // positions in an index have 32 bits
}  // namespace

std::string PartitionDirectory(const std::string& directory, const std::string& topic,
                               int partition) {
  return directory + "/" + topic + "-" + std::to_string(partition);
}

Status CheckTopic(const std::string& name, const TopicConfig& config) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  const auto bad = [&](const std::string& what) {
    return Status(Code::kInvalidArgument, what + " of topic \"" + name + "\"");
  };
  if (name.empty() || name.size() > kNameBytesMax || name == "." || name == ".." ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    return Status(Code::kInvalidArgument, "\"" + name + "\" cannot be the name of a topic")
        .WithHint(fmt::format("use 1 to {} letters, digits, dots, underscores and hyphens",
                              kNameBytesMax));
  }
  if (config.partitions < 1 || config.partitions > kPartitionsMax) {
    return bad(fmt::format("{} cannot be the number of partitions (1 to {})", config.partitions,
                           kPartitionsMax));
  }
  if (config.segment_bytes < kSegmentBytesMin || config.segment_bytes > kSegmentBytesMax) {
    return bad(fmt::format("{} cannot be the segment_bytes ({} to {})", config.segment_bytes,
                           kSegmentBytesMin, kSegmentBytesMax));
  }
  if (config.retention_ms < -1) return bad("retention_ms is negative (-1: for ever)");
  if (config.retention_bytes < -1) return bad("retention_bytes is negative (-1: no limit)");
  if (config.compaction_lag_ms < 0) return bad("compaction_lag_ms is negative");
  if (config.tombstones_ms < 0) return bad("tombstones_ms is negative");
  return {};
}

std::string EncodeTopic(const TopicConfig& config, int64_t created_us) {
  return fmt::format(
      "{{\"partitions\": {}, \"retention_ms\": {}, \"retention_bytes\": {}, \"segment_bytes\": {}, "
      "\"remove\": {}, \"compact\": {}, \"compaction_lag_ms\": {}, \"tombstones_ms\": {}, "
      "\"created_us\": {}}}\n",
      config.partitions, config.retention_ms, config.retention_bytes, config.segment_bytes,
      config.cleanup.remove, config.cleanup.compact, config.compaction_lag_ms, config.tombstones_ms,
      created_us);
}

Result<TopicInfo> DecodeTopic(const std::string& path, std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  TopicInfo info;
  TopicConfig& config = info.config;
  int64_t partitions = 0;
  // Topics of earlier versions do not have all settings.
  const auto optional = [&](std::string_view name, auto& value) {
    const auto error = root[name].get(value);
    return error == simdjson::SUCCESS || error == simdjson::NO_SUCH_FIELD;
  };
  const bool good =
      parser.parse(simdjson::padded_string(text)).get(root) == simdjson::SUCCESS &&
      root["partitions"].get(partitions) == simdjson::SUCCESS &&
      root["retention_ms"].get(config.retention_ms) == simdjson::SUCCESS &&
      root["retention_bytes"].get(config.retention_bytes) == simdjson::SUCCESS &&
      root["segment_bytes"].get(config.segment_bytes) == simdjson::SUCCESS &&
      optional("remove", config.cleanup.remove) && optional("compact", config.cleanup.compact) &&
      optional("compaction_lag_ms", config.compaction_lag_ms) &&
      optional("tombstones_ms", config.tombstones_ms) && optional("created_us", info.created_us) &&
      partitions >= 1 && partitions <= kPartitionsMax;
  if (!good) {
    return Status(Code::kCorruption, "\"" + path + "\" does not hold a topic's settings")
        .WithHint("it should read like " + EncodeTopic(TopicConfig(), 0));
  }
  config.partitions = static_cast<int>(partitions);
  return info;
}

Status RemoveDirectory(env::FileSystem& files, const std::string& path) {
  const auto names = files.List(path);
  if (!names.ok()) {
    return names.status().code() == Code::kNotFound ? Status() : names.status();
  }
  for (const auto& name : *names) MR_RETURN_IF_ERROR(files.Remove(path + "/" + name));
  return files.Remove(path);
}

}  // namespace millrace::log
