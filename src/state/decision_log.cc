#include "state/decision_log.h"

#include <cstring>
#include <string_view>

#include "state/entry_bytes.h"

namespace millrace::state {

namespace {

constexpr const char* kFilePrefix = "decisions-";

// Reads what Put… wrote; after a read past the end `ok` is false and values are 0.
struct Reader {
  std::string_view bytes;
  bool ok = true;

  template <typename T>
  T Number() {
    T value{};
    if (bytes.size() < sizeof value) {
      ok = false;
      return value;
    }
    std::memcpy(&value, bytes.data(), sizeof value);
    bytes.remove_prefix(sizeof value);
    return value;
  }
  std::string Text() {
    auto size = Number<uint32_t>();
    if (bytes.size() < size) {
      ok = false;
      return {};
    }
    std::string text(bytes.substr(0, size));
    bytes.remove_prefix(size);
    return text;
  }
};

std::string Encode(const Decision& decision) {
  std::string payload;
  PutNumber(payload, decision.epoch);
  PutNumber(payload, decision.clock_us);
  PutNumber(payload, static_cast<uint32_t>(decision.ranges.size()));
  for (const SplitRange& range : decision.ranges) {
    PutNumber(payload, static_cast<int32_t>(range.source));
    PutText(payload, range.split);
    PutNumber(payload, range.from);
    PutNumber(payload, range.to);
    PutNumber(payload, static_cast<uint8_t>(range.end));
  }
  PutNumber(payload, static_cast<uint32_t>(decision.idle.size()));
  for (const SplitName& split : decision.idle) {
    PutNumber(payload, static_cast<int32_t>(split.source));
    PutText(payload, split.split);
  }
  if (!decision.promises.empty()) {
    PutNumber(payload, static_cast<uint32_t>(decision.promises.size()));
    for (const FrontierPromise& promise : decision.promises) {
      PutNumber(payload, static_cast<int32_t>(promise.source));
      PutNumber(payload, promise.frontier);
    }
  }
  return payload;
}

bool Decode(std::string_view payload, Decision& decision) {
  Reader reader{payload};
  decision.epoch = reader.Number<int64_t>();
  decision.clock_us = reader.Number<int64_t>();
  auto ranges = reader.Number<uint32_t>();
  for (uint32_t i = 0; i < ranges && reader.ok; i++) {
    SplitRange range;
    range.source = reader.Number<int32_t>();
    range.split = reader.Text();
    range.from = reader.Number<int64_t>();
    range.to = reader.Number<int64_t>();
    range.end = reader.Number<uint8_t>() != 0;
    decision.ranges.push_back(std::move(range));
  }
  auto idle = reader.Number<uint32_t>();
  for (uint32_t i = 0; i < idle && reader.ok; i++) {
    SplitName split;
    split.source = reader.Number<int32_t>();
    split.split = reader.Text();
    decision.idle.push_back(std::move(split));
  }
  auto promises = reader.bytes.empty() ? 0 : reader.Number<uint32_t>();
  for (uint32_t i = 0; i < promises && reader.ok; i++) {
    FrontierPromise promise;
    promise.source = reader.Number<int32_t>();
    promise.frontier = reader.Number<model::EventTime>();
    decision.promises.push_back(promise);
  }
  return reader.ok;
}

}  // namespace

Result<std::unique_ptr<DecisionLog>> DecisionLog::Open(env::FileSystem* files,
                                                       const std::string& directory) {
  std::unique_ptr<DecisionLog> log(new DecisionLog());
  auto take = [&](std::string_view payload, const EntryFiles::Place&) {
    Decision decision;
    if (!Decode(payload, decision)) return std::optional<model::Epoch>();
    log->found_.push_back(std::move(decision));
    return std::optional(log->found_.back().epoch);
  };
  MR_ASSIGN_OR_RETURN(log->entries_, EntryFiles::Open(files, directory, kFilePrefix, take));
  return log;
}

Status DecisionLog::Append(const Decision& decision) {
  return entries_->Append(decision.epoch, Encode(decision)).status();
}

}  // namespace millrace::state
