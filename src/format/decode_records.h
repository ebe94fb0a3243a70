// The loop of decoders that make a row, or an error, of every record.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "format/column_writer.h"
#include "format/decoder.h"

namespace millrace::format {

// As Decoder::Decode. `decode_one(record, row)` writes a record's values as row number `row`, or
// leaves in `fault` why it could not and gives false; what it had written of the row does not
// count.
template <typename DecodeOne>
void DecodeRecords(std::span<const model::Record> records, duckdb::DataChunk& out,
                   std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors,
                   std::vector<ColumnWriter>& writers, model::RowError& fault,
                   DecodeOne&& decode_one) {
  MR_CHECK(records.size() <= STANDARD_VECTOR_SIZE, "too many records for one chunk");
  MR_CHECK(out.ColumnCount() == writers.size(), "the chunk has not the projected columns");
  for (size_t i = 0; i < writers.size(); i++) writers[i].Bind(out.data[i]);
  row_record.clear();
  for (uint32_t i = 0; i < records.size(); i++) {
    if (decode_one(records[i], row_record.size())) {
      row_record.push_back(i);
    } else {
      fault.record_index = i;
      errors.push_back(std::move(fault));
      fault = {};
    }
  }
  for (ColumnWriter& writer : writers) writer.Finish();
  out.SetCardinality(row_record.size());
}

}  // namespace millrace::format
