// JsonDecoder's values: the current token, or tokens, into a column.
#include <fmt/format.h>

#include <bit>

#include "base/strings.h"
#include "format/json_decoder.h"
#include "format/row_fault.h"

namespace millrace::format {

using duckdb::idx_t;
using model::RowErrorKind;

namespace {

// A map with more keys than this finds its duplicates by hash.
constexpr idx_t kLinearKeysMax = 16;

// HasEscape for bytes that are followed by readable ones: no call for the usual short string.
bool HasEscapePadded(std::string_view text) {
  if (text.size() > 64) return HasEscape(text);
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  for (size_t i = 0; i < text.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + i, 8);
    if (const size_t left = text.size() - i; left < 8) word &= (uint64_t{1} << (left * 8)) - 1;
    word ^= kOnes * '\\';
    if (((word - kOnes) & ~word & kHighs) != 0) return true;
  }
  return false;
}

template <typename T>
bool StoreIfFits(ColumnWriter& writer, idx_t row, int64_t value) {
  if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) return false;
  writer.Store<T>(row, static_cast<T>(value));
  return true;
}

// Stores an integer of at most 18 digits that fits the column; false: look closer.
bool StoreShortInteger(ColumnWriter& writer, idx_t row, std::string_view token) {
  const bool negative = token[0] == '-';
  const char* p = token.data() + (negative ? 1 : 0);
  const char* end = token.data() + token.size();
  if (end - p > 18 || p == end || (*p == '0' && end - p > 1)) return false;
  int64_t value = 0;
  for (; p < end; p++) {
    const unsigned digit = static_cast<unsigned char>(*p) - unsigned{'0'};
    if (digit > 9) return false;
    value = value * 10 + digit;
  }
  if (negative) value = -value;
  switch (writer.type().kind) {
    case ColumnKind::kInt8:
      return StoreIfFits<int8_t>(writer, row, value);
    case ColumnKind::kInt16:
      return StoreIfFits<int16_t>(writer, row, value);
    case ColumnKind::kInt32:
      return StoreIfFits<int32_t>(writer, row, value);
    case ColumnKind::kInt64:
      writer.Store<int64_t>(row, value);
      return true;
    default:
      return false;
  }
}

}  // namespace

bool JsonDecoder::WriteValue(ColumnWriter& writer, idx_t row) {
  switch (tokens_.Peek()) {
    case '"':
      return WriteString(writer, row);
    case '{':
    case '[':
      return WriteContainer(writer, row);
    case 't':
    case 'f':
    case 'n':
      return WriteLiteral(writer, row);
    default:
      return WriteNumber(writer, row);
  }
}

bool JsonDecoder::WriteString(ColumnWriter& writer, idx_t row) {
  const std::string_view text = tokens_.StringToken();
  if (writer.type().kind == ColumnKind::kString) {
    if (!HasEscapePadded(text)) [[likely]] {
      writer.StoreString(row, text);
    } else {
      char* target = writer.ReserveString(text.size());
      const ptrdiff_t size = Unescape(text, target);
      if (size < 0) return Malformed("a string with valid escapes");
      writer.CommitString(row, target, static_cast<size_t>(size));
    }
    tokens_.Advance();
    return true;
  }
  if (!writer.type().scalar()) return WrongValue(ParseResult::kNotA, writer, row);
  ParseResult result = writer.WriteText(row, text);
  if (result == ParseResult::kNotA) {
    // No other type's text needs an escape or blanks around it, but both are allowed.
    scratch_.resize(text.size() + model::kRecordPadding);
    const ptrdiff_t size = Unescape(text, scratch_.data());
    if (size < 0) return Malformed("a string with valid escapes");
    result = writer.WriteText(row, Trim({scratch_.data(), static_cast<size_t>(size)}));
  }
  if (result != ParseResult::kOk) return WrongValue(result, writer, row);
  tokens_.Advance();
  return true;
}

