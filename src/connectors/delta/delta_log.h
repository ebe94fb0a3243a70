// DeltaLog: the transaction log of a Delta table.
//
//   _delta_log/00000000000000000012.json                 what version 12 changed
//   _delta_log/00000000000000000010.checkpoint.parquet   the table as of version 10
//   _delta_log/_last_checkpoint                          {"version": 10, "size": …}
//
// A version belongs to whoever makes its file first (table_store.h), and is there as a whole or not
// at all.
//
// Contract: one thread, but any number of other writers, of any kind, that keep to that. Every
// method may be repeated.
// Source: PROTOCOL.md of delta-io/delta, sections "Delta Log Entries", "Checkpoints", "Action
// Reconciliation" and "Metadata Cleanup".
#pragma once

#include <duckdb.hpp>
#include <map>
#include <string>

#include "base/status.h"
#include "connectors/delta/actions.h"
#include "connectors/delta/table_store.h"

namespace millrace::connectors::delta {

// The table as of one version.
struct Snapshot {
  int64_t version = -1;  // -1: there is no table
  Protocol protocol;
  Metadata metadata;
  std::map<std::string, AddFile> files;                // by path
  std::map<std::string, RemoveFile> tombstones;        // by path
  std::map<std::string, ApplicationVersion> versions;  // by application

  void Apply(const Actions& actions);
};

class DeltaLog {
 public:
  // `connection` reads and writes checkpoints; both references outlive the log.
  DeltaLog(TableStore& store, duckdb::Connection& connection, const std::string& table_path);

  // Reads the newest checkpoint and the versions after it. Error kCorruption, also for a log that
  // begins with a kind of checkpoint that is not read here.
  Status Open();
  const Snapshot& snapshot() const { return snapshot_; }
  // Takes over the versions that came since, and says what they did. When others have deleted the
  // log beyond the version known here, all of the table counts as new.
  Result<Actions> Refresh();
  // Makes the next version. kAlreadyExists: another writer has made it, or in a remote store an
  // earlier try; Refresh, then perhaps try again. After any other error it may be there all the
  // same.
  Status Commit(const Actions& actions);

  // Versions since the newest checkpoint.
  int64_t versions_to_checkpoint() const { return snapshot_.version - checkpoint_; }
  // Writes the snapshot as a checkpoint.
  Status Checkpoint();
  // To be called when the file is gone: the next checkpoint will not tell of it.
  void ForgetTombstone(const std::string& path) { snapshot_.tombstones.erase(path); }
  // Deletes the log up to its newest checkpoint from before `before_ms`, if there is one.
  Status Expire(int64_t before_ms);

 private:
  std::string VersionPath(int64_t version, const std::string& suffix) const;
  Result<bool> Reaches() const;
  Result<Actions> ReadVersion(int64_t version) const;
  Status ReadNewVersions(Actions& all);
  Status ReadCheckpoint(int64_t version, const std::vector<std::string>& parts);

  TableStore& store_;
  duckdb::Connection& connection_;
  const std::string directory_;
  Snapshot snapshot_;
  int64_t checkpoint_ = -1;  // version of the newest one
};

}  // namespace millrace::connectors::delta
