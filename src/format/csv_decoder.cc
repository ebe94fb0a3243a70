#include "format/csv_decoder.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/check.h"
#include "base/strings.h"
#include "format/row_fault.h"

namespace millrace::format {

using model::RowErrorKind;

Result<char> ParseCsvCharacter(const FormatOptions& options, const std::string& name) {
  const std::string& text = options.GetString(name);
  if (text == "\\t") return '\t';
  if (text.size() == 1 && text[0] != '\n' && text[0] != '\r' &&
      static_cast<unsigned char>(text[0]) < 0x80) {
    return text[0];
  }
  return Status(Code::kBadOption, fmt::format("option \"{}\" cannot be \"{}\"", name, text))
      .WithHint("one ASCII character, or \\t for a tab");
}

Result<std::unique_ptr<Decoder>> CsvDecoder::Create(const DecoderOptions& options,
                                                    const FormatOptions& parsed) {
  std::unique_ptr<CsvDecoder> decoder(new CsvDecoder());
  MR_ASSIGN_OR_RETURN(decoder->delimiter_, ParseCsvCharacter(parsed, "csv.field-delimiter"));
  MR_ASSIGN_OR_RETURN(decoder->quote_, ParseCsvCharacter(parsed, "csv.quote-character"));
  if (decoder->delimiter_ == decoder->quote_) {
    return Status(Code::kBadOption,
                  "options \"csv.field-delimiter\" and \"csv.quote-character\" are the same");
  }
  if (parsed.Has("csv.null-literal")) decoder->null_literal_ = parsed.GetString("csv.null-literal");
  decoder->ignore_parse_errors_ = parsed.GetBool("csv.ignore-parse-errors");
  decoder->allow_comments_ = parsed.GetBool("csv.allow-comments");
  for (const model::Column& column : options.schema.columns) {
    auto type = MakeColumnType(column.type);
    if (!type.ok()) {
      return std::move(type).status().Annotate(fmt::format("column \"{}\"", column.name));
    }
    if (!type->scalar()) {
      return Status(Code::kUnsupported, fmt::format("column \"{}\": {} cannot be read from CSV",
                                                    column.name, TypeNameWithArticle(*type)))
          .WithHint("use 'format' = 'json' for nested columns");
    }
    decoder->columns_.push_back({column.name, *std::move(type), !column.nullable, nullptr});
  }
  decoder->writers_.reserve(options.projection.size());
  for (size_t i : options.projection) {
    decoder->writers_.emplace_back(decoder->columns_[i].type);
    decoder->columns_[i].writer = &decoder->writers_.back();
  }
  return std::unique_ptr<Decoder>(std::move(decoder));
}

void CsvDecoder::Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
                        std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) {
  MR_CHECK(records.size() <= STANDARD_VECTOR_SIZE, "too many records for one chunk");
  MR_CHECK(out.ColumnCount() == writers_.size(), "the chunk has not the projected columns");
  for (size_t i = 0; i < writers_.size(); i++) writers_[i].Bind(out.data[i]);
  row_record.clear();
  skipped_ = 0;
  for (uint32_t i = 0; i < records.size(); i++) {
    std::string_view line = records[i].value;
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (allow_comments_ && line.starts_with('#')) {
      skipped_++;
      continue;
    }
    const bool good = records[i].has_value
                          ? DecodeLine(line, row_record.size())
                          : Fault(RowErrorKind::kMalformed, "tombstone: the record has no value");
    if (good) {
      row_record.push_back(i);
    } else {
      fault_.record_index = i;
      errors.push_back(std::move(fault_));
      fault_ = {};
    }
  }
  for (ColumnWriter& writer : writers_) writer.Finish();
  out.SetCardinality(row_record.size());
}

bool CsvDecoder::DecodeLine(std::string_view line, duckdb::idx_t row) {
  if (line.empty()) return Fault(RowErrorKind::kMalformed, "empty record");
  if (!simdjson::validate_utf8(line)) {
    return Fault(RowErrorKind::kMalformed, "not CSV: the bytes are not valid UTF-8");
  }
  if (!SplitLine(line)) return false;
  if (cells_.size() != columns_.size()) {
    return Fault(RowErrorKind::kMalformed,
                 fmt::format("{} field{}, but the table has {} column{}", cells_.size(),
                             cells_.size() == 1 ? "" : "s", columns_.size(),
                             columns_.size() == 1 ? "" : "s"));
  }
  for (size_t i = 0; i < columns_.size(); i++) {
    if (columns_[i].writer == nullptr && !columns_[i].not_null) continue;
    if (!WriteCell(columns_[i], cells_[i], row)) {
      fault_.column = columns_[i].name;
      return false;
    }
  }
  return true;
}

bool CsvDecoder::SplitLine(std::string_view line) {
  cells_.clear();
  // Every cell's text fits, and none moves: the views into it stay good.
  scratch_.clear();
  scratch_.reserve(line.size() + model::kRecordPadding);
  size_t i = 0;
  for (;;) {
    if (i < line.size() && line[i] == quote_) {
      const size_t first = scratch_.size();
      for (i++;; i++) {
        const size_t end = line.find(quote_, i);
        if (end == std::string_view::npos) {
          return Fault(
              RowErrorKind::kMalformed,
              fmt::format("not CSV: the quotes of field {} are not closed", cells_.size() + 1));
        }
        scratch_.append(line, i, end - i);
        i = end + 1;
        if (i >= line.size() || line[i] != quote_) break;
        scratch_ += quote_;
      }
      cells_.push_back({std::string_view(scratch_).substr(first), true});
      if (i < line.size() && line[i] != delimiter_) {
        return Fault(
            RowErrorKind::kMalformed,
            fmt::format("not CSV: field {} goes on after its closing quote", cells_.size()));
      }
    } else {
      const size_t end = std::min(line.find(delimiter_, i), line.size());
      cells_.push_back({line.substr(i, end - i), false});
      i = end;
    }
    if (i >= line.size()) return true;
    i++;
  }
}

bool CsvDecoder::WriteCell(const Column& column, const Cell& cell, duckdb::idx_t row) {
  const bool is_null =
      !cell.quoted && ((null_literal_ && cell.text == *null_literal_) ||
                       (cell.text.empty() && column.type.kind != ColumnKind::kString));
  if (is_null) {
    if (column.not_null) return Fault(RowErrorKind::kNull, "null in a NOT NULL column");
    column.writer->SetNull(row);
    return true;
  }
  if (column.writer == nullptr) return true;
  ParseResult result = column.writer->WriteText(row, cell.text);
  if (result == ParseResult::kNotA) result = column.writer->WriteText(row, Trim(cell.text));
  if (result == ParseResult::kOk) return true;
  if (ignore_parse_errors_ && !column.not_null) {
    column.writer->SetNull(row);
    return true;
  }
  return Fault(RowErrorKind::kType,
               ValueFault(result, fmt::format("\"{}\"", cell.text), column.type));
}

bool CsvDecoder::Fault(RowErrorKind kind, std::string message) {
  fault_.kind = kind;
  fault_.message = std::move(message);
  return false;
}

}  // namespace millrace::format
