// Topics that belong to the system itself, as `__consumer_offsets`: users read them, never write.
// Source: Kafka's convention that their names begin with two underscores; the schema registry's
// topic has one.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace::log {

inline bool IsInternalTopic(std::string_view topic) {
  return topic.starts_with("__") || topic == "_schemas";
}

// kInvalidArgument for an internal topic: no command and no route writes records there.
inline Status CheckWritable(std::string_view topic) {
  if (!IsInternalTopic(topic)) return {};
  return Status(Code::kInvalidArgument,
                "topic \"" + std::string(topic) + "\" is internal and takes no records")
      .WithHint(
          "\"_schemas\" and names that begin with \"__\" are the system's own; write to a topic of "
          "yours");
}

}  // namespace millrace::log
