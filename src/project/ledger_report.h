// The ledger of jobs, read from the topic `millrace.ledger`: added up, and as tables of the
// warehouse's SQL.
//
//   millrace.ledger          a row per entry and stage: what became of the rows
//   millrace.ledger_offsets  a row per epoch and split: which offsets it read, when committed
//   millrace.ledger_gaps     a row per gap: what does not add up, and where
//
// Contract: reads the log only; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "duck/warehouse.h"
#include "job/ledger_entry.h"
#include "log/log.h"

namespace millrace::project {

// The entries that are kept, oldest first.
Status VisitLedger(log::Log& log, const std::function<void(const job::LedgerEntry& entry)>& visit);

// What the entries of one run of a job say together.
struct LedgerSum {
  job::LedgerEntry sum;  // `steps` are left out; gaps: all, and the holes between entries
  int64_t entries = 0;
  int64_t missing = 0;  // rows (of a hole: offsets) that do not add up; 0: it closes

  // In the order in which they were written.
  void Add(const job::LedgerEntry& entry);
  std::string ToJson() const;
};

// {"jobs": [{…, "entries", "missing", "closes"}], "entries": [the newest `entries_max`]}
// `job` "": all. Error kNotFound: nothing is known of that job.
Result<std::string> LedgerJson(log::Log& log, const std::string& job, int64_t entries_max);

Status RegisterLedgerTables(log::Log& log, duck::Warehouse& warehouse);

}  // namespace millrace::project
