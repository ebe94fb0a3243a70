// RowText: a row as a JSON array of its values, for dead letters of rows that are no record.
#pragma once

#include <duckdb.hpp>
#include <string>

#include "base/strings.h"

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

}  // namespace millrace::stream
