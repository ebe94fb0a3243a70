#include "format/json_tokens.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace millrace::format {

namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsLiteral(std::string_view token) {
  return token == "true" || token == "false" || token == "null";
}

// Four hex digits at text[i]; -1 when they are none.
int32_t HexUnit(std::string_view text, size_t i) {
  if (i + 4 > text.size()) return -1;
  int32_t value = 0;
  for (size_t k = i; k < i + 4; k++) {
    const char c = text[k];
    const char lower = static_cast<char>(c | 0x20);
    if (IsDigit(c)) {
      value = value * 16 + (c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + (lower - 'a' + 10);
    } else {
      return -1;
    }
  }
  return value;
}

char* PutUtf8(uint32_t code, char* out) {
  if (code < 0x80) {
    *out++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *out++ = static_cast<char>(0xC0 | code >> 6);
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *out++ = static_cast<char>(0xE0 | code >> 12);
    *out++ = static_cast<char>(0x80 | (code >> 6 & 0x3F));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *out++ = static_cast<char>(0xF0 | code >> 18);
    *out++ = static_cast<char>(0x80 | (code >> 12 & 0x3F));
    *out++ = static_cast<char>(0x80 | (code >> 6 & 0x3F));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  }
  return out;
}

char SimpleEscape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return '\0';
  }
}

}  // namespace

JsonTokens::JsonTokens() {
  capacity_ = 4096;
  const auto error =
      simdjson::get_active_implementation()->create_dom_parser_implementation(capacity_, 1, stage_);
  MR_CHECK(error == simdjson::SUCCESS, "simdjson cannot allocate its parser");
}

bool JsonTokens::Index(std::string_view document) {
  text_ = document.data();
  size_ = document.size();
  count_ = next_ = 0;
  if (size_ > capacity_) {
    if (size_ >= simdjson::SIMDJSON_MAXSIZE_BYTES ||
        stage_->allocate(size_ * 2, 1) != simdjson::SUCCESS) {
      error_ = "the document is too large";
      return false;
    }
    capacity_ = size_ * 2;
  }
  const auto error = stage_->stage1(reinterpret_cast<const uint8_t*>(text_), size_,
                                    simdjson::stage1_mode::regular);
  if (error == simdjson::SUCCESS) {
    offsets_ = stage_->structural_indexes.get();
    count_ = stage_->n_structural_indexes;
    return true;
  }
  switch (error) {
    case simdjson::EMPTY:
      error_ = "empty record";
      break;
    case simdjson::UTF8_ERROR:
      error_ = "not JSON: the bytes are not valid UTF-8";
      break;
    case simdjson::UNCLOSED_STRING:
      error_ = "not JSON: a string is not closed, the document may have been cut off";
      break;
    case simdjson::UNESCAPED_CHARS:
      error_ = "not JSON: a string contains a control character that is not escaped";
      break;
    default:
      error_ = "not JSON";
  }
  return false;
}

bool JsonTokens::Skip(int depth) {
  switch (Peek()) {
    case '"':
      break;
    case '{':
      return depth < kDepthMax && SkipObject(depth + 1);
    case '[':
      return depth < kDepthMax && SkipArray(depth + 1);
    case 't':
    case 'f':
    case 'n':
      if (!IsLiteral(Token())) return false;
      break;
    default:
      if (AtEnd() || !IsJsonNumber(Token())) return false;
  }
  Advance();
  return true;
}

bool JsonTokens::SkipObject(int depth) {
  Advance();
  if (Peek() == '}') {
    Advance();
    return true;
  }
  for (;;) {
    if (Peek() != '"') return false;
    Advance();
    if (Peek() != ':') return false;
    Advance();
    if (!Skip(depth)) return false;
    const char c = Peek();
    if (c != ',' && c != '}') return false;
    Advance();
    if (c == '}') return true;
  }
}

bool JsonTokens::SkipArray(int depth) {
  Advance();
  if (Peek() == ']') {
    Advance();
    return true;
  }
  for (;;) {
    if (!Skip(depth)) return false;
    const char c = Peek();
    if (c != ',' && c != ']') return false;
    Advance();
    if (c == ']') return true;
  }
}

bool IsJsonNumber(std::string_view text) {
  const char* p = text.data();
  const char* end = p + text.size();
  if (p < end && *p == '-') p++;
  if (p == end || !IsDigit(*p)) return false;
  if (*p == '0' && p + 1 < end && IsDigit(p[1])) return false;
  while (p < end && IsDigit(*p)) p++;
  if (p < end && *p == '.') {
    p++;
    if (p == end || !IsDigit(*p)) return false;
    while (p < end && IsDigit(*p)) p++;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    p++;
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end || !IsDigit(*p)) return false;
    while (p < end && IsDigit(*p)) p++;
  }
  return p == end;
}

bool HasEscape(std::string_view text) {
  return text.size() > 0 && std::memchr(text.data(), '\\', text.size()) != nullptr;
}

ptrdiff_t Unescape(std::string_view text, char* target) {
  char* out = target;
  size_t i = 0;
  while (i < text.size()) {
    const char* found =
        static_cast<const char*>(std::memchr(text.data() + i, '\\', text.size() - i));
    const size_t plain = (found != nullptr ? found - text.data() : text.size()) - i;
    std::memcpy(out, text.data() + i, plain);
    out += plain;
    i += plain;
    if (found == nullptr) break;
    if (i + 1 >= text.size()) return -1;
    const char kind = text[i + 1];
    i += 2;
    if (kind != 'u') {
      const char c = SimpleEscape(kind);
      if (c == '\0') return -1;
      *out++ = c;
      continue;
    }
    const int32_t unit = HexUnit(text, i);
    if (unit < 0) return -1;
    i += 4;
    uint32_t code = static_cast<uint32_t>(unit);
    if (unit >= 0xDC00 && unit <= 0xDFFF) return -1;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      if (i + 2 > text.size() || text[i] != '\\' || text[i + 1] != 'u') return -1;
      const int32_t low = HexUnit(text, i + 2);
      if (low < 0xDC00 || low > 0xDFFF) return -1;
      code = 0x10000 + ((code - 0xD800) << 10) + static_cast<uint32_t>(low - 0xDC00);
      i += 6;
    }
    out = PutUtf8(code, out);
  }
  return out - target;
}

}  // namespace millrace::format
