// What source and sink over the embedded log share: the topic of a table, and notes that survive a
// crash in small topics of their own.
#pragma once

#include <optional>
#include <string>

#include "connectors/connector.h"
#include "log/log.h"

namespace millrace::connectors::kafka {

// Creates the table's topic if it is missing; true when this call, or one before a crash for the
// same job and table, created it: then no record can be older than the table.
Result<bool> EnsureTopic(const TableContext& table);

// A stable 63-bit number for (job, table): the sink's producer id.
int64_t ProducerId(const TableContext& table);

// The last record of a small topic that only one (job, table) writes. The log keeps at least the
// newest record of such a topic: retention is by size and never takes the active segment.
class Note {
 public:
  // `kind` tells several notes of one table apart.
  Note(const TableContext& table, const std::string& kind);
  // Empty when it was never written. Error kCorruption when it belongs to another job.
  Result<std::optional<std::string>> Read() const;
  // Durable on return.
  Status Write(const std::string& text) const;

 private:
  log::Log* log_;
  std::string topic_;
  std::string owner_;  // key of every record
};

}  // namespace millrace::connectors::kafka
