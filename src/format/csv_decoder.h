// CsvDecoder: one line of separated fields per record -> one row; field i is column i.
//
// Contract: as format/decoder.h. A line with too few or too many fields is kMalformed. A comment
// line (csv.allow-comments) gives neither a row nor an error. A line break at the record's end is
// not part of it; inside quotes line breaks are data.
//
// Source: RFC 4180; outside quotes a quote character is an ordinary one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/column_writer.h"
#include "format/decoder.h"
#include "format/format_options.h"

namespace millrace::format {

// The option as one byte; "\t" is a tab. Error kBadOption.
Result<char> ParseCsvCharacter(const FormatOptions& options, const std::string& name);

class CsvDecoder : public Decoder {
 public:
  // Errors: kUnsupported for a column type, naming the column; kBadOption.
  static Result<std::unique_ptr<Decoder>> Create(const DecoderOptions& options,
                                                 const FormatOptions& parsed);

  void Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
              std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) override;
  size_t skipped() const override { return skipped_; }

 private:
  struct Column {
    std::string name;
    ColumnType type;
    bool not_null = false;
    ColumnWriter* writer = nullptr;  // null: not projected
  };
  struct Cell {
    std::string_view text;
    bool quoted = false;
  };

  CsvDecoder() = default;

  // False: fault_ says why.
  bool DecodeLine(std::string_view line, duckdb::idx_t row);
  bool SplitLine(std::string_view line);
  bool WriteCell(const Column& column, const Cell& cell, duckdb::idx_t row);
  bool Fault(model::RowErrorKind kind, std::string message);

  std::vector<Column> columns_;
  std::vector<ColumnWriter> writers_;
  std::vector<Cell> cells_;
  std::string scratch_;  // quoted cells without their doubled quotes
  char delimiter_ = ',';
  char quote_ = '"';
  std::optional<std::string> null_literal_;
  bool ignore_parse_errors_ = false;
  bool allow_comments_ = false;
  model::RowError fault_;
  size_t skipped_ = 0;
};

}  // namespace millrace::format
