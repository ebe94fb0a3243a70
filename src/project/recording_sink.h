// RecordingSink: the sink of a job under test: remembers what was committed, change by change, and,
// where the job's results go to a topic that other jobs read, writes them there too.
//
// Contract: a Recording outlives the sinks that write to it, as a server outlives a job that
// crashes: what was written and not committed is gone with the sink, the rest and the epoch stay.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/connector.h"

namespace millrace::project {

// A value as text, the same for equal values; nothing: NULL.
using CellText = std::optional<std::string>;
CellText TextOf(const duckdb::Value& value);

struct Recording {
  struct Change {
    std::vector<CellText> row;
    int weight = 1;  // +1 the row comes, -1 it is taken back
  };
  model::Schema schema;
  std::vector<std::string> primary_key;
  std::vector<Change> changes;
  model::Epoch epoch = 0;

  // The table that the changes make: by primary key the last row of each, else all of them.
  std::vector<std::vector<CellText>> Rows() const;
};

// `inner` null: the recording is all there is.
std::unique_ptr<connectors::Sink> NewRecordingSink(const connectors::TableContext& table,
                                                   std::unique_ptr<connectors::Sink> inner,
                                                   Recording& recording);

}  // namespace millrace::project
