// Columns that tables got from their records ('<format>.schema-drift' = 'add-column'), as they are
// kept from one start to the next.
//
// Format of <data directory>/drift.json, replaced in one step, in the order in which they came:
//   {"columns": [{"table", "column", "type" (as in CREATE TABLE), "topic", "offset", "found_ms"}]}
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "model/position.h"
#include "sql/statement.h"

namespace millrace::project {

struct AddedColumn {
  std::string table;
  std::string column;
  std::string type;
  std::string topic;         // "" when the table is none
  model::Offset offset = 0;  // of the first record that had it, in its partition
  int64_t found_ms = 0;
};

class AddedColumns {
 public:
  // Error: kCorruption.
  static Result<AddedColumns> Parse(const std::string& json);
  std::string ToJson() const;

  // Appends those of the definition's table, but for names that it declares.
  Status AppendTo(sql::CreateTable& definition) const;
  // Null: there is none.
  AddedColumn* Find(const std::string& table, const std::string& column);

  std::vector<AddedColumn> columns;
};

}  // namespace millrace::project
