// AskSink: the rows of a sink as they are now, for a trace: embedded tables and topics by SQL,
// servers by key (connectors/lookup.h).
//
// Contract: one thread. Blocks while a server is asked; changes nothing there.
#pragma once

#include <string>
#include <vector>

#include "project/trace.h"

namespace millrace::project {

// What a job made of a record, as its sink takes it.
struct MadeRows {
  const TraceRows& rows;       // columns by the sink's names
  std::vector<bool> own = {};  // per column: no other record has a part in it
};

struct SinkAnswer {
  bool asked = false;                 // there was something to ask for
  std::vector<std::string> found_by;  // columns; empty: nothing tells its rows apart
  TraceRows rows;
  std::vector<std::string> differences;  // where a row is not as it was made
  std::string note;                      // why it could not be asked; "": it could
};

// By the columns of the sink's key where the record decides them, else by all that it decides.
Result<SinkAnswer> AskSink(const Project& project, const sql::Table& sink, const MadeRows& made,
                           const AskSql& ask);

// The answer to a statement. Errors: those of `ask`.
Result<TraceRows> AskRows(const AskSql& ask, const std::string& sql);

// By which name SQL finds the rows of a table; "": it cannot read them.
std::string NameInSql(const Project& project, const sql::Table& table);

}  // namespace millrace::project
