#include "kafka/handlers/topic_configs.h"

#include <fmt/format.h>

#include <charconv>

#include "base/strings.h"
#include "log/record_batch.h"

namespace millrace::kafka {

namespace {

constexpr int8_t kString = 2, kInt = 3, kLong = 5, kList = 7;

struct Number {
  const char* name;
  int64_t log::TopicConfig::*field;
  int64_t lowest;
  int8_t type;
  const char* documentation;
};
constexpr Number kNumbers[] = {
    {"retention.ms", &log::TopicConfig::retention_ms, -1, kLong,
     "how long records are kept, in ms; -1: for ever"},
    {"retention.bytes", &log::TopicConfig::retention_bytes, -1, kLong,
     "bytes kept per partition; -1: no limit"},
    {"segment.bytes", &log::TopicConfig::segment_bytes, 1 << 14, kInt,
     "bytes of one segment file; retention removes whole segments"},
    {"min.compaction.lag.ms", &log::TopicConfig::compaction_lag_ms, 0, kLong,
     "age of records that compaction may remove, in ms"},
    {"delete.retention.ms", &log::TopicConfig::tombstones_ms, 0, kLong,
     "how long compaction keeps a key without value, in ms"},
};
constexpr const char* kCleanupPolicy = "cleanup.policy";

struct Fixed {
  const char* name;
  const char* value;
  int8_t type;
  const char* documentation;
};
constexpr Fixed kFixed[] = {
    {"compression.type", "producer", kString, "batches are stored as they are sent"},
    {"message.timestamp.type", "CreateTime", kString, "records keep their producer's time"},
    {"min.insync.replicas", "1", kInt, "there is one node"},
    {"flush.messages", "1", kLong, "every record is on stable storage before it is acknowledged"},
};

}  // namespace

std::vector<TopicSetting> SettingsOf(const log::TopicConfig& config) {
  const log::TopicConfig defaults;
  std::vector<TopicSetting> settings;
  for (const Number& number : kNumbers) {
    settings.push_back({number.name, std::to_string(config.*number.field),
                        config.*number.field == defaults.*number.field, false, number.type,
                        number.documentation});
  }
  for (const Fixed& fixed : kFixed) {
    settings.push_back({fixed.name, fixed.value, true, true, fixed.type, fixed.documentation});
  }
  const std::string cleanup = log::CleanupPolicyText(config.cleanup);
  settings.push_back({kCleanupPolicy, cleanup, cleanup == log::CleanupPolicyText(defaults.cleanup),
                      false, kList, "what becomes of old records: delete, compact, or both"});
  settings.push_back({"max.message.bytes", std::to_string(log::kProducedBatchBytesMax), true, true,
                      kInt, "bytes of one record batch"});
  return settings;
}

Status ApplySetting(const std::string& name, const std::optional<std::string>& value,
                    log::TopicConfig* config) {
  const log::TopicConfig defaults;
  std::vector<std::string> names;
  for (const Number& number : kNumbers) {
    names.emplace_back(number.name);
    if (name != number.name) continue;
    int64_t parsed = defaults.*number.field;
    if (value) {
      const auto [end, error] =
          std::from_chars(value->data(), value->data() + value->size(), parsed);
      if (error != std::errc() || end != value->data() + value->size() || parsed < number.lowest) {
        return Status(Code::kBadOption, fmt::format("\"{}\" is not a value for {}; it is a whole "
                                                    "number from {}",
                                                    *value, name, number.lowest));
      }
    }
    config->*number.field = parsed;
    return {};
  }
  names.emplace_back(kCleanupPolicy);
  if (name == kCleanupPolicy) {
    config->cleanup = defaults.cleanup;
    if (!value) return {};
    MR_ASSIGN_OR_RETURN(config->cleanup, log::ParseCleanupPolicy(*value));
    return {};
  }
  for (const Fixed& fixed : kFixed) {
    if (name != fixed.name) continue;
    if (!value || *value == fixed.value) return {};
    return Status(Code::kBadOption, fmt::format("{} can only be \"{}\" here: {}", name, fixed.value,
                                                fixed.documentation));
  }
  // Limits and tuning of a Kafka cluster that ask for nothing which this log would not do.
  constexpr const char* kTaken[] = {"max.message.bytes",
                                    "segment.ms",
                                    "flush.ms",
                                    "file.delete.delay.ms",
                                    "min.cleanable.dirty.ratio",
                                    "index.interval.bytes",
                                    "segment.index.bytes",
                                    "unclean.leader.election.enable",
                                    "message.downconversion.enable",
                                    "preallocate"};
  for (const char* taken : kTaken) {
    if (name == taken) return {};
  }
  return Status(Code::kUnknownOption, fmt::format("there is no topic setting \"{}\"", name))
      .WithHint(DidYouMean(name, names));
}

}  // namespace millrace::kafka
