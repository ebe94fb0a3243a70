// RecordCheck: whether a strict topic takes a record: one that carries the number of a schema of
// its subject, and is of that schema.
//
// Values belong to the subject "<topic>-value"; keys to "<topic>-key", where there is one. What
// "of that schema" means: registry/payload_check.h. A record without a value (a tombstone) is
// taken.
//
// Contract: any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "model/record.h"
#include "registry/payload_check.h"
#include "registry/registry.h"

namespace millrace::registry {

class RecordCheck {
 public:
  // `topics`: those that are strict. The registry outlives the check.
  RecordCheck(Registry& registry, std::set<std::string> topics)
      : registry_(registry), topics_(std::move(topics)) {}

  bool Applies(const std::string& topic) const { return topics_.count(topic) > 0; }
  // Why the topic, to which this applies, does not take the record; nothing: it does.
  std::optional<std::string> Fault(const std::string& topic, const model::Record& record);

 private:
  std::optional<std::string> BytesFault(const std::string& subject, std::string_view bytes);
  Result<std::shared_ptr<const PayloadCheck>> CheckOf(int32_t id);

  Registry& registry_;
  const std::set<std::string> topics_;
  std::mutex mutex_;
  std::map<int32_t, std::shared_ptr<const PayloadCheck>> checks_;
};

}  // namespace millrace::registry
