// DeltaTable: one table of Delta Lake, written by one job.
//
// A commit is one version of the table: data files with the rows that were gathered, and
// txn {appId: "<job>/<table>", version: epoch}. So a reader sees all of it or nothing, whatever the
// process does, and what was committed last is asked of the log. With a key the rows are changes,
// and the files that hold changed keys are replaced. Other writers may add versions at any time: an
// append is tried again behind them, a change made anew, unless they changed what the table is.
//
// Contract: one thread. Errors that another try may mend have Retry::kBackoff; every method may be
// repeated.
// Source: PROTOCOL.md of delta-io/delta.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/connector.h"
#include "connectors/delta/data_files.h"
#include "connectors/delta/delta_log.h"
#include "connectors/delta/key_changes.h"
#include "connectors/delta/table_store.h"
#include "connectors/gathered_rows.h"
#include "env/clock.h"
#include "env/files.h"
#include "model/position.h"
#include "model/schema.h"

namespace millrace::connectors::delta {

struct DeltaSettings {
  std::string path;  // of the table's directory, or "s3://…"
  s3::Access store;  // where that is in S3
  std::string job;
  std::string table;             // as the job calls it
  std::vector<std::string> key;  // empty: rows are only added
  std::vector<std::string> partitioned_by;
  std::string spill_directory;
  int64_t file_bytes = 0;           // target size of a file
  int64_t retention_us = 0;         // removed files and old versions go after this long
  int64_t checkpoint_versions = 0;  // a checkpoint after so many versions
};

// What a maintenance did.
struct Maintenance {
  int64_t files_merged = 0;
  int64_t files_deleted = 0;
  bool checkpoint = false;
};

class DeltaTable {
 public:
  DeltaTable(env::FileSystem& files, env::Clock& clock, DeltaSettings settings,
             model::Schema columns);

  // Reads the log. A table that is missing is created; columns that it lacks are added. Errors
  // kFailedPrecondition: its columns or partitions are others; kUnsupported: it asks of its writers
  // what Millrace does not know.
  Status Open();
  // What the log says of this job's rows; 0: none.
  model::Epoch LastEpoch() const;
  // As LastEpoch, of the log as it is now. Deletes what a failed attempt has left.
  Result<model::Epoch> FindLastEpoch();
  // Puts what fills the memory aside.
  Status MakeRoom();
  // Takes rows, with a key also negative weights; never fails.
  void Gather(const SinkBatch& batch);
  int64_t gathered_rows() const;
  // Forgets what was gathered.
  Status Forget();
  // Makes what was gathered visible, and forgets it. After an error the version may be there all
  // the same: ask FindLastEpoch first when it is repeated.
  Status Commit(model::Epoch epoch);
  // Merges small files, deletes removed ones and old versions, writes a checkpoint: each when due.
  Result<Maintenance> Maintain();

 private:
  Status Create();
  Status StartGathering();
  Result<model::Schema> CheckTable() const;
  Status AddMissing(const model::Schema& missing);
  Result<model::Schema> Stored() const;
  Result<Actions> CatchUp();
  Result<Actions> CatchUpAsTheOnlyOne(model::Epoch epoch);
  Status Append(Actions actions, model::Epoch epoch);
  Status Change(Actions actions, model::Epoch epoch);
  bool AllThere(const std::vector<AddFile>& files) const;
  std::vector<RemoveFile> Removed(const std::vector<AddFile>& files, bool data_change) const;
  Result<bool> Replace(const std::vector<AddFile>& files);
  Result<int64_t> DeleteRemoved(int64_t before_ms);
  int64_t OldestKeptMs(const std::string& property) const;
  std::string Application() const;
  CommitInfo Info(const std::string& operation) const;
  int64_t NowMs() const;

  env::FileSystem& files_;
  env::Clock& clock_;
  const DeltaSettings settings_;
  const model::Schema columns_;
  std::unique_ptr<TableStore> store_;
  std::unique_ptr<DataFiles> data_;
  // These use the connection of data_. Of the last two, one is there.
  std::unique_ptr<DeltaLog> log_;
  std::unique_ptr<GatheredRows> rows_;
  std::unique_ptr<KeyChanges> changes_;
};

}  // namespace millrace::connectors::delta
