// RowCodec: a row of columns <-> bytes, so that equal rows have equal bytes.
//
// Format: a bitmap of the columns that are not NULL ((n + 7) / 8 bytes, bit i of byte i / 8), then
// the values of those columns in order: fixed-size types as they lie in memory (-0.0 as 0.0, every
// NaN alike), strings as a 4-byte length and their bytes, nested types as a 4-byte length and
// DuckDB's serialisation of the value.
// The bytes stay in the state on this machine: native byte order.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <string_view>
#include <vector>

#include "stream/key_table.h"

namespace millrace::stream {

class RowCodec {
 public:
  explicit RowCodec(duckdb::vector<duckdb::LogicalType> types);

  // Chooses the columns that Encode reads: columns[i] of `chunk` has type i of this codec.
  // Valid until the chunk changes.
  void Bind(duckdb::DataChunk& chunk, const std::vector<duckdb::idx_t>& columns);
  // Encodes one row of the bound chunk; the view is valid until the next call.
  std::string_view Encode(duckdb::idx_t row);

  // Encodes rows rows[0..count), one key each.
  void EncodeRows(const uint32_t* rows, size_t count, EncodedKeys& keys) {
    keys.Clear();
    for (size_t i = 0; i < count; i++) keys.Add(Encode(rows[i]));
  }

  // Writes an encoded row to row `row` of out's columns columns[0..n). Returns the bytes consumed.
  size_t Decode(std::string_view bytes, duckdb::DataChunk& out,
                const std::vector<duckdb::idx_t>& columns, duckdb::idx_t row) const;
  // The same without copying texts: `out` points into `bytes`, which must stay where they are for
  // as long as it is used.
  size_t DecodeInPlace(std::string_view bytes, duckdb::DataChunk& out,
                       const std::vector<duckdb::idx_t>& columns, duckdb::idx_t row) const;

  const duckdb::vector<duckdb::LogicalType>& types() const { return types_; }

 private:
  enum class Kind : uint8_t { kFixed, kFloat, kDouble, kString, kNested };
  struct Column {
    Kind kind;
    uint8_t width;  // of kFixed
  };
  uint8_t* Reserve(size_t used, size_t more);
  template <bool in_place>
  size_t DecodeRow(std::string_view bytes, duckdb::DataChunk& out,
                   const std::vector<duckdb::idx_t>& columns, duckdb::idx_t row) const;

  duckdb::vector<duckdb::LogicalType> types_;
  std::vector<Column> columns_;
  size_t fixed_bytes_ = 0;  // bitmap and all fixed columns
  std::vector<duckdb::UnifiedVectorFormat> formats_;
  std::vector<duckdb::Vector*> vectors_;
  std::vector<uint8_t> scratch_;
};

}  // namespace millrace::stream
