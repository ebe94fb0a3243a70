// A partition by its topic's name.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace millrace::kafka {

struct TopicPartition {
  std::string topic;
  int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

}  // namespace millrace::kafka