bool JsonDecoder::WriteNumber(ColumnWriter& writer, idx_t row) {
  if (tokens_.AtEnd()) return Malformed("a value");
  const std::string_view token = tokens_.Token();
  if (!StoreShortInteger(writer, row, token)) {
    if (!IsJsonNumber(token)) return Malformed("a value");
    ParseResult result = ParseResult::kNotA;
    switch (writer.type().kind) {
      case ColumnKind::kInt8:
      case ColumnKind::kInt16:
      case ColumnKind::kInt32:
      case ColumnKind::kInt64:
      case ColumnKind::kFloat:
      case ColumnKind::kDouble:
      case ColumnKind::kDecimal:
      case ColumnKind::kString:
        result = writer.WriteText(row, token);
        break;
      default:
        break;  // a number is no boolean, date, time or bytes
    }
    if (result != ParseResult::kOk) return WrongValue(result, writer, row);
  }
  tokens_.Advance();
  return true;
}

bool JsonDecoder::WriteLiteral(ColumnWriter& writer, idx_t row) {
  const std::string_view token = tokens_.Token();
  if (token == "null") {
    writer.SetNull(row);
  } else if (token != "true" && token != "false") {
    return Malformed("a value");
  } else if (writer.type().kind == ColumnKind::kBool) {
    writer.Store<bool>(row, token == "true");
  } else if (writer.type().kind == ColumnKind::kString) {
    writer.StoreString(row, token);
  } else {
    return WrongValue(ParseResult::kNotA, writer, row);
  }
  tokens_.Advance();
  return true;
}

bool JsonDecoder::WriteContainer(ColumnWriter& writer, idx_t row) {
  const char c = tokens_.Peek();
  switch (writer.type().kind) {
    case ColumnKind::kStruct:
      if (c == '{') return WriteStruct(writer, row);
      break;
    case ColumnKind::kMap:
      if (c == '{') return WriteMap(writer, row);
      break;
    case ColumnKind::kList:
      if (c == '[') return WriteList(writer, row);
      break;
    default:
      break;
  }
  return Fault(RowErrorKind::kType, ValueFault(ParseResult::kNotA, tokens_.Rest(), writer.type()));
}

bool JsonDecoder::WriteStruct(ColumnWriter& writer, idx_t row) {
  const ColumnType& type = writer.type();
  writer.SetValid(row);
  // Fields past the 64th are set to NULL first instead of being remembered.
  uint64_t seen = 0;
  for (size_t i = 64; i < type.children.size(); i++) writer.child(i).SetNull(row);
  size_t position = 0;
  tokens_.Advance();
  char c = tokens_.Peek();
  if (c == '}') {
    tokens_.Advance();
  } else {
    do {
      if (!WriteField(writer, row, position, seen)) return false;
      c = tokens_.Peek();
      if (c != ',' && c != '}') return Malformed("\",\" or \"}\"");
      tokens_.Advance();
    } while (c != '}');
  }
  // Fields that nobody wants have to be there all the same.
  const uint64_t all =
      type.children.size() < 64 ? (uint64_t{1} << type.children.size()) - 1 : ~0ull;
  const uint64_t needed = fail_on_missing_field_ ? all : writer.wanted_fields();
  for (uint64_t left = needed & ~seen; left != 0; left &= left - 1) {
    const auto i = static_cast<size_t>(std::countr_zero(left));
    if (fail_on_missing_field_) {
      fault_path_ = "." + type.field_names[i];
      return Fault(RowErrorKind::kNull,
                   "the field is missing, and \"json.fail-on-missing-field\" is set");
    }
    writer.child(i).SetNull(row);
  }
  return true;
}

// Finds the field that the cursor is at and passes over its name and colon; `position` is where it
// is expected. False: malformed.
bool JsonDecoder::FindField(const ColumnType& type, size_t position, size_t& field) {
  const size_t count = type.field_names.size();
  if (position < count) {
    // Quotes and colon are part of the comparison, so equal bytes are two equal tokens.
    const std::string& expected = type.quoted_names[position];
    const std::string_view rest = tokens_.Rest();
    if (!expected.empty() && expected.size() <= rest.size() &&
        SameBytes(rest.data(), expected.data(), expected.size())) {
      tokens_.Advance(2);
      field = position;
      return true;
    }
  }
  std::string_view key;
  if (tokens_.Peek() != '"' || !ReadKey(key)) return Malformed("a field name");
  tokens_.Advance();
  if (tokens_.Peek() != ':') return Malformed("\":\"");
  tokens_.Advance();
  for (field = 0; field < count && type.field_names[field] != key;) field++;
  unknown_name_ = key;
  return true;
}

