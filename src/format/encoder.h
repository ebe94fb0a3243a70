// Encoder: rows -> bytes, one implementation per format. The inverse of format/decoder.h.
//
// Contract: one thread at a time. Never fails: a value that the format cannot carry was refused by
// NewEncoder, with its column type. Vectors may be of any kind (flat, constant, dictionary).
#pragma once

#include <duckdb.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/schema.h"

namespace millrace::format {

class Encoder {
 public:
  virtual ~Encoder() = default;
  // Appends the encoding of row `row` of `chunk` (columns as the schema) to `out`, no newline.
  virtual void EncodeRow(duckdb::DataChunk& chunk, duckdb::idx_t row, std::string& out) = 0;
  // Appends all rows of `chunk` to `out`, each followed by `separator` (may be empty), and the end
  // of each row (its offset in `out`, before the separator) to `ends`. Several times faster than
  // EncodeRow, which has to look at the chunk's vectors anew for every row.
  virtual void EncodeChunk(duckdb::DataChunk& chunk, std::string_view separator, std::string& out,
                           std::vector<size_t>& ends) = 0;
  // As EncodeRow, for a row that comes or (`comes` false) is taken away. Only the formats whose
  // FormatSpec::changelog says so can tell the latter.
  virtual void EncodeChange(duckdb::DataChunk& chunk, duckdb::idx_t row, bool comes,
                            std::string& out);
};

// `options`: the table's WITH options of this format ("json.…").
// Errors: kUnknownOption for a format or an option nobody knows, kBadOption, kUnsupported for a
// column type that the format cannot carry.
Result<std::unique_ptr<Encoder>> NewEncoder(const std::string& format, const model::Schema& schema,
                                            const std::map<std::string, std::string>& options);

}  // namespace millrace::format
