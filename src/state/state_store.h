// StateStore: a job's checkpoints on disk.
//
// Contract
//   A checkpoint is one atomic step from epoch to epoch: what the job wrote through StateWriter
//   since the last one, plus the epoch's number, becomes durable together or not at all.
//   Keys are (operator id, bytes); operators see only their own part and scan it in key order.
//   One thread calls; scanning and beginning must wait until no checkpoint is under way.
//
// Format: a RocksDB database, keys as in state/state_keys.h; the reserved operator id 0 holds the
// job's own entries.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "model/position.h"

namespace millrace::state {

constexpr uint32_t kJobEntries = 0;

class StateReader {
 public:
  virtual ~StateReader() = default;
  // Visits every entry of an operator whose key starts with `prefix`, in key order.
  virtual void Scan(
      uint32_t operator_id, std::string_view prefix,
      const std::function<void(std::string_view key, std::string_view value)>& visit) const = 0;
};

class StateWriter {
 public:
  virtual ~StateWriter() = default;
  virtual void Put(uint32_t operator_id, std::string_view key, std::string_view value) = 0;
  virtual void Delete(uint32_t operator_id, std::string_view key) = 0;
  // Deletes every entry whose key starts with `prefix`.
  virtual void DeletePrefix(uint32_t operator_id, std::string_view prefix) = 0;
};

class StateStore : public StateReader {
 public:
  // Opens or creates. Errors: kIo, kCorruption, kFailedPrecondition when another process has it.
  static Result<std::unique_ptr<StateStore>> Open(const std::string& directory);
  // A store that forgets everything (tests, bounded one-shot runs).
  static std::unique_ptr<StateStore> InMemory();

  // Epoch of the last durable checkpoint; 0 when there is none.
  virtual model::Epoch epoch() const = 0;
  // Begins the checkpoint of `epoch`: runs `write` to gather changes, and then makes them durable
  // while the caller goes on. None may be under way.
  virtual void Begin(model::Epoch epoch, const std::function<void(StateWriter&)>& write) = 0;
  // Whether a checkpoint was begun and Finish has not yet said that it is durable.
  virtual bool UnderWay() const = 0;
  // Whether Finish would not wait.
  virtual bool Settled() const = 0;
  // Waits until what was begun is durable; only then epoch() says so. After an error what was
  // gathered is kept, and calling it again tries again.
  virtual Status Finish() = 0;

  // Both at once. After an error call it again with the same epoch: `write` is not run again.
  Status Checkpoint(model::Epoch epoch, const std::function<void(StateWriter&)>& write) {
    if (!UnderWay()) Begin(epoch, write);
    return Finish();
  }
  // Keys and values of the last checkpoint; 0 for a store that forgets.
  virtual int64_t last_bytes() const { return 0; }
};

}  // namespace millrace::state
