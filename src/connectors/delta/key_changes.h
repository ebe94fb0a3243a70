// KeyChanges: changes to a keyed table on their way into its files, copy on write.
//
// Files cannot be changed, so what concerns a key means: the files that hold a row with it are
// written anew without those rows, and the new rows are added. What an epoch's changes come to is
// as in connectors/net_changes.h, but computed by DuckDB, which spills.
//
// Contract: one thread. Errors that another try may mend have Retry::kBackoff; every method may be
// repeated.
#pragma once

#include <duckdb.hpp>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/connector.h"
#include "connectors/delta/data_files.h"
#include "connectors/gathered_rows.h"
#include "model/schema.h"

namespace millrace::connectors::delta {

class KeyChanges {
 public:
  // `columns` of the rows and, of them, the key and what the table is partitioned by; all as the
  // table names them.
  KeyChanges(DataFiles& data, model::Schema columns, std::vector<std::string> key,
             std::vector<std::string> partitioned_by);

  Status Open() { return rows_.Open(); }
  Status MakeRoom() { return rows_.MakeRoom(); }
  void Gather(const SinkBatch& batch);
  int64_t gathered() const { return rows_.count(); }
  Status Forget() { return rows_.Forget(); }

  // Sums up what was gathered: which keys change, and the rows that they have then.
  Status Settle();
  // The files that hold rows with these keys. `stored`: the table's columns.
  Result<std::vector<AddFile>> Concerned(const Snapshot& snapshot, const model::Schema& stored);
  // A query: the rows of `files` with other keys, and the new ones.
  std::string Rows(const std::vector<AddFile>& files, const model::Schema& stored) const;

 private:
  Status ListCandidates(const Snapshot& snapshot);
  Result<std::vector<AddFile>> MayConcern(const Snapshot& snapshot, const model::Schema& stored);
  std::string SameKey() const;

  DataFiles& data_;
  const model::Schema columns_;
  const std::vector<std::string> key_;
  const std::vector<std::string> partitioned_by_;
  GatheredRows rows_;  // with two columns more: weight, and a number that grows
  int64_t next_change_ = 0;
};

}  // namespace millrace::connectors::delta
