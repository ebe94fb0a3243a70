// LakeTable: one table of a DuckLake, written by one job.
//
// A commit is one DuckLake transaction: a Parquet file with the rows that were gathered (a few,
// when they exceed the target size or are partitioned) and a snapshot whose extra info is
// {"job": "orders", "table": …, "epoch": 12}. So a reader sees all of it or nothing, whatever the
// process does, and what was committed last is asked of the snapshots.
//
// Contract: one thread. A DuckDB of its own, in memory, gathers the rows. Errors that another try
// may mend have Retry::kBackoff; every method may be repeated. Source: ducklake.select, the
// specification of DuckLake 0.3 and the functions of DuckDB's extension.
#pragma once

#include <duckdb.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/gathered_rows.h"
#include "duck/warehouse.h"
#include "model/position.h"
#include "model/schema.h"

namespace millrace::connectors::ducklake {

struct LakeSettings {
  std::string catalog;                       // as after "ducklake:" in ATTACH; paths are absolute
  std::string data_path;                     // directory or "s3://…/"
  std::map<std::string, std::string> store;  // of CREATE SECRET (TYPE s3); empty: none
  std::string schema;                        // within the lake
  std::string table;
  std::vector<std::string> partitioned_by;
  std::string spill_directory;
  int64_t file_bytes = 0;         // target size of a file
  int64_t snapshots_kept_us = 0;  // older ones are expired
  int64_t cleanup_delay_us = 0;   // files that no snapshot has go after this long
  int64_t orphans_after_us = 0;   // files that no catalog knows go after this long
};

// What a maintenance did.
struct Maintenance {
  int64_t files_merged = 0;
  int64_t snapshots_expired = 0;
  int64_t files_deleted = 0;
};

class LakeTable {
 public:
  LakeTable(LakeSettings settings, model::Schema columns);

  // Attaches the lake. A table that is missing is created; columns that it lacks are added, and
  // types made wider where DuckLake can.
  Status Open();
  // Of the newest snapshot that `job` made; 0: none.
  Result<model::Epoch> LastEpoch(const std::string& job);
  // Those of the next commit; forgotten by it.
  GatheredRows& rows() { return *rows_; }
  // Makes what was gathered visible, and forgets it.
  Status Commit(const std::string& job, model::Epoch epoch);
  // Merges small files, expires old snapshots, deletes files that nobody needs. The newest snapshot
  // of every job stays, however old: it says how far that job came.
  Result<Maintenance> Maintain();

 private:
  Status Attach();
  Status CreateTable();
  Status EvolveTable();
  std::string UnusedFor() const;
  Status Execute(const std::string& sql);
  Result<duck::QueryResult> Query(const std::string& sql);

  const LakeSettings settings_;
  const model::Schema columns_;
  const std::string table_;  // quoted
  std::unique_ptr<duck::Warehouse> database_;
  std::unique_ptr<duckdb::Connection> connection_;
  std::unique_ptr<GatheredRows> rows_;
};

}  // namespace millrace::connectors::ducklake
