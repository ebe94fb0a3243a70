#include "format/row_fault.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace millrace::format {

std::string Excerpt(std::string_view bytes) {
  constexpr size_t kCharacters = 60;
  std::string out;
  size_t characters = 0;
  size_t i = 0;
  while (i < bytes.size() && characters < kCharacters) {
    const unsigned char c = static_cast<unsigned char>(bytes[i]);
    size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (c < 0x20 || c == 0x7F) {
      out += c == '\n' || c == '\r' || c == '\t' ? ' ' : '?';
      n = 1;
    } else if (i + n <= bytes.size() && IsValidUtf8(bytes.substr(i, n))) {
      out += bytes.substr(i, n);
    } else {
      out += "\xEF\xBF\xBD";
      n = 1;
    }
    i += n;
    characters++;
  }
  if (i < bytes.size()) out += "…";
  return out;
}

std::string ValueFault(ParseResult result, std::string_view shown, const ColumnType& type) {
  const std::string value = Excerpt(shown);
  const std::string name = TypeNameWithArticle(type);
  if (result == ParseResult::kOutOfRange)
    return fmt::format("{} does not fit into {}", value, name);
  std::string expected;
  switch (type.kind) {
    case ColumnKind::kDate:
      expected = ", which looks like \"2024-01-31\"";
      break;
    case ColumnKind::kTime:
      expected = ", which looks like \"23:59:59.999\"";
      break;
    case ColumnKind::kTimestamp:
      expected = ", which looks like \"2024-01-31 23:59:59.999\"";
      break;
    case ColumnKind::kTimestampTz:
      expected = ", which looks like \"2024-01-31 23:59:59.999Z\"";
      break;
    case ColumnKind::kBytes:
      expected = ", which is written in base64";
      break;
    default:
      break;
  }
  return fmt::format("{} is not {}{}", value, name, expected);
}

}  // namespace millrace::format
