// ChangelogDecoder: messages that say how a row changed -> rows with weights.
//
// Format (debezium-json; with schema-include below "payload"):
//   {"before": ROW | null, "after": ROW | null, "op": "c" | "r" | "u" | "d",
//    "ts_ms": 1, "source": {"ts_ms": 1, "db": "…", "schema": "…", "table": "…"}}
//   c, r: `after` comes; d: `before` is taken away; u: both. Records without a value are the
//   tombstones that follow a "d": they say nothing new, and become no row.
// Format (changelog-json): {"data": ROW, "op": "+I" | "+U" | "-U" | "-D"}
//
// With a key (DecoderOptions::key) a row replaces the one with its key: of an update only `after`
// counts, unless the key itself has changed. Without one the row before is needed in full, and a
// message that lacks it is refused.
//
// Contract: as format/decoder.h. NOT NULL holds for rows that come; of rows taken away by key only
// the key has to be there.
//
// Source: Debezium's documentation of its change events; Flink's documentation of `debezium-json`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "format/decoder.h"
#include "format/drift.h"
#include "format/format_options.h"

namespace millrace::format {

class ChangelogDecoder : public Decoder, public DriftSource {
 public:
  static Result<std::unique_ptr<Decoder>> Create(const DecoderOptions& options,
                                                 const FormatSpec& spec,
                                                 const FormatOptions& parsed);

  void Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
              std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) override;
  size_t records_max() const override { return STANDARD_VECTOR_SIZE / 2; }
  const std::vector<int32_t>* weights() const override { return &weights_; }
  size_t skipped() const override { return skipped_; }
  const DriftList* drift() const override { return DriftOf(*json_); }

 private:
  // A row of a message: of the side that comes or the one that is taken away.
  struct Change {
    uint32_t message;
    bool taken;  // from the taken side
    int32_t weight;
  };

  ChangelogDecoder() = default;
  // A top-level field of the message.
  duckdb::Vector& Field(size_t field);
  // A column of the row in a top-level field.
  duckdb::Vector& Column(size_t field, size_t column);
  void FindChangedKeys(size_t messages);
  // The changes that message `m` stands for; or why it stands for none.
  bool Changes(uint32_t m, std::vector<Change>& changes, model::RowError& error);
  bool DebeziumChanges(uint32_t m, std::string_view op, std::vector<Change>& changes,
                       std::string& fault);
  bool HasRow(size_t field, uint32_t m);
  bool CheckNulls(const std::vector<Change>& changes, model::RowError& error);
  void Fill(duckdb::DataChunk& out);
  void FillMetadata(duckdb::DataChunk& out);

  DecoderOptions options_;
  bool debezium_ = false;
  bool in_payload_ = false;
  size_t come_ = 0;   // the field with the row that comes
  size_t taken_ = 0;  // the field with the row that is taken away
  size_t op_ = 0;
  std::unique_ptr<Decoder> json_;
  duckdb::DataChunk messages_;
  std::vector<uint32_t> message_record_;
  std::vector<model::Record> records_;  // those with a value
  std::vector<uint32_t> record_place_;  // of each of them, in the input
  std::vector<uint8_t> key_changed_;    // by message
  std::vector<Change> changes_;
  std::vector<int32_t> weights_;
  size_t skipped_ = 0;
};

}  // namespace millrace::format
