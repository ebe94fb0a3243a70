// Finds out which of many rows a PostgreSQL server refuses, by halving.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/jdbc/postgres_client.h"

namespace millrace::connectors::jdbc {

// True where the row is to blame, and would be each time.
bool IsAboutRow(const Status& status);

struct RefusedRow {
  size_t row = 0;
  Status why;  // IsAboutRow

  std::string Column() const;  // that the server names; "" when it names none
  std::string Reason() const;  // its words on one line, without where in the COPY it was
};

// Within the open transaction of `client`: has `apply` write rows 0 … count - 1, all but those that
// the server refuses, and returns these, in order. `apply` may be called any number of times with
// some of the rows; what it did before an error about a row is rolled back. Constraints are checked
// at the end of each statement, deferred ones too. A row that is refused only because it refers to
// a row that comes later is tried again; rows that refer to each other in a circle are refused
// where they are not tried together. Errors: those of `apply` that are not about rows.
using ApplyRows = std::function<Status(std::span<const size_t> rows)>;
Result<std::vector<RefusedRow>> ApplyAllBut(PostgresClient& client, size_t count,
                                            const ApplyRows& apply);

}  // namespace millrace::connectors::jdbc
