// Topic settings under Kafka's names, for CreateTopics, DescribeConfigs and
// IncrementalAlterConfigs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "log/log.h"

namespace millrace::kafka {

struct TopicSetting {
  std::string name;
  std::string value;
  bool is_default = true;
  bool read_only = false;
  int8_t type = 0;  // Kafka's: 2 string, 3 int, 5 long, 7 list
  std::string documentation;
};

std::vector<TopicSetting> SettingsOf(const log::TopicConfig& config);

// Changes `config`; nullopt puts the default back. Errors say what may be set: kBadOption for a
// value that cannot be, kUnknownOption for a name that means nothing here. Settings that this log
// always fulfils (compression.type=producer, cleanup.policy=delete …) are taken and change nothing.
Status ApplySetting(const std::string& name, const std::optional<std::string>& value,
                    log::TopicConfig* config);

}  // namespace millrace::kafka
