// ColumnWriter: writes values into one flat DuckDB vector and, below it, the vectors of its
// elements, fields, keys and values.
//
// Contract: Bind before a chunk is filled and Finish after it; the vector may not be touched by
// others in between. A slot may be written more than once, the last value counts; a slot that was
// never written is undefined, so every row needs a value or SetNull. Text that is written must be
// followed by 16 readable bytes.
#pragma once

#include <cstring>
#include <duckdb.hpp>
#include <string_view>
#include <vector>

#include "format/column_type.h"
#include "format/value_parser.h"
#include "model/wanted_fields.h"

namespace millrace::format {

class ColumnWriter {
 public:
  // `type` must outlive the writer.
  explicit ColumnWriter(const ColumnType& type, const model::WantedFields& wanted = {});

  const ColumnType& type() const { return *type_; }
  // A field that nobody reads: it is NULL in every row, and may not be written to.
  bool skipped() const { return skipped_; }

  void Bind(duckdb::Vector& vector);
  void Finish();

  void SetNull(duckdb::idx_t row);
  bool IsNull(duckdb::idx_t row) const {
    return validity_->GetData() != nullptr && !validity_->RowIsValid(row);
  }

  // Scalars: parses the text as the column's type; for kString and kBytes this takes the text as it
  // is given (kBytes: base64).
  ParseResult WriteText(duckdb::idx_t row, std::string_view text);

  // The caller knows the type: T is the vector's physical type.
  template <typename T>
  void Store(duckdb::idx_t row, T value) {
    reinterpret_cast<T*>(data_)[row] = value;
    SetValid(row);
  }
  void StoreString(duckdb::idx_t row, std::string_view text);
  // kDecimal: the value times 10^scale, which fits the type.
  void StoreDecimal(duckdb::idx_t row, duckdb::hugeint_t value);

  // Strings that are built in place: Reserve gives `size` writable bytes (and 16 to spare), of
  // which Commit takes the first `size`. The reservation ends with the next call of either.
  char* ReserveString(size_t size) {
    if (static_cast<size_t>(heap_end_ - heap_) < size + kSlack) [[unlikely]]
      return NewBlock(size);
    return heap_;
  }
  void CommitString(duckdb::idx_t row, char* text, size_t size);

  // kStruct: field i; kMap: 0 is the key, 1 the value; kList: 0 is the element.
  ColumnWriter& child(size_t i) { return children_[i]; }
  // kStruct: bit i is set if field i, of the first 64, is not skipped.
  uint64_t wanted_fields() const { return wanted_fields_; }
  // Lists and maps. BeginElement makes room and gives the element's row in the children; the
  // element counts once EndElement was called.
  duckdb::idx_t BeginElement();
  void EndElement() { list_size_++; }
  duckdb::idx_t list_size() const { return list_size_; }
  // The row is the elements from `first` to list_size().
  void StoreList(duckdb::idx_t row, duckdb::idx_t first) {
    Store(row, duckdb::list_entry_t(first, list_size_ - first));
  }
  // The key of an element of a map.
  std::string_view Key(duckdb::idx_t element) {
    const auto& key = reinterpret_cast<const duckdb::string_t*>(children_[0].data_)[element];
    return {key.GetData(), key.GetSize()};
  }

  // The row of a struct is not NULL; its fields are written one by one.
  void SetValid(duckdb::idx_t row) {
    if (validity_->GetData() != nullptr) validity_->SetValid(row);
  }

 private:
  static constexpr size_t kSlack = 16;

  char* NewBlock(size_t size);
  void BindChildren();

  const ColumnType* type_;
  bool skipped_ = false;
  uint64_t wanted_fields_ = 0;
  duckdb::Vector* vector_ = nullptr;
  duckdb::data_ptr_t data_ = nullptr;
  duckdb::ValidityMask* validity_ = nullptr;
  // Strings too long to be inlined are carved out of blocks that the vector's own heap owns: one
  // call into DuckDB per block instead of one per string.
  char* heap_ = nullptr;
  char* heap_end_ = nullptr;
  size_t block_size_ = 0;
  duckdb::idx_t list_size_ = 0;
  duckdb::idx_t list_capacity_ = 0;
  std::vector<ColumnWriter> children_;
};

}  // namespace millrace::format
