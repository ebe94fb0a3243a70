// ChangesByKey: changes to a keyed table of a lake, gathered for a commit and summed up.
//
// What they come to is as in net_changes.h, but computed by DuckDB, which spills.
//
// Contract: one thread. Errors that another try may mend have Retry::kBackoff; every method may be
// repeated.
#pragma once

#include <duckdb.hpp>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/connector.h"
#include "connectors/gathered_rows.h"
#include "model/schema.h"

namespace millrace::connectors {

class ChangesByKey {
 public:
  // `columns` of the rows and, of them, the key. `connection` outlives this.
  ChangesByKey(duckdb::Connection& connection, model::Schema columns, std::vector<std::string> key);

  Status Open() { return rows_.Open(); }
  // Puts what fills the memory aside.
  Status MakeRoom() { return rows_.MakeRoom(); }
  // Never fails.
  void Gather(const SinkBatch& batch);
  int64_t gathered() const { return rows_.count(); }
  Status Forget() { return rows_.Forget(); }

  // Fills two tables: "keys", which keys change, and "fresh", the rows that they have then.
  Status Settle();

 private:
  duckdb::Connection& connection_;
  const model::Schema columns_;
  const std::vector<std::string> key_;
  GatheredRows rows_;  // with two columns more: weight, and a number that grows
  int64_t next_change_ = 0;
};

}  // namespace millrace::connectors
