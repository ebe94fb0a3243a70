// AvroRowReader: runs an AvroPlan over the bytes of one record, into one row.
//
// Contract: no bytes are trusted: whatever they say, this ends, reads nothing behind them and makes
// no more elements than there are bytes. So an array or map whose elements take no bytes (nulls) is
// taken only as far as that.
#pragma once

#include <span>
#include <string_view>

#include "format/avro/avro_cursor.h"
#include "format/avro/avro_plan.h"

namespace millrace::format {

class AvroRowReader {
 public:
  // `columns` as given to AvroPlan::Make. False: fault() says why; record_index is not set.
  bool Read(const AvroPlan& plan, std::string_view bytes, std::span<const TargetColumn> columns,
            duckdb::idx_t row);
  const model::RowError& fault() const { return fault_; }

 private:
  static constexpr int kDepthMax = 500;

  bool ReadValue(const AvroStep& step, ColumnWriter* writer, duckdb::idx_t row);
  bool ReadScalar(const AvroStep& step, ColumnWriter& writer, duckdb::idx_t row);
  bool ReadText(const AvroStep& step, ColumnWriter& writer, duckdb::idx_t row);
  bool ReadStruct(const AvroStep& step, ColumnWriter& writer, duckdb::idx_t row);
  bool ReadMissing(const AvroStep::Missing& missing, ColumnWriter* writer, duckdb::idx_t row);
  bool ReadList(const AvroStep& step, ColumnWriter& writer, duckdb::idx_t row);
  bool ReadMap(const AvroStep& step, ColumnWriter& writer, duckdb::idx_t row);
  // How many elements come next, 0 at the end.
  bool ReadBlock(int64_t& elements);
  bool ReadBranch(const AvroType& type, size_t& branch);

  bool Skip(const AvroType& type, int depth = 0);

  bool StoreNumber(const AvroStep& step, int64_t value, ColumnWriter& writer, duckdb::idx_t row);
  bool StoreDecimal(const AvroStep& step, std::string_view bytes, ColumnWriter& writer,
                    duckdb::idx_t row);

  // The bytes end inside a value, or are none of this type.
  bool Broken(const AvroType& type);
  bool OutOfRange(std::string_view shown, const ColumnWriter& writer);
  bool Fault(model::RowErrorKind kind, std::string message);
  // Where the fault is, from the inside out.
  void At(std::string part) { path_ = std::move(part) + path_; }

  AvroCursor cursor_{std::string_view()};
  uint64_t elements_left_ = 0;
  model::RowError fault_;
  std::string path_;
};

}  // namespace millrace::format
