// Topics as tables of the warehouse's SQL: every embedded 'kafka' or 'upsert-kafka' table by its
// name; records that do not decode are left out, and of a table whose rows change (a changelog
// format, a PRIMARY KEY as the records' key) what is left of them is shown. And
// millrace.dead_letters and millrace.dead_letter_audit over the topics of these names.
#pragma once

#include "connectors/connector.h"
#include "duck/warehouse.h"
#include "format/decoder.h"
#include "log/log.h"
#include "project/dead_letter_book.h"
#include "project/project.h"

namespace millrace::project {

class HistoryKeeper;

// A table over a topic of the embedded log.
struct TopicTable {
  const sql::Table* table = nullptr;
  format::DecoderOptions format;  // of its records: all but what to project
  bool changes = false;           // records also take rows away
};

// Of the services: schema registry.
Result<std::vector<TopicTable>> TopicTablesOf(const Project& project,
                                              const connectors::Services& services);

// Of the services: log, warehouse and schema registry. `history` outlives the warehouse.
Status RegisterTopicTables(const Project& project, const connectors::Services& services,
                           const HistoryKeeper& history);
// `book` tells state and attempts of each letter; it outlives the warehouse.
Status RegisterDeadLetterTables(log::Log& log, DeadLetterBook& book, duck::Warehouse& warehouse);

}  // namespace millrace::project
