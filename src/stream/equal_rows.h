// EqualRows: which rows of a chunk are the same, so that one of them can stand for all.
//
// An aggregation that only counts needs a row and how often it was there. Before rows are
// multiplied (by the windows of HOP) that saves most of the work where a few keys are frequent.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <string>
#include <vector>

#include "stream/key_table.h"
#include "stream/row_codec.h"

namespace millrace::stream {

class EqualRows {
 public:
  // `columns`: of the chunks, of these types, are compared; all others may differ.
  EqualRows(std::vector<duckdb::idx_t> columns, duckdb::vector<duckdb::LogicalType> types);

  // `lists`: vectors of lists of fixed-size values that are compared too. Rows in `alone`
  // (ascending row numbers) are not merged with others.
  void Find(duckdb::DataChunk& chunk, duckdb::DataChunk& lists, const std::vector<uint32_t>& alone);

  // Row first[i] stands for count[i] rows; ascending.
  const std::vector<uint32_t>& first() const { return first_; }
  const std::vector<int32_t>& count() const { return count_; }

 private:
  std::vector<duckdb::idx_t> columns_;
  RowCodec codec_;
  EncodedKeys keys_;  // of each group
  std::vector<uint32_t> hashes_;
  std::vector<uint16_t> buckets_;  // group + 1; 0: empty
  std::string key_;
  std::vector<uint32_t> first_;
  std::vector<int32_t> count_;
};

}  // namespace millrace::stream
