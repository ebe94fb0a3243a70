// The interfaces of the systems Millrace works with: Source, Sink and (lookup.h) Lookup; and the
// description (ConnectorSpec) from which options are parsed, checked and documented.
//
// Contract (both): called by the job's thread only, never concurrently. The job owns retry, backoff
// and pacing: a method that fails with Retry::kBackoff or kReconnect is called again.
#pragma once

#include <duckdb.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/option_spec.h"
#include "model/position.h"
#include "model/record.h"
#include "model/schema.h"

namespace millrace::log {
class Log;
}
namespace millrace::duck {
class Warehouse;
}
namespace millrace::env {
class Clock;
}
namespace millrace::format {
class SchemaRegistry;
}

namespace millrace::connectors {

// ---- description ------------------------------------------------------------------------------

using model::OptionSpec;
using model::OptionType;
enum class Guarantee { kAtLeastOnce, kExactlyOnce };

struct ConnectorSpec {
  std::string name;     // 'connector' = name
  std::string summary;  // one sentence
  bool source = false;
  bool sink = false;
  bool lookup = false;          // can be asked by key (connectors/lookup.h)
  bool source_bounded = false;  // can end
  Guarantee guarantee = Guarantee::kAtLeastOnce;
  std::string guarantee_doc;           // how it is reached
  bool takes_format = false;           // has a 'format' option and the options of that format
  bool holds_bytes = false;            // formats may be binary: records need no separator
  bool sink_accepts_updates = false;   // upsert by primary key; false: append only
  bool updates_need_key = true;        // takes updates only for tables with a PRIMARY KEY
  bool sink_takes_changelogs = false;  // of any row, in a format that says what becomes of it
  bool upserts = false;  // a record is the new row of its PRIMARY KEY, or none: takes it away
  std::vector<OptionSpec> options;
  std::string example;                        // a whole CREATE TABLE
  std::vector<std::string> own_formats = {};  // beside those of format/, e.g. "parquet"
};

// Parsed and checked options of one table: every declared option present or defaulted.
class Options {
 public:
  std::string GetString(const std::string& name) const;
  bool GetBool(const std::string& name) const;
  int64_t GetInt(const std::string& name) const;
  double GetDouble(const std::string& name) const;
  int64_t GetMicros(const std::string& name) const;  // kDuration
  int64_t GetBytes(const std::string& name) const;
  bool Has(const std::string& name) const;  // given or defaulted
  const std::map<std::string, std::string>& raw() const { return values_; }

