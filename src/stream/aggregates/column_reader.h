// ColumnReader: reads one column of a chunk by row, whatever the vector's shape.
#pragma once

#include <duckdb.hpp>

namespace millrace::stream {

class ColumnReader {
 public:
  ColumnReader(duckdb::DataChunk& chunk, int column) {
    chunk.data[static_cast<size_t>(column)].ToUnifiedFormat(chunk.size(), format_);
  }
  bool IsValid(uint32_t row) const {
    return format_.validity.RowIsValid(format_.sel->get_index(row));
  }
  template <typename T>
  const T& Get(uint32_t row) const {
    return reinterpret_cast<const T*>(format_.data)[format_.sel->get_index(row)];
  }

 private:
  duckdb::UnifiedVectorFormat format_;
};

}  // namespace millrace::stream
