#include <fmt/format.h>

#include <cstdlib>

#include "base/strings.h"
#include "base/units.h"
#include "job/compiled_job.h"

namespace millrace::job {

namespace {

constexpr int64_t kShardsMax = 256;

Result<int64_t> Duration(const std::string& key, const std::string& value) {
  auto parsed = ParseDurationMicros(value);
  if (!parsed.ok()) return std::move(parsed).status().Annotate(fmt::format("option \"{}\"", key));
  return parsed;
}

}  // namespace

Status ApplySetting(const std::string& key, const std::string& value, JobSettings& settings) {
  if (key == "execution.checkpointing.interval") {
    MR_ASSIGN_OR_RETURN(settings.checkpoint_interval_us, Duration(key, value));
  } else if (key == "table.exec.source.idle-timeout") {
    MR_ASSIGN_OR_RETURN(settings.idle_timeout_us, Duration(key, value));
  } else if (key == "table.exec.state.ttl") {
    MR_ASSIGN_OR_RETURN(settings.state_ttl_us, Duration(key, value));
  } else if (key == "table.exec.source.cdc-events-duplicate") {
    if (!EqualsIgnoreCase(value, "true") && !EqualsIgnoreCase(value, "false")) {
      return Status(Code::kBadOption, fmt::format("\"{}\" is true or false", key));
    }
    settings.changelogs_by_key = EqualsIgnoreCase(value, "true");
  } else if (key == "pipeline.name") {
    settings.name = value;
  } else if (key == "millrace.epoch.interval") {
    MR_ASSIGN_OR_RETURN(settings.epoch_interval_us, Duration(key, value));
  } else if (key == "millrace.epoch.bytes") {
    MR_ASSIGN_OR_RETURN(settings.epoch_bytes_max, ParseBytes(value));
    if (settings.epoch_bytes_max < 1) {
      return Status(Code::kBadOption, "\"millrace.epoch.bytes\" must be at least 1");
    }
  } else if (key == "millrace.state.memory") {
    MR_ASSIGN_OR_RETURN(settings.state_memory, ParseBytes(value));
  } else if (key == "parallelism.default") {
    char* end = nullptr;
    settings.shards = std::strtoll(value.c_str(), &end, 10);
    if (value.empty() || *end != '\0' || settings.shards < 1 || settings.shards > kShardsMax) {
      return Status(Code::kBadOption,
                    fmt::format("\"parallelism.default\" is a number from 1 to {}", kShardsMax));
    }
  } else if (key.rfind("millrace.", 0) == 0) {
    return Status(Code::kUnknownOption, fmt::format("there is no setting \"{}\"", key))
        .WithHint(DidYouMean(key, {"millrace.epoch.interval", "millrace.epoch.bytes", "millrace.state.memory"}));
  }
  return Status::Ok();
}

Result<TableSettings> TakeTableSettings(std::map<std::string, std::string>& options) {
  TableSettings settings;
  auto take = [&](const char* key) -> std::string {
    auto found = options.find(key);
    if (found == options.end()) return "";
    std::string value = found->second;
    options.erase(found);
    return value;
  };
  if (std::string value = take("scan.watermark.idle-timeout"); !value.empty()) {
    MR_ASSIGN_OR_RETURN(settings.idle_timeout_us, Duration("scan.watermark.idle-timeout", value));
  }
  if (std::string value = take("millrace.max-time-ahead"); !value.empty()) {
    MR_ASSIGN_OR_RETURN(settings.max_time_ahead_us, Duration("millrace.max-time-ahead", value));
  }
  if (std::string value = take("millrace.late-rows"); !value.empty()) {
    if (value != "drop" && value != "dead-letter") {
      return Status(Code::kBadOption, fmt::format("option \"millrace.late-rows\" is \"{}\"", value))
          .WithHint("it is \"dead-letter\" (the default) or \"drop\" (late rows are only counted)");
    }
    settings.drop_late = value == "drop";
  }
  return settings;
}

}  // namespace millrace::job
