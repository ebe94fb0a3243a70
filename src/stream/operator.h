// Operator: one incremental step of a query, for one shard.
//
// One thread calls it, in this order; it never blocks, and keeps state only through state/:
//
//   Open ─► ( Process* ─► OnWatermark? ─► OnEpochEnd ─► Snapshot? )*      once per epoch
//
//   Open         allocate; restore from the last checkpoint
//   Process      rows of one input port arrive; emit what is final, remember the rest
//   OnWatermark  frontiers moved: emit what they close, free what they free
//   OnEpochEnd   emit the net change of this epoch (operators with updating results)
//   Snapshot     write what changed since the last Snapshot
//
// Everything an operator does must be a function of its state and its input (DESIGN.md, rule 1):
// no clock, no randomness, no address or hash order of the machine in the output order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/dead_letter.h"
#include "state/state_store.h"
#include "stream/batch.h"
#include "stream/frontier.h"

namespace millrace::stream {

class Asker;
class Operator;

// Hands an operator's output to the operators below it.
class Emitter {
 public:
  void Add(Operator* next, int port) { targets_.push_back({next, port}); }
  void Emit(const Batch& batch);
  std::vector<const Operator*> Targets() const;
  int64_t rows() const { return rows_; }  // emitted since the job started

 private:
  struct Target {
    Operator* next;
    int port;
  };
  std::vector<Target> targets_;
  int64_t rows_ = 0;
};

// Where an operator puts rows that it cannot carry on.
class DeadLetterSink {
 public:
  virtual ~DeadLetterSink() = default;
  virtual void Add(model::DeadLetter letter) = 0;
};

struct OperatorContext {
  duckdb::ClientContext* client = nullptr;  // for expression executors
  DeadLetterSink* dead_letters = nullptr;
  Asker* asker = nullptr;  // of jobs with lookups
  std::string job;
  std::vector<bool> drop_late = {};  // by source: late rows are counted only, not kept

  bool KeepsLate(int source) const {
    return static_cast<size_t>(source) >= drop_late.size() ||
           !drop_late[static_cast<size_t>(source)];
  }
};

// What EXPLAIN says of an operator.
struct OperatorDescription {
  std::string name;       // "WindowAggregate"
  std::string detail;     // "by window_end, page_url: count(*), count(distinct user_id)"
  std::string changelog;  // "append", "retract"
  std::string state;      // "one row per open window and key"; empty: none
  std::string freed_by;   // "watermark of event_time"; empty: nothing to free
};

// Every row that comes in is accounted for (job/ledger.h holds it to that, after each epoch):
//   in + added - merged = taken + filtered + unchanged + (late - late_taken)
//                         + (failed - failed_taken)
struct OperatorStats {
  int64_t rows_in = 0;
  int64_t rows_taken = 0;   // into the state, or joined; see Operator::Forwards
  int64_t rows_added = 0;   // by an unnest, beside the one that a row is anyway
  int64_t rows_merged = 0;  // equal rows for which another one stands, with its weight
  int64_t rows_late = 0;
  int64_t rows_late_taken = 0;  // of the late ones: they still count for what is open
  int64_t rows_filtered = 0;
  int64_t rows_unchanged = 0;     // said nothing new, or are not among those that are kept
  int64_t rows_failed = 0;        // an expression failed on them; in the dead letters
  int64_t rows_failed_taken = 0;  // of the failed ones: made of rows that had been taken
  int64_t state_rows = 0;
  int64_t state_bytes = 0;
};

class Operator {
 public:
  explicit Operator(uint32_t id) : id_(id) {}
  virtual ~Operator() = default;

  virtual Status Open(const OperatorContext& context, const state::StateReader& state);
  virtual void Process(int port, const Batch& batch) = 0;
  virtual void OnWatermark(const Frontiers& frontiers) { (void)frontiers; }
  virtual void OnEpochEnd() {}
  virtual void Snapshot(state::StateWriter& writer) { (void)writer; }
  virtual OperatorDescription Describe() const = 0;
  // True: each row leaves in the epoch it came in, so what it emitted is what it took, and
  // rows_taken is not counted.
  virtual bool Forwards() const { return false; }

  // Position in the plan, in topological order; the prefix of the operator's state.
  uint32_t id() const { return id_; }
  Emitter& emitter() { return emitter_; }
  const Emitter& emitter() const { return emitter_; }
  const OperatorStats& stats() const { return stats_; }

 protected:
  OperatorContext context_;
  Emitter emitter_;
  OperatorStats stats_;

 private:
  uint32_t id_;
};

}  // namespace millrace::stream
