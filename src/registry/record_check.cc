#include "registry/record_check.h"

#include <fmt/format.h>

#include "format/avro/avro_row_reader.h"
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
  auto plan = PlanOf(*id);
  if (!plan.ok()) return plan.status().message();
  if (*plan == nullptr) return std::nullopt;
  format::AvroRowReader reader;
  bytes.remove_prefix(format::kConfluentHeader);
  if (reader.Read(**plan, bytes, {}, 0)) return std::nullopt;
  const model::RowError& fault = reader.fault();
  const std::string where = fault.column.empty() ? "" : fmt::format("field \"{}\": ", fault.column);
  return fmt::format("it is not of schema {}: {}{}", *id, where, fault.message);
}

Result<std::shared_ptr<const format::AvroPlan>> RecordCheck::PlanOf(int32_t id) {
  {
    std::lock_guard lock(mutex_);
    if (auto known = plans_.find(id); known != plans_.end()) return known->second;
  }
  MR_ASSIGN_OR_RETURN(format::RegisteredSchema found, registry_.Find(id));
  std::shared_ptr<const format::AvroPlan> plan;
  if (found.type == "AVRO") {
    MR_ASSIGN_OR_RETURN(auto schema, format::AvroSchema::Parse(found.text, found.references));
    if (schema->root().kind == format::AvroKind::kRecord) {
      MR_ASSIGN_OR_RETURN(plan, format::AvroPlan::Make(std::move(schema), nullptr, {}));
    }
  }
  std::lock_guard lock(mutex_);
  plans_[id] = plan;
  return plan;
}

}  // namespace millrace::registry
