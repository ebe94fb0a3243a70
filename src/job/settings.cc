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

Result<bool> Bool(const std::string& key, const std::string& value) {
  const std::string lower = ToLower(value);
  if (lower == "true" || lower == "false") return lower == "true";
  return Status(Code::kBadOption, fmt::format("option \"{}\" is \"{}\"", key, value))
      .WithHint("it is \"true\" or \"false\"");
}

Status LateRows(const std::string& value, LateRowsPolicy& policy, bool& corrects) {
  if (value != "drop" && value != "dead-letter" && value != "update") {
    return Status(Code::kBadOption, fmt::format("option \"millrace.late-rows\" is \"{}\"", value))
        .WithHint(
            "it is \"dead-letter\" (the default), \"drop\" (late rows are only counted) or "
            "\"update\" (they correct closed windows)");
  }
  policy = value == "drop" ? LateRowsPolicy::kDrop : LateRowsPolicy::kDeadLetter;
  corrects = value == "update";
  return Status::Ok();
}

Result<bool> EmitsEarly(const std::string& key, const std::string& value) {
  if (value == "update" || value == "final") return value == "update";
  return Status(Code::kBadOption, fmt::format("option \"{}\" is \"{}\"", key, value))
      .WithHint(
          "it is \"final\" (the default: a window is shown when it is closed) or \"update\" "
          "(open windows are shown, too)");
}

// The settings that say when windows are shown and corrected; false when `key` is none of them.
Result<bool> ApplyWindowSetting(const std::string& key, const std::string& value,
                                JobSettings& settings) {
  if (key == "millrace.late-rows") {
    MR_RETURN_IF_ERROR(LateRows(value, settings.late, settings.corrects_late));
  } else if (key == "millrace.allowed-lateness" || key == "table.exec.emit.allow-lateness") {
    MR_ASSIGN_OR_RETURN(settings.allowed_lateness_us, Duration(key, value));
  } else if (key == "millrace.emit") {
    MR_ASSIGN_OR_RETURN(settings.early_fire, EmitsEarly(key, value));
  } else if (key == "table.exec.emit.early-fire.enabled") {
    MR_ASSIGN_OR_RETURN(settings.early_fire, Bool(key, value));
  } else if (key == "table.exec.emit.early-fire.delay") {
    MR_ASSIGN_OR_RETURN(settings.early_fire_delay_us, Duration(key, value));
  } else if (key == "table.exec.emit.late-fire.enabled") {
    MR_ASSIGN_OR_RETURN(settings.late_fire, Bool(key, value));
  } else if (key == "table.exec.emit.late-fire.delay") {
    MR_ASSIGN_OR_RETURN(settings.late_fire_delay_us, Duration(key, value));
  } else {
    return false;
  }
  return true;
}

}  // namespace

stream::WindowEmit JobSettings::Emit() const {
  stream::WindowEmit emit;
  emit.early = early_fire;
  if (early_fire) emit.early_delay_us = early_fire_delay_us;
  if (late_fire) emit.late_delay_us = late_fire_delay_us;
  return emit;
}

Status ApplySetting(const std::string& key, const std::string& value, JobSettings& settings) {
  MR_ASSIGN_OR_RETURN(const bool of_windows, ApplyWindowSetting(key, value, settings));
  if (of_windows) return Status::Ok();
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
  } else if (key == "table.local-time-zone") {
    settings.time_zone = value;
  } else if (key == "millrace.epoch.interval") {
    MR_ASSIGN_OR_RETURN(settings.epoch_interval_us, Duration(key, value));
  } else if (key == "millrace.epoch.bytes") {
    MR_ASSIGN_OR_RETURN(settings.epoch_bytes_max, ParseBytes(value));
    if (settings.epoch_bytes_max < 1) {
      return Status(Code::kBadOption, "\"millrace.epoch.bytes\" must be at least 1");
    }
  } else if (key == "millrace.state.memory") {
    MR_ASSIGN_OR_RETURN(settings.state_memory, ParseBytes(value));
  } else if (key == "millrace.lookup.answers-kept") {
    MR_ASSIGN_OR_RETURN(settings.answers_kept_bytes, ParseBytes(value));
  } else if (key == "parallelism.default") {
    char* end = nullptr;
    settings.shards = std::strtoll(value.c_str(), &end, 10);
    if (value.empty() || *end != '\0' || settings.shards < 1 || settings.shards > kShardsMax) {
      return Status(Code::kBadOption,
                    fmt::format("\"parallelism.default\" is a number from 1 to {}", kShardsMax));
    }
  } else if (key.rfind("millrace.", 0) == 0) {
    return Status(Code::kUnknownOption, fmt::format("there is no setting \"{}\"", key))
        .WithHint(
            DidYouMean(key, {"millrace.epoch.interval", "millrace.epoch.bytes",
                             "millrace.late-rows", "millrace.allowed-lateness", "millrace.emit",
                             "millrace.state.memory", "millrace.lookup.answers-kept"}));
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
    LateRowsPolicy late;
    MR_RETURN_IF_ERROR(LateRows(value, late, settings.corrects_late));
    settings.late = late;
  }
  if (std::string value = take("millrace.allowed-lateness"); !value.empty()) {
    MR_ASSIGN_OR_RETURN(settings.allowed_lateness_us, Duration("millrace.allowed-lateness", value));
  }
  for (const char* key : {"emit", "millrace.emit"}) {
    std::string value = take(key);
    if (value.empty()) continue;
    MR_ASSIGN_OR_RETURN(settings.early_fire, EmitsEarly(key, value));
  }
  return settings;
}

Status ResolveTableSettings(const JobSettings& job, const std::string& table,
                            TableSettings& settings) {
  if (settings.idle_timeout_us < 0) settings.idle_timeout_us = job.idle_timeout_us;
  if (!settings.late) {
    settings.late = job.late;
    settings.corrects_late = job.corrects_late;
  }
  if (settings.allowed_lateness_us < 0) settings.allowed_lateness_us = job.allowed_lateness_us;
  const bool needs_time = settings.corrects_late || job.late_fire;
  if (!needs_time || settings.allowed_lateness_us > 0) return Status::Ok();
  return Status(Code::kBadOption,
                fmt::format("late rows of table \"{}\" are to correct closed windows, but nothing "
                            "says how long these are kept",
                            table))
      .WithHint("SET 'millrace.allowed-lateness' = '1 h', or so");
}

}  // namespace millrace::job
