// Reconcile: does a destination hold what its source holds? Asked every so often, in SQL.
//
// reconcile/*.yml, a check per file, named after it:
//   source: orders                 # a table, view or topic's table; or source-query: SELECT …
//   destination: order_facts       # likewise; or destination-query
//   by: key                        # count (default): rows; key: each key as often here as there;
//                                  # checksum: and with equal columns
//   key: order_id                  # of key and checksum; one or a list
//   columns: [amount, status]      # of checksum: what is compared beside the key
//   time: event_time               # a column of both: only its last `window` is compared,
//   window: 1 h                    # which ends `settle` ago (default 1 min)
//   settle: 5 min
//   every: 1 h                     # default; 0: only by hand
//   tolerance: 0.1 %               # of the source's rows that may differ; default 0
//   name-keys: 20                  # so many differing keys are named
//
// A check is one statement, so both sides are asked at one moment as far as they can be: a topic as
// far as it went, a table of a server in a transaction of its own.
//
// Contract: any thread; a Reconciler's methods on one.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "duck/warehouse.h"
#include "log/log.h"

namespace millrace::project {

constexpr const char* kReconciliationTopic = "millrace.reconciliations";

struct ReconcileCheck {
  enum class By { kCount, kKey, kChecksum };
  std::string name;
  std::string source;       // SQL: a query
  std::string destination;  // the same
  By by = By::kCount;
  std::vector<std::string> key = {};
  std::vector<std::string> columns = {};
  std::string time = {};  // "": all rows
  int64_t window_us = 0;  // 0: everything up to `settle` ago
  int64_t settle_us = 60'000'000;
  int64_t every_us = 3'600'000'000;  // 0: only by hand
  double tolerance = 0;              // a fraction
  int64_t keys_max = 20;
};

// All checks of a project; what is wrong is appended to `faults`, with its place.
std::vector<ReconcileCheck> LoadReconcileChecks(const std::string& project_directory,
                                                std::vector<Status>& faults);
// Error kNotFound with did-you-mean.
Result<ReconcileCheck> FindReconcileCheck(const std::vector<ReconcileCheck>& checks,
                                          const std::string& name);

struct ReconcileResult {
  struct Difference {
    std::string kind;  // "missing", "extra", "changed": as the destination has it
    std::string key;   // columns one after the other, ", " between them
    int64_t source_rows = 0;
    int64_t destination_rows = 0;
  };
  std::string name;
  int64_t time_ms = 0;
  int64_t from_ms = 0;  // the window; 0: no bound
  int64_t to_ms = 0;
  int64_t source_rows = 0;
  int64_t destination_rows = 0;
  int64_t missing = 0;  // rows; of kCount the difference
  int64_t extra = 0;
  int64_t changed = 0;    // keys
  double divergence = 0;  // of the source's rows: what differs
  double tolerance = 0;
  bool ok = false;
  std::string error;                    // why it could not be asked; then !ok
  std::vector<Difference> differences;  // the first, by key

  // What the topic `millrace.reconciliations` stores, one line.
  std::string ToJson() const;
  // For people: "orders: 1000 rows here, 999 there: differs by 0.1 %, 0.05 % allowed …"
  std::string ToText() const;
};

// The statement that a check asks at a time.
std::string ReconcileSql(const ReconcileCheck& check, int64_t now_ms);
// Asks it; `ask` answers a statement as QueryResult::ToJson does. An error is part of the result.
using AskSql = std::function<Result<std::string>(const std::string& sql)>;
ReconcileResult RunReconcileCheck(const ReconcileCheck& check, int64_t now_ms, const AskSql& ask);

// Asks each check when it is due, at whole multiples of its interval since 1970.
class Reconciler {
 public:
  // `on_result` hears of each, on a thread of the reconciler; may be null.
  Reconciler(std::vector<ReconcileCheck> checks, duck::Warehouse& warehouse, log::Log& log,
             std::function<void(const ReconcileResult&)> on_result = nullptr);
  ~Reconciler();
  void Start();
  void Stop();

 private:
  void Run();
  void Record(const ReconcileResult& result);

  const std::vector<ReconcileCheck> checks_;
  duck::Warehouse& warehouse_;
  log::Log& log_;
  const std::function<void(const ReconcileResult&)> on_result_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

// `millrace.reconciliations` in SQL.
Status RegisterReconciliationTable(log::Log& log, duck::Warehouse& warehouse);

}  // namespace millrace::project
