// CsvEncoder: a row -> one line of separated fields, without the line break (RFC 4180).
//
// A field is quoted where it must be: when it contains the delimiter, a quote or a line break,
// would read as NULL or as a comment, or is an empty string. NULL is csv.null-literal, or nothing;
// the latter reads back as '' in a STRING column, as with Flink.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "format/format_options.h"
#include "format/row_encoder.h"

namespace millrace::format {

class CsvEncoder : public RowEncoder {
 public:
  static Result<std::unique_ptr<Encoder>> Create(const model::Schema& schema,
                                                 const FormatOptions& options);

 protected:
  void WriteRow(duckdb::idx_t row, std::string& out) override;

 private:
  using RowEncoder::RowEncoder;

  // Whether a character in it asks for quotes.
  bool HasSpecial(std::string_view text) const;
  bool NeedsQuotes(std::string_view text) const;

  char delimiter_ = ',';
  char quote_ = '"';
  std::optional<std::string> null_literal_;
  std::string field_;
};

}  // namespace millrace::format
