// IcebergTable: one table of a REST catalog, written by one job.
//
// A commit is one snapshot behind the table's head: Parquet files with the rows that were gathered,
// a manifest that names them, and a manifest list that names it beside those of the head. Its
// summary has "millrace.job" and "millrace.epoch"; the catalog takes it only if the head is still
// the same, so a reader sees all of it or nothing. Where somebody else was faster, or the answer
// got lost, the table is asked again: either one of its snapshots has the epoch, or the same
// manifest is tried behind the new head. With a key the rows are changes (key_overwrite.h), which
// are made anew behind a new head.
//
// Contract: one thread. Errors that another try may mend have Retry::kBackoff; every method may be
// repeated.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/connector.h"
#include "connectors/iceberg/data_writer.h"
#include "connectors/iceberg/key_overwrite.h"
#include "connectors/iceberg/manifest.h"
#include "connectors/iceberg/rest_catalog.h"
#include "env/clock.h"
#include "model/position.h"
#include "model/schema.h"

namespace millrace::connectors::iceberg {

struct TableSettings {
  CatalogSettings catalog;
  s3::Access store;  // what is told of the store, before what the catalog tells
  std::string job;
  std::vector<std::string> partitioned_by;  // of a table that is made
  std::vector<std::string> key;             // empty: rows are only added
  int64_t file_bytes = 0;                   // target size of a file
  std::string spill_directory;
};

struct MaintenanceSettings {
  int64_t snapshots_kept_us = 0;  // older ones are expired
  int64_t orphans_after_us = 0;   // our files that no snapshot has go after this long
};

class IcebergTable {
 public:
  IcebergTable(TableSettings settings, model::Schema columns, env::Clock& clock);

  // A table that is missing is created; columns that it lacks are added.
  Status Open();
  // Of the newest snapshot that the job made; 0: none.
  Result<model::Epoch> LastEpoch();
  // Takes all rows or, on an error, none; with a key also negative weights.
  Status Gather(const SinkBatch& batch);
  int64_t gathered_rows() const;
  int64_t gathered_bytes() const { return writer_->bytes(); }  // 0 with a key
  // Makes what was gathered visible, and forgets it. Nothing gathered: no snapshot.
  Status Commit(model::Epoch epoch);
  // Merges small files, expires old snapshots, deletes files that nobody needs. What somebody else
  // gets in the way of is left for the next time.
  Status Maintain(const MaintenanceSettings& settings);

 private:
  // What is written for a commit that is not done yet.
  struct Pending {
    int64_t snapshot_id = 0;
    ManifestFile manifest;
    std::vector<DataFile> files;
  };

  Status Reload();
  // Makes sure that the store is one that can be written, and lets the writer in.
  Status UseStore();
  bool CredentialsMayHaveEnded() const;
  Status CommitPending(model::Epoch epoch);
  Status CommitChanges(model::Epoch epoch);
  bool IsAsDescribed() const;
  Status CheckSupported() const;
  // Makes the writer's columns those of the table, after adding what the table lacks.
  Status Prepare();
  Status WritePending();
  // Tries once, behind the head of table_.
  Status TryCommit(model::Epoch epoch);
  Status Forget();
  Result<std::vector<ManifestFile>> ManifestsOfHead();

  const TableSettings settings_;
  const model::Schema columns_;
  env::Clock& clock_;
  RestCatalog catalog_;
  TableMetadata table_;  // as it was last seen
  std::unique_ptr<DataWriter> writer_;
  std::vector<PartitionTransform> partition_;  // of the writer
  std::unique_ptr<KeyOverwrite> overwrite_;    // null: there is no key
  std::optional<Pending> pending_;
  bool asks_again_ = false;         // the last commit failed, and may have been done
  bool failed_ = false;             // so did the last attempt, wherever
  s3::Access store_;                // that the writer knows
  int64_t orphans_sought_us_ = -1;  // wall clock; -1: not yet
  int described_schema_ = -1;
  int described_spec_ = -1;
};

}  // namespace millrace::connectors::iceberg
