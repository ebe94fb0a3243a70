// RecordDecoder: what the decoders share that make one row of one record by a schema, which the
// table gives or the record names: the columns, the schemas by their numbers, the loop.
//
// Contract: as format/decoder.h.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "format/column_writer.h"
#include "format/decoder.h"
#include "format/drift.h"

namespace millrace::format {

// A column of the table that records have to give.
struct TargetColumn {
  std::string name;
  ColumnWriter* writer = nullptr;  // null: it only must not be NULL
  bool required = false;           // NOT NULL
};

// A field of a writer's schema that no column takes.
struct UndeclaredField {
  std::string path;                         // format/drift.h
  std::optional<duckdb::LogicalType> type;  // that takes its values; none: no type does
};

class RecordDecoder : public Decoder, public DriftSource {
 public:
  Status Prepare(std::span<const model::Record> records) final;
  void Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
              std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) final;
  const DriftList* drift() const final { return &drift_; }

 protected:
  // Takes the columns and, for a format whose records name their schema, the registry. Errors:
  // kUnsupported for a column type; kFailedPrecondition when there is no registry.
  Status Open(const DecoderOptions& options);

  // The schema of this number, once; an error: there is none (kNotFound).
  virtual void Learn(int32_t id, const Result<RegisteredSchema>& schema) = 0;
  // `id`: that the record names, or 0; `bytes` are what follows. Whatever it says of columns() goes
  // into row `row`; false: fault_ says why it is none.
  virtual bool DecodeRecord(int32_t id, std::string_view bytes, duckdb::idx_t row) = 0;

  bool Malformed(std::string message);

  // Fields of a writer's schema that the table does not declare, noted for later.
  using Drifted = std::vector<FieldDrift*>;
  Drifted NoteDrift(const std::vector<UndeclaredField>& fields);
  // The record in hand has these fields; false: that makes it a fault.
  bool PassDrift(const Drifted& fields);
  const model::Schema& schema() const { return schema_; }

  const std::vector<TargetColumn>& columns() const { return columns_; }  // projected or NOT NULL
  const std::vector<ColumnType>& types() const { return types_; }        // of all columns

  model::RowError fault_;

 private:
  bool DecodeOne(const model::Record& record, duckdb::idx_t row);

  std::string format_;
  model::Schema schema_;
  std::vector<ColumnType> types_;
  std::vector<ColumnWriter> writers_;
  std::vector<TargetColumn> columns_;
  std::shared_ptr<SchemaRegistry> registry_;  // null: records have no header
  std::set<int32_t> known_;
  DriftPolicy policy_ = DriftPolicy::kIgnore;
  DriftList drift_;
  model::Offset offset_ = 0;  // of the record in hand
};

}  // namespace millrace::format
