#include "format/csv_encoder.h"

#include <fmt/format.h>

#include "format/csv_decoder.h"
#include "format/value_printer.h"

namespace millrace::format {

Result<std::unique_ptr<Encoder>> CsvEncoder::Create(const model::Schema& schema,
                                                    const FormatOptions& options) {
  MR_ASSIGN_OR_RETURN(std::vector<ColumnType> types, MakeTypes(schema));
  for (size_t i = 0; i < types.size(); i++) {
    if (types[i].scalar()) continue;
    return Status(Code::kUnsupported,
                  fmt::format("column \"{}\": {} cannot be written as CSV", schema.columns[i].name,
                              TypeNameWithArticle(types[i])))
        .WithHint("use 'format' = 'json' for nested columns");
  }
  std::unique_ptr<CsvEncoder> encoder(new CsvEncoder(std::move(types)));
  MR_ASSIGN_OR_RETURN(encoder->delimiter_, ParseCsvCharacter(options, "csv.field-delimiter"));
  MR_ASSIGN_OR_RETURN(encoder->quote_, ParseCsvCharacter(options, "csv.quote-character"));
  if (options.Has("csv.null-literal")) {
    encoder->null_literal_ = options.GetString("csv.null-literal");
  }
  return std::unique_ptr<Encoder>(std::move(encoder));
}

void CsvEncoder::WriteRow(duckdb::idx_t row, std::string& out) {
  for (size_t i = 0; i < types().size(); i++) {
    if (i > 0) out += delimiter_;
    const auto& column = views()[i].unified;
    const duckdb::idx_t index = column.sel->get_index(row);
    if (!column.validity.RowIsValid(index)) {
      if (null_literal_) out += *null_literal_;
      continue;
    }
    field_.clear();
    AppendScalar(types()[i], column, index, ' ', field_);
    if (!NeedsQuotes(field_)) {
      out += field_;
      continue;
    }
    out += quote_;
    for (char c : field_) {
      if (c == quote_) out += quote_;
      out += c;
    }
    out += quote_;
  }
}

bool CsvEncoder::NeedsQuotes(std::string_view text) const {
  if (text.empty() || text[0] == '#' || (null_literal_ && text == *null_literal_)) return true;
  for (char c : text) {
    if (c == delimiter_ || c == quote_ || c == '\n' || c == '\r') return true;
  }
  return false;
}

}  // namespace millrace::format
