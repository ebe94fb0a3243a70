// RowText: a row as a JSON array of its values, for dead letters of rows that are no record.
#pragma once

#include <duckdb.hpp>
#include <string>

#include "base/strings.h"
#include "model/dead_letter.h"

namespace millrace::stream {

inline std::string RowText(duckdb::DataChunk& rows, duckdb::idx_t row) {
  std::string text = "[";
  for (duckdb::idx_t c = 0; c < rows.ColumnCount(); c++) {
    duckdb::Value value = rows.GetValue(c, row);
    if (c) text += ",";
    if (value.IsNull()) {
      text += "null";
    } else if (value.type().IsNumeric() || value.type().id() == duckdb::LogicalTypeId::BOOLEAN) {
      text += value.ToString();
    } else {
      text += JsonQuote(value.ToString());
    }
  }
  return text + "]";
}

// For the first row of `rows`, which a changelog takes away though it never told of it.
inline model::DeadLetter UnknownRow(const std::string& stage, const std::string& job,
                                    duckdb::DataChunk& rows) {
  model::DeadLetter letter;
  letter.stage = stage;
  letter.job = job;
  letter.kind = model::RowErrorKind::kConstraint;
  letter.reason = "takes away a row that is not there";
  letter.payload = RowText(rows, 0);
  return letter;
}

}  // namespace millrace::stream
