// Encoder: rows -> bytes, one implementation per format. The inverse of format/decoder.h.
#pragma once

#include <duckdb.hpp>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "model/schema.h"

namespace millrace::format {

class Encoder {
 public:
  virtual ~Encoder() = default;
  // Appends the encoding of row `row` of `chunk` (columns as the schema) to `out`, no newline.
  virtual void EncodeRow(duckdb::DataChunk& chunk, duckdb::idx_t row, std::string& out) = 0;
};

Result<std::unique_ptr<Encoder>> NewEncoder(const std::string& format, const model::Schema& schema,
                                            const std::map<std::string, std::string>& options);

}  // namespace millrace::format
