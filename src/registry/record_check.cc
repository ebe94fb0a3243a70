#include "registry/record_check.h"

#include <fmt/format.h>

#include "format/confluent.h"

namespace millrace::registry {

std::optional<std::string> RecordCheck::Fault(const std::string& topic,
                                              const model::Record& record) {
  if (record.has_value) {
    if (auto fault = BytesFault(topic + "-value", record.value)) return "value: " + *fault;
  }
  const std::string key_subject = topic + "-key";
  if (record.has_key && registry_.Versions(key_subject, false).ok()) {
    if (auto fault = BytesFault(key_subject, record.key)) return "key: " + *fault;
  }
  return std::nullopt;
}

std::optional<std::string> RecordCheck::BytesFault(const std::string& subject,
                                                   std::string_view bytes) {
  const auto id = format::ConfluentId(bytes);
  if (!id) {
    return fmt::format(
        "it does not begin with a zero byte and the number of a schema of subject "
        "\"{}\"",
        subject);
  }
  if (!registry_.Has(subject, *id)) {
    return fmt::format("schema {} is not one of subject \"{}\"", *id, subject);
  }
  auto check = CheckOf(*id);
  if (!check.ok()) return check.status().message();
  bytes.remove_prefix(format::kConfluentHeader);
  auto fault = (*check)->Fault(bytes);
  if (fault) return fmt::format("it is not of schema {}: {}", *id, *fault);
  return std::nullopt;
}

Result<std::shared_ptr<const PayloadCheck>> RecordCheck::CheckOf(int32_t id) {
  {
    std::lock_guard lock(mutex_);
    if (auto known = checks_.find(id); known != checks_.end()) return known->second;
  }
  MR_ASSIGN_OR_RETURN(format::RegisteredSchema found, registry_.Find(id));
  MR_ASSIGN_OR_RETURN(std::shared_ptr<const PayloadCheck> check, PayloadCheck::New(found));
  std::lock_guard lock(mutex_);
  checks_[id] = check;
  return check;
}

}  // namespace millrace::registry
