// KeyChanges: changes to a keyed table on their way into its files, copy on write.
//
// Files cannot be changed, so what concerns a key means: the files that hold a row with it are
// written anew without those rows, and the new rows are added.
//
// Contract: one thread. Errors that another try may mend have Retry::kBackoff; every method may be
// repeated.
#pragma once

#include <duckdb.hpp>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/changes_by_key.h"
#include "connectors/delta/data_files.h"
#include "model/schema.h"

namespace millrace::connectors::delta {

class KeyChanges {
 public:
  // `columns` of the rows and, of them, the key and what the table is partitioned by; all as the
  // table names them.
  KeyChanges(DataFiles& data, model::Schema columns, std::vector<std::string> key,
             std::vector<std::string> partitioned_by);

  ChangesByKey& changes() { return changes_; }
  const ChangesByKey& changes() const { return changes_; }

  // Of these, after they are settled:
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
  ChangesByKey changes_;
};

}  // namespace millrace::connectors::delta