bool JsonDecoder::WriteField(ColumnWriter& writer, idx_t row, size_t& position, uint64_t& seen) {
  const ColumnType& type = writer.type();
  size_t i = 0;
  if (!FindField(type, position, i)) return false;
  if (i == type.field_names.size()) return PassUnknownIn(type);
  position = i + 1;
  if (i < 64) seen |= uint64_t{1} << i;
  if (writer.child(i).skipped()) return tokens_.SkipValue() || Malformed("a value");
  if (WriteValue(writer.child(i), row)) return true;
  fault_path_ = "." + type.field_names[i] + fault_path_;
  return false;
}

bool JsonDecoder::WriteList(ColumnWriter& writer, idx_t row) {
  const idx_t first = writer.list_size();
  tokens_.Advance();
  char c = tokens_.Peek();
  if (c == ']') {
    tokens_.Advance();
  } else {
    do {
      const idx_t element = writer.BeginElement();
      if (!WriteValue(writer.child(0), element)) {
        fault_path_ = fmt::format("[{}]", element - first + 1) + fault_path_;
        return false;
      }
      writer.EndElement();
      c = tokens_.Peek();
      if (c != ',' && c != ']') return Malformed("\",\" or \"]\"");
      tokens_.Advance();
    } while (c != ']');
  }
  writer.StoreList(row, first);
  return true;
}

bool JsonDecoder::WriteMap(ColumnWriter& writer, idx_t row) {
  const idx_t first = writer.list_size();
  std::unordered_map<std::string, idx_t> by_key;
  tokens_.Advance();
  char c = tokens_.Peek();
  if (c == '}') {
    tokens_.Advance();
    writer.StoreList(row, first);
    return true;
  }
  do {
    std::string_view key;
    if (tokens_.Peek() != '"' || !ReadKey(key)) return Malformed("a key");
    const idx_t element = writer.BeginElement();
    idx_t target = element;
    if (element - first < kLinearKeysMax) {
      for (idx_t i = first; i < element && target == element; i++) {
        if (writer.Key(i) == key) target = i;
      }
    } else {
      for (idx_t i = first + by_key.size(); i < element; i++) by_key.emplace(writer.Key(i), i);
      const auto found = by_key.find(std::string(key));
      if (found != by_key.end()) target = found->second;
    }
    if (target == element) writer.child(0).StoreString(element, key);
    tokens_.Advance();
    if (tokens_.Peek() != ':') return Malformed("\":\"");
    tokens_.Advance();
    if (!WriteValue(writer.child(1), target)) {
      fault_path_ = fmt::format("[{}]", JsonQuote(writer.Key(target))) + fault_path_;
      return false;
    }
    if (target == element) writer.EndElement();
    c = tokens_.Peek();
    if (c != ',' && c != '}') return Malformed("\",\" or \"}\"");
    tokens_.Advance();
  } while (c != '}');
  writer.StoreList(row, first);
  return true;
}

bool JsonDecoder::WrongValue(ParseResult result, ColumnWriter& writer, idx_t row) {
  const std::string_view token = tokens_.Token();
  const bool required = &writer == current_->writer && current_->not_null;
  if (!ignore_parse_errors_ || required) {
    return Fault(RowErrorKind::kType, ValueFault(result, token, writer.type()));
  }
  writer.SetNull(row);
  tokens_.Advance();
  return true;
}

bool JsonDecoder::ReadKey(std::string_view& key) {
  key = tokens_.StringToken();
  if (!HasEscape(key)) return true;
  key_scratch_.resize(key.size() + model::kRecordPadding);
  const ptrdiff_t size = Unescape(key, key_scratch_.data());
  if (size < 0) return false;
  key = {key_scratch_.data(), static_cast<size_t>(size)};
  return true;
}

}  // namespace millrace::format
