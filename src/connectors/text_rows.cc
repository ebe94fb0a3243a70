#include "connectors/text_rows.h"

#include <duckdb/common/vector_operations/vector_operations.hpp>

namespace millrace::connectors {

using duckdb::FlatVector;
using duckdb::idx_t;

TextRows::TextRows(const model::Schema& schema, const std::vector<size_t>& columns) {
  for (size_t c : columns) {
    names_.push_back(schema.columns[c].name);
    types_.push_back(schema.columns[c].type);
  }
  if (types_.empty()) return;
  texts_.Initialize(
      duckdb::Allocator::DefaultAllocator(),
      duckdb::vector<duckdb::LogicalType>(types_.size(), duckdb::LogicalType::VARCHAR));
}

void TextRows::Add(uint32_t key, const std::vector<std::optional<std::string_view>>& values,
                   LookupOutput& out) {
  const idx_t row = keys_.size();
  for (size_t c = 0; c < types_.size(); c++) {
    if (!values[c] || duckdb::Value::StringIsValid(values[c]->data(), values[c]->size())) continue;
    return out.OnBad(key, "column \"" + names_[c] + "\" is no valid UTF-8");
  }
  for (size_t c = 0; c < types_.size(); c++) {
    if (!values[c]) {
      FlatVector::SetNull(texts_.data[c], row, true);
      continue;
    }
    FlatVector::GetData<duckdb::string_t>(texts_.data[c])[row] =
        duckdb::StringVector::AddStringOrBlob(texts_.data[c], values[c]->data(), values[c]->size());
  }
  keys_.push_back(key);
  if (keys_.size() == STANDARD_VECTOR_SIZE) Flush(out);
}

void TextRows::Flush(LookupOutput& out) {
  const idx_t count = keys_.size();
  if (count == 0) return;
  duckdb::DataChunk rows;
  std::vector<uint8_t> bad(count, 0);
  bool some_bad = false;
  if (!types_.empty()) rows.Initialize(duckdb::Allocator::DefaultAllocator(), types_);
  for (size_t c = 0; c < types_.size(); c++) {
    auto& text = texts_.data[c];
    if (types_[c].id() == duckdb::LogicalTypeId::VARCHAR) {
      rows.data[c].Reference(text);
      continue;
    }
    std::string why;
    if (duckdb::VectorOperations::DefaultTryCast(text, rows.data[c], count, &why)) continue;
    for (idx_t row = 0; row < count; row++) {
      if (FlatVector::IsNull(text, row) || !FlatVector::IsNull(rows.data[c], row)) continue;
      out.OnBad(keys_[row], "column \"" + names_[c] + "\" is \"" +
                                text.GetValue(row).ToString().substr(0, 100) + "\", which is no " +
                                types_[c].ToString());
      bad[row] = 1;
      some_bad = true;
    }
  }
  rows.SetCardinality(count);
  if (some_bad) {
    duckdb::SelectionVector good(count);
    std::vector<uint32_t> keys;
    for (idx_t row = 0; row < count; row++) {
      if (bad[row]) continue;
      good.set_index(keys.size(), row);
      keys.push_back(keys_[row]);
    }
    rows.Slice(good, keys.size());
    rows.Flatten();
    keys_ = std::move(keys);
  }
  if (!keys_.empty()) out.OnRows(rows, keys_);
  texts_.Reset();
  keys_.clear();
}

}  // namespace millrace::connectors