 private:
  friend Result<Options> ParseOptions(const ConnectorSpec&,
                                      const std::map<std::string, std::string>&);
  std::map<std::string, std::string> values_;
};

// Checks `given` (the WITH clause) against the spec: unknown names (did-you-mean), missing required
// ones, values of the wrong type or out of the enum. 'connector' itself is ignored; where
// spec.takes_format, 'format', 'key.format', 'key.fields', 'value.format', 'value.fields-include'
// and '<format>.*' pass through.
Result<Options> ParseOptions(const ConnectorSpec& spec,
                             const std::map<std::string, std::string>& given);

// What a connector may use of the process it runs in. Pointers outlive the connector; null when the
// process has none (e.g. no log in a unit test).
struct Services {
  log::Log* log = nullptr;
  duck::Warehouse* warehouse = nullptr;
  env::Clock* clock = nullptr;
  format::SchemaRegistry* registry = nullptr;  // the one in this process
  std::string base_dir;  // relative paths in options start here
};

// The table a connector instance serves.
struct TableContext {
  std::string name;
  model::Schema schema;                  // physical columns
  std::vector<std::string> primary_key;  // NOT ENFORCED; empty when none
  std::vector<std::string> partitioned_by;
  Options options;
  std::string job;  // name of the job the instance belongs to; identifies its commits
  Services services;
};

// ---- source -----------------------------------------------------------------------------------

// One independently ordered part of a source: a topic partition, a file, a generator.
struct Split {
  std::string id;  // stable across restarts: "0", "data/part-0.jsonl"
};

// Receives what Read produces, in order. Either form may be used by a source, not both.
class SourceOutput {
 public:
  virtual ~SourceOutput() = default;
  // Records still to be decoded by the table's format.
  virtual void OnRecords(std::span<const model::Record> records) = 0;
  // Rows of the projected columns, already typed; offsets[i] belongs to row i. At most
  // STANDARD_VECTOR_SIZE rows. The chunk is the source's and may be changed by the callee.
  virtual void OnRows(duckdb::DataChunk& rows, std::span<const model::Offset> offsets) = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  // Connects and checks what can be checked. `projection`: columns wanted (schema indexes) for
  // sources that produce typed rows; those that produce records ignore it.
  virtual Status Open(const std::vector<size_t>& projection) = 0;
  // All splits known now. Called at start and every second after; order is stable, new ones last.
  // What does not answer is an error with a retry hint: the job then waits, also at its start.
  virtual Result<std::vector<Split>> Splits() = 0;
  // Where a job that never read this split begins (startup mode).
  virtual Result<model::Offset> Start(const Split& split) = 0;
  struct Ready {
    model::Offset to = 0;  // exclusive end of what may be read now; == from when nothing
    bool end = false;      // no data will ever come after `to` (bounded split)
    int64_t behind = 0;    // an estimate of offsets between `to` and the split's end: the lag
  };
  // Chooses how far to read from `from`, at most about budget_bytes (at least one record if there
  // is any). Must only promise durable data: Read(from, to) must give the same after a crash.
  virtual Result<Ready> Poll(const Split& split, model::Offset from, int64_t budget_bytes) = 0;
  // Delivers exactly the records of [from, to). Repeatable: same range, same records, same order.
  virtual Status Read(const Split& split, model::Offset from, model::Offset to,
                      SourceOutput& out) = 0;
  // Blocks until some split may have something new, or the deadline; may wake for nothing.
  virtual void Wait(int64_t deadline_monotonic_us) = 0;
  // The job is about to stop: makes a concurrent Wait return soon, and a Read that waits for
  // another system fail with Retry::kReconnect. The only method that another thread may call.
  virtual void Interrupt() {}
  struct Position {
    Split split;
    model::Offset next = 0;  // first offset not read
  };
  // A checkpoint that holds these positions is durable. For who shows them to others; nothing may
  // depend on it.
  virtual void OnCheckpoint(const std::vector<Position>& positions) { (void)positions; }
};

// ---- sink -------------------------------------------------------------------------------------

// A batch for a sink: rows of the table's schema and, where the input retracts, a weight per row
// (+1 insert, -1 delete; an update is -1 of the old row and +1 of the new). No weights: all +1.
struct SinkBatch {
  duckdb::DataChunk* rows = nullptr;
  const std::vector<int32_t>* weights = nullptr;
};

// A row that the target will not take however often it is tried: a value too long, a constraint.
struct RejectedRow {
  std::string row;     // as JSON; of a keyed table, what would have become of its key
  std::string column;  // "" when the target does not say
  std::string reason;  // the target's own words, one line
};

// What the target refused.
struct Rejections {
  int64_t total = 0;              // rows since the job began
  std::vector<RejectedRow> rows;  // of the epoch LastCommitted()
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Connects, creates the target when it is missing and the connector can, recovers a commit that
  // a crash left half done. After Open, LastCommitted() is right.
  virtual Status Open() = 0;
  // Highest epoch of this job whose rows are durably visible. Epochs up to it are never written
  // again by the job. 0: none.
  virtual Result<model::Epoch> LastCommitted() = 0;
  // Buffers rows of the epoch being built. May spill, never commits.
  virtual Status Write(const SinkBatch& batch) = 0;
  // Makes everything written since the last commit visible, atomically, as of `epoch`, and
  // remembers `epoch` in the same step. Called only when rows were written, or must_flush. Must be
  // repeatable after a failure with a retry hint: the buffer is dropped only on success.
  virtual Status Commit(model::Epoch epoch) = 0;
  // What the target refused of the epoch LastCommitted(). Remembered in the step that makes the
  // epoch visible, until the next one, for the job makes dead letters of it afterwards: whatever
  // happens in between, a row is in the target or a letter. What no row is to blame for (no
  // connection, disk full, no permission) is an error of Commit instead.
  virtual const Rejections& Rejected() const {
    static const Rejections kNone;
    return kNone;
  }
  // True for sinks that gather many epochs into one commit (files): the job then calls Commit only
  // when WantsCommit() says so, before a checkpoint, and at the end; after a crash it replays.
  virtual bool GathersEpochs() const { return false; }
  virtual bool WantsCommit() { return true; }
  virtual Status Close() { return Status::Ok(); }
};

// ---- registry ---------------------------------------------------------------------------------

class Lookup;
struct LookupQuery;

struct ConnectorEntry {
  ConnectorSpec spec;
  std::function<Result<std::unique_ptr<Source>>(const TableContext&)> new_source;  // may be null
  std::function<Result<std::unique_ptr<Sink>>(const TableContext&)> new_sink;      // may be null
  std::function<Result<std::unique_ptr<Lookup>>(const TableContext&, const LookupQuery&)>
      new_lookup = nullptr;  // may be null
};

// Every connector, one explicit list (connectors/all.cc).
const std::vector<ConnectorEntry>& AllConnectors();
// Error kUnknownOption with did-you-mean.
Result<const ConnectorEntry*> FindConnector(const std::string& name);

}  // namespace millrace::connectors
