// Turns records of a topic into a Parquet file (project/history/history_file.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "duck/warehouse.h"
#include "format/decoder.h"
#include "log/log.h"
#include "project/history/history_file.h"
#include "project/history/history_place.h"
#include "sql/catalog.h"

namespace millrace::project {

// A table whose history is kept.
struct HistoryTable {
  std::string name;
  std::string topic;
  format::DecoderOptions format;  // of its records; its projection is not looked at
  std::vector<sql::MetadataColumn> metadata;
  bool with_bytes =
      false;  // files hold the bytes of all records, not only of those that are no rows

  // Physical columns, then METADATA columns.
  model::Schema Columns() const;
};

// Writes the committed records of `offsets` of a partition into a file of `directory` in `place`.
// After a crash the file is there, whole, or not at all. `database` does the work, in memory.
// Returns the file. Blocks for as long as decoding takes. Errors: those of Log::Read and of
// Decoder::Prepare, of the place, kIo, kResourceExhausted; may be repeated.
Result<HistoryFile> WriteHistoryFile(log::Log& log, const HistoryTable& table, int partition,
                                     log::OffsetRange offsets, const std::string& directory,
                                     HistoryPlace& place, duck::Warehouse& database);

}  // namespace millrace::project
