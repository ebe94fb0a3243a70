#include "format/csv_encoder.h"

#include <fmt/format.h>

#include <cstring>

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
    const size_t begin = out.size();
    AppendScalar(types()[i], column, index, ' ', out);
    const std::string_view field = std::string_view(out).substr(begin);
    if (!NeedsQuotes(field)) continue;
    field_ = field;
    out.resize(begin);
    out += quote_;
    for (char c : field_) {
      if (c == quote_) out += quote_;
      out += c;
    }
    out += quote_;
  }
}

bool CsvEncoder::HasSpecial(std::string_view text) const {
  // Sixteen characters at a time.
  typedef char Block __attribute__((vector_size(16)));
  size_t i = 0;
  for (; i + sizeof(Block) <= text.size(); i += sizeof(Block)) {
    Block block;
    std::memcpy(&block, text.data() + i, sizeof block);
    const auto found =
        (block == delimiter_) | (block == quote_) | (block == '\n') | (block == '\r');
    uint64_t halves[2];
    std::memcpy(halves, &found, sizeof halves);
    if ((halves[0] | halves[1]) != 0) return true;
  }
  for (; i < text.size(); i++) {
    const char c = text[i];
    if (c == delimiter_ || c == quote_ || c == '\n' || c == '\r') return true;
  }
  return false;
}

bool CsvEncoder::NeedsQuotes(std::string_view text) const {
  if (text.empty() || text[0] == '#' || (null_literal_ && text == *null_literal_)) return true;
  return HasSpecial(text);
}

}  // namespace millrace::format
