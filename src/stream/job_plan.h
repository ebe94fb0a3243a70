// JobPlan: a query as a graph of operators, made from DuckDB's logical plan.
//
// Contract: BuildJobPlan either returns a plan that computes the query incrementally, or refuses
// with kUnsupported: the clause, why, and what to write instead. The clause's keyword is in
// detail() as `clause: ORDER BY`, so that the caller can point at it in the user's text.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "duck/planner.h"
#include "model/changelog.h"
#include "model/schema.h"
#include "model/wanted_fields.h"
#include "stream/exchange.h"
#include "stream/lookup_cache.h"
#include "stream/operator.h"
#include "stream/window_emit.h"

namespace millrace::stream {

using model::ChangelogKind;

// What a table that can be asked by key wants of a lookup join.
struct LookupPolicy {
  LookupCachePolicy cache;
  bool bury_missing = false;  // rows whose key is not there become dead letters
  bool ask_nulls = false;     // keys with NULLs are asked for, too
};

// What the builder needs to know of a table that a query scans.
struct ScanTable {
  model::Schema schema;  // as defined in the planner: all columns, in SELECT * order
  int time_column = -1;  // that carries the watermark; -1: none
  std::vector<size_t> clock_columns = {};   // computed as PROCTIME()
  std::optional<LookupPolicy> lookup = {};  // nothing: it cannot be asked by key
  // How its rows change as they are read. kUpsert: by `key`.
  ChangelogKind changelog = ChangelogKind::kAppend;
  std::vector<size_t> key = {};     // PRIMARY KEY columns, as indexes into schema; empty: none
  int64_t allowed_lateness_us = 0;  // rows that are late by no more are still taken
};

// A table that the job reads, once, however often the query names it.
struct SourceUse {
  std::string table;
  std::vector<size_t> columns;              // wanted, as indexes into ScanTable::schema; ascending
  std::vector<model::WantedFields> fields;  // per column: the rest of a ROW may be NULL
  std::vector<Operator*> consumers;         // get a batch of exactly these columns, in this order
};

// A lookup join: who asks which table, by which of its columns, for which of them (indexes into
// ScanTable::schema). Requests and answers are rows of these types (RowCodec, LookupAnswer).
struct LookupUse {
  uint32_t asker = 0;  // operator id
  std::string table;
  std::vector<size_t> keys;
  std::vector<size_t> columns;
};

// Which copy of the plan to make, of how many: see stream/exchange.h.
struct Shard {
  size_t index = 0;
  size_t count = 1;
};

struct JobPlan {
  std::vector<SourceUse> sources;
  std::vector<std::unique_ptr<Operator>> operators;  // inputs before their consumers
  std::vector<LookupUse> lookups;
  Operator* output = nullptr;                 // emits the query's result
  duckdb::vector<duckdb::LogicalType> types;  // of the result
  std::vector<std::string> names;
  std::vector<ColumnFrontier> frontiers;  // of the result's columns: what is before them is final
  ChangelogKind changelog = ChangelogKind::kAppend;  // never kUpsert
  bool needs_ticks = false;        // windows of processing time close without input, too
  std::string differs_from_batch;  // why DuckDB's answer may be another one; "": it is not

  // For each operator how many exchanges lie at most between it and a source.
  std::vector<size_t> stages;
  // Of a sharded plan: where rows change shards, in the order of `operators`.
  struct ExchangePoint {
    Exchange* exchange = nullptr;
    size_t stage = 0;  // of the exchange; those who read it have a later one
  };
  std::vector<ExchangePoint> exchanges;
};

struct JobPlanOptions {
  Shard shard;
  int64_t state_ttl_us = 0;  // of what updates, see docs/reference/sql.md; 0: for ever
  WindowEmit emit;
};

Result<JobPlan> BuildJobPlan(const duck::Plan& plan, duckdb::ClientContext& context,
                             const std::map<std::string, ScanTable>& tables,
                             const JobPlanOptions& options = {});

}  // namespace millrace::stream
