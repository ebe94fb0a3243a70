// RowEncoder: what the encoders share: the columns' types, and a chunk's vectors looked at once for
// all of its rows.
#pragma once

#include <vector>

#include "format/column_type.h"
#include "format/encoder.h"

namespace millrace::format {

class RowEncoder : public Encoder {
 public:
  void Bind(duckdb::DataChunk& chunk) final;
  void EncodeBound(duckdb::idx_t row, std::string& out) final { WriteRow(row, out); }

 protected:
  using ColumnView = duckdb::RecursiveUnifiedVectorFormat;

  // Errors: kUnsupported for a column type, naming the column.
  static Result<std::vector<ColumnType>> MakeTypes(const model::Schema& schema);

  explicit RowEncoder(std::vector<ColumnType> types) : types_(std::move(types)) {}

  // Appends row `row` of views().
  virtual void WriteRow(duckdb::idx_t row, std::string& out) = 0;

  const std::vector<ColumnType>& types() const { return types_; }
  const std::vector<ColumnView>& views() const { return views_; }

 private:
  std::vector<ColumnType> types_;
  std::vector<ColumnView> views_;
};

}  // namespace millrace::format
