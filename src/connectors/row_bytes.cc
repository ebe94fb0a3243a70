#include "connectors/row_bytes.h"

namespace millrace::connectors {

namespace {

void AppendText(std::string_view text, std::string& out) {
  const auto size = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof(size));
  out.append(text);
}

}  // namespace

void AppendValueBytes(duckdb::Vector& vector, duckdb::idx_t count, duckdb::idx_t row,
                      std::string& out) {
  duckdb::UnifiedVectorFormat format;
  const auto physical = vector.GetType().InternalType();
  if (duckdb::TypeIsConstantSize(physical) || physical == duckdb::PhysicalType::VARCHAR) {
    vector.ToUnifiedFormat(count, format);
    const auto index = format.sel->get_index(row);
    const bool valid = format.validity.RowIsValid(index);
    out += valid ? '\1' : '\0';
    if (!valid) return;
    if (physical == duckdb::PhysicalType::VARCHAR) {
      const auto& text = reinterpret_cast<const duckdb::string_t*>(format.data)[index];
      AppendText({text.GetData(), text.GetSize()}, out);
    } else {
      const size_t size = duckdb::GetTypeIdSize(physical);
      out.append(reinterpret_cast<const char*>(format.data) + index * size, size);
    }
    return;
  }
  const duckdb::Value value = vector.GetValue(row);  // nested: rare as a key, so slow is fine
  out += value.IsNull() ? '\0' : '\1';
  if (!value.IsNull()) AppendText(value.ToSQLString(), out);
}

}  // namespace millrace::connectors
