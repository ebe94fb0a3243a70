// millrace.topic_history: what of which topics is kept as Parquet.
#pragma once

#include "duck/warehouse.h"
#include "project/history/history_keeper.h"

namespace millrace::project {

// `keeper` outlives the warehouse.
Status RegisterHistoryRows(const HistoryKeeper& keeper, log::Log& log, duck::Warehouse& warehouse);

}  // namespace millrace::project
