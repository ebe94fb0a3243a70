// Turns records of a topic into a Parquet file (project/history/history_file.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "duck/warehouse.h"
#include "format/decoder.h"
#include "log/log.h"
#include "project/history/history_file.h"
#include "sql/catalog.h"

namespace millrace::project {

// A table whose history is kept.
struct HistoryTable {
  std::string name;
  std::string topic;
  format::DecoderOptions format;  // of its records; its projection is not looked at
  std::vector<sql::MetadataColumn> metadata;

  // Physical columns, then METADATA columns.
  model::Schema Columns() const;
};

// Writes the committed records of `offsets` of a partition into a file of `directory`, which
// exists: under another name first, synced, then renamed. After a crash the file is there, whole,
// or not at all; what it left is `*.tmp`. `database` does the work, in memory. Returns the file.
// Blocks for as long as decoding takes. Errors: those of Log::Read and of Decoder::Prepare, kIo,
// kResourceExhausted; may be repeated.
Result<HistoryFile> WriteHistoryFile(log::Log& log, const HistoryTable& table, int partition,
                                     log::OffsetRange offsets, const std::string& directory,
                                     duck::Warehouse& database);

}  // namespace millrace::project
