#include "format/row_encoder.h"

#include <fmt/format.h>

#include "base/check.h"

namespace millrace::format {

Result<std::vector<ColumnType>> RowEncoder::MakeTypes(const model::Schema& schema) {
  std::vector<ColumnType> types;
  for (const model::Column& column : schema.columns) {
    auto type = MakeColumnType(column.type);
    if (!type.ok()) {
      return std::move(type).status().Annotate(fmt::format("column \"{}\"", column.name));
    }
    types.push_back(*std::move(type));
  }
  return types;
}

void RowEncoder::Bind(duckdb::DataChunk& chunk) {
  MR_CHECK(chunk.ColumnCount() == types_.size(), "the chunk has not the schema's columns");
  views_.clear();
  views_.resize(types_.size());
  for (size_t i = 0; i < types_.size(); i++) {
    // Below a dictionary the children of a nested vector are not addressed by the row.
    if (!types_[i].scalar()) chunk.data[i].Flatten(chunk.size());
    duckdb::Vector::RecursiveToUnifiedFormat(chunk.data[i], chunk.size(), views_[i]);
  }
}

}  // namespace millrace::format
