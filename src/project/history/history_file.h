// HistoryFile: one Parquet file of a table's history: the records of some offsets of a partition.
//
// Format: a row per record, in the order of offsets; records of aborted transactions are not there.
//   the table's physical columns, then its METADATA columns, by their names
//   mr_partition     INTEGER
//   mr_offset        BIGINT
//   mr_timestamp_ms  BIGINT
//   mr_append_time   BOOLEAN  whether mr_timestamp_ms is when a cluster took the record
//   mr_key           BLOB     NULL: the record has none
//   mr_headers       BLOB     as in Kafka's record format (log/record_headers.h)
//   mr_reason        VARCHAR  NULL: the record is a row. Else its columns are NULL, and this is
//   why;
//                             "": for no fault, it is a comment
//   mr_value         BLOB     its bytes; NULL of a tombstone, and of rows where the files do not
//                             hold them
//
// Name: `<partition>-<from>-<to>-<newest timestamp, ms>-<records that are no rows>.parquet`, the
// offsets with 20 digits. So a listing says what is covered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "log/log.h"
#include "model/schema.h"

namespace millrace::project {

struct HistoryFile {
  std::string directory;
  int partition = 0;
  log::OffsetRange offsets;
  int64_t newest_ms = 0;  // largest timestamp; 0 when it has no records
  int64_t undecoded = 0;  // records that are no rows
  int64_t bytes = 0;

  std::string Name() const;
  std::string Path() const { return directory + "/" + Name(); }
};

// nullopt: not such a name. Fills in neither directory nor bytes.
std::optional<HistoryFile> ParseHistoryFileName(std::string_view name);

// The columns behind those of the table, in their order.
const model::Schema& HistoryColumns();

}  // namespace millrace::project
