// What several sinks refuse in the same words.
#pragma once

#include <string>
#include <vector>

#include "connectors/connector.h"

namespace millrace::connectors {

// kUnknownColumn when `names`, of a clause like PARTITIONED BY, has a column that the table has
// not.
Status CheckNames(const TableContext& table, const std::vector<std::string>& names,
                  const std::string& clause);
// Whether a row of the batch is taken back.
bool TakesRowsBack(const SinkBatch& batch);
// The error of a table that cannot take back what it got; why, and what to do, is for the sink to
// add.
Status TakesNewRowsOnly(const TableContext& table);

}  // namespace millrace::connectors
