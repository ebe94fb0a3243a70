// RawEncoder: the value of the table's only column, STRING or BYTES, as it is. NULL has no bytes,
// and so cannot be told from an empty value.
#pragma once

#include <memory>

#include "format/row_encoder.h"

namespace millrace::format {

class RawEncoder : public RowEncoder {
 public:
  // Errors: kUnsupported unless there is one column, STRING or BYTES.
  static Result<std::unique_ptr<Encoder>> Create(const model::Schema& schema);

 protected:
  void WriteRow(duckdb::idx_t row, std::string& out) override;

 private:
  using RowEncoder::RowEncoder;
};

}  // namespace millrace::format
