#include "format/raw_encoder.h"

#include "format/raw_decoder.h"

namespace millrace::format {

Result<std::unique_ptr<Encoder>> RawEncoder::Create(const model::Schema& schema) {
  MR_ASSIGN_OR_RETURN(ColumnType type, RawColumn(schema));
  return std::unique_ptr<Encoder>(new RawEncoder({std::move(type)}));
}

void RawEncoder::WriteRow(duckdb::idx_t row, std::string& out) {
  const auto& column = views()[0].unified;
  const duckdb::idx_t index = column.sel->get_index(row);
  if (!column.validity.RowIsValid(index)) return;
  const auto& value = duckdb::UnifiedVectorFormat::GetData<duckdb::string_t>(column)[index];
  out.append(value.GetData(), value.GetSize());
}

}  // namespace millrace::format
