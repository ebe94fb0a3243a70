// JsonDecoder: one JSON object per record -> one row; fields are matched to columns by exact name.
//
// Contract: as format/decoder.h. Only projected columns, and of them the wanted fields, are
// converted; the rest of a document is still checked to be well formed (but for the escapes in
// strings that are skipped), and NOT NULL columns to be there, so which columns a query reads does
// not change which documents are bad JSON.
//
// Semantics (Flink's json format, stricter where Flink would lose data without saying so):
//   missing field, null    NULL
//   numbers, quoted        accepted for numeric columns when the whole text is a number
//   number, true, false    accepted for STRING: their text
//   "true", "false"        accepted for BOOLEAN, any letter case
//   container for a scalar kType, and so is 1.5 or 3000000000 for an INT, a number for a TIMESTAMP
//   more DECIMAL digits    rounded half away from zero
//   duplicate field        the last one counts
//   field of no column     passed over; under json.schema-drift more (format/drift.h). Fields
//                          within columns are looked at only where the policy is not kIgnore.
// With json.ignore-parse-errors a scalar of the wrong type becomes NULL; the rest stays an error.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "format/column_writer.h"
#include "format/decoder.h"
#include "format/drift.h"
#include "format/format_options.h"
#include "format/json_tokens.h"

namespace millrace::format {

class JsonDecoder : public Decoder, public DriftSource {
 public:
  // `rows`: where in a document the table's row is ("payload.after"), each a field that is a ROW;
  // none: the document is the row. What lies elsewhere is no drift.
  // Errors: kUnsupported for a column type, naming the column.
  static Result<std::unique_ptr<Decoder>> Create(const DecoderOptions& options,
                                                 const FormatOptions& parsed,
                                                 const std::vector<std::string>& rows = {});

  void Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
              std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) override;
  const DriftList* drift() const override { return &drift_; }

 private:
  // A column that matters: projected, NOT NULL, or with a field that may not be missing.
  struct Field {
    std::string name;
    const ColumnType* type = nullptr;
    ColumnWriter* writer = nullptr;  // null: not projected
    size_t output = 0;
    bool not_null = false;
    bool must_exist = false;
    uint64_t seen_in = 0;  // number of the last document with this field
    bool is_null = false;  // its value there
  };

  // A field name as documents write it, quotes included, and the name that came after it last time:
  // events of one producer have one order, so a comparison mostly replaces the hash lookup.
  struct Key {
    std::string quoted;
    Field* field = nullptr;       // null: no column of this name matters
    FieldDrift* drift = nullptr;  // where no column has it, and the document is the row
    Key* next = nullptr;
  };

  JsonDecoder() = default;

  bool DecodeDocument(const model::Record& record, duckdb::idx_t row);
  bool DecodeFields(duckdb::idx_t row);
  bool DecodeField(Field& field, duckdb::idx_t row);
  bool CheckFields(duckdb::idx_t row);
  Key* FindKey(Key* predicted);
  Key* LearnKey(std::string_view quoted, Key* predicted);

  void FindRows(const DecoderOptions& options, const std::vector<std::string>& rows);
  void NamePaths(const ColumnType& type, const std::string& path);
  // Pass over the value of a field that the table does not declare.
  bool PassDrift(FieldDrift& drift);
  bool PassUnknownIn(const ColumnType& row);

  // Writes the current value and passes over it. False: fault_ says why.
  bool WriteValue(ColumnWriter& writer, duckdb::idx_t row);
  bool WriteString(ColumnWriter& writer, duckdb::idx_t row);
  bool WriteNumber(ColumnWriter& writer, duckdb::idx_t row);
  bool WriteLiteral(ColumnWriter& writer, duckdb::idx_t row);
  bool WriteContainer(ColumnWriter& writer, duckdb::idx_t row);
  bool FindField(const ColumnType& type, size_t position, size_t& field);
  bool WriteField(ColumnWriter& writer, duckdb::idx_t row, size_t& position, uint64_t& seen);
  bool WriteStruct(ColumnWriter& writer, duckdb::idx_t row);
  bool WriteList(ColumnWriter& writer, duckdb::idx_t row);
  bool WriteMap(ColumnWriter& writer, duckdb::idx_t row);
  // The current value does not fit: NULL under ignore-parse-errors, else a fault.
  bool WrongValue(ParseResult result, ColumnWriter& writer, duckdb::idx_t row);
  // The current token, a key, without quotes and escapes. False: malformed.
  bool ReadKey(std::string_view& key);

  bool Malformed(const char* expected);
  bool Fault(model::RowErrorKind kind, std::string message);

  JsonTokens tokens_;
  std::vector<ColumnType> types_;      // by schema column
  std::vector<ColumnWriter> writers_;  // by output column
  std::vector<Field> fields_;
  std::unordered_map<std::string, Field*> fields_by_name_;
  std::unordered_map<std::string_view, std::unique_ptr<Key>> keys_;  // views into Key::quoted
  Key unknown_;  // stands for names past the limit of what is learned
  Key first_;    // its next is the predicted first key
  size_t fields_seen_ = 0;
  bool nulls_seen_ = false;  // some NOT NULL field was null
  uint64_t document_ = 0;
  bool ignore_parse_errors_ = false;
  bool fail_on_missing_field_ = false;
  std::string scratch_;
  std::string key_scratch_;
  model::RowError fault_;
  std::string fault_path_;          // below the column: ".address[3].zip"
  const Field* current_ = nullptr;  // the field being written

  DriftPolicy policy_ = DriftPolicy::kIgnore;
  DriftList drift_;
  std::unordered_set<std::string> declared_;  // the columns, where the document is the row
  // The ROWs among the columns' types, with what comes before their fields' names.
  std::unordered_map<const ColumnType*, std::string> rows_;
  bool document_is_row_ = true;
  const FieldDrift* drifted_ = nullptr;  // the first in this document that makes it an error
  model::Offset offset_ = 0;             // of this document
  std::string_view unknown_name_;        // what FindField did not find
  simdjson::dom::parser types_parser_;
};

}  // namespace millrace::format
