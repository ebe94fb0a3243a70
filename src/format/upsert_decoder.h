// UpsertDecoder: records whose key is the table's PRIMARY KEY -> rows with weights: a record with a
// value is the new row of its key, one without (a tombstone) takes the row of its key away.
//
// Key and value have a format each. Columns of the key come from the record's key; with
// `value_has_key` a row takes all of its columns from the value, as in Flink.
//
// Contract: as format/decoder.h. A row that is taken away has the columns of its key; the others
// are NULL.
#pragma once

#include <memory>
#include <vector>

#include "format/decoder.h"
#include "format/drift.h"

namespace millrace::format {

class UpsertDecoder : public Decoder, public DriftSource {
 public:
  // Errors: as NewDecoder; kBadOption for formats that are changelogs themselves.
  static Result<std::unique_ptr<Decoder>> Create(const DecoderOptions& options);

  Status Prepare(std::span<const model::Record> records) override;
  void Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
              std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) override;
  const std::vector<int32_t>* weights() const override { return &weights_; }
  size_t skipped() const override { return skipped_; }
  // Of the values; what else a key has is nothing to the table.
  const DriftList* drift() const override {
    return value_.decoder ? DriftOf(*value_.decoder) : nullptr;
  }

 private:
  // One of the two formats: which columns it gives, and what it gave of the records in hand.
  struct Part {
    std::unique_ptr<Decoder> decoder;
    duckdb::DataChunk rows;
    std::vector<uint32_t> row_record;
    std::vector<int> place;  // by projected column: in rows, or -1
    void Decode(std::span<const model::Record> records, std::vector<model::RowError>& errors);
  };
  // Where the row of a record is.
  struct Found {
    int64_t key = -1;
    int64_t value = -1;
    bool failed = false;
  };

  UpsertDecoder() = default;
  void DecodeParts(std::span<const model::Record> records, std::vector<model::RowError>& errors);
  bool KeyIsNull(int64_t row, size_t& column) const;
  void Fill(duckdb::DataChunk& out);

  DecoderOptions options_;
  Part key_;
  Part value_;
  std::vector<Found> found_;        // by record
  std::vector<const Found*> rows_;  // of the output
  std::vector<int32_t> weights_;
  size_t skipped_ = 0;
};

}  // namespace millrace::format
