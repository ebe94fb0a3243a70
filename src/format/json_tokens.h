// JsonTokens: the tokens of one JSON document, found by simdjson's first stage, and a cursor over
// them.
//
// simdjson's stage 1 finds the offset of every token (brackets, commas, colons, first bytes of
// strings and scalars) and checks UTF-8 and that strings are closed, at several GB/s with the
// machine's best vector instructions. Reading the tokens is ours: simdjson's on-demand interface
// would parse with the instructions of the compiler's target only, copy every string once more, and
// accept broken structure in what is skipped.
//
// Contract: the document must be followed by model::kRecordPadding readable bytes; they may hold
// anything. Views into the document live as long as its bytes.
#pragma once

#include <simdjson.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace millrace::format {

class JsonTokens {
 public:
  JsonTokens();

  // Starts over with `document`; false, with Error(), when it cannot be JSON.
  bool Index(std::string_view document);
  const char* error() const { return error_; }

  // The current token's first byte; 0 at the end.
  char Peek() const { return next_ < count_ ? text_[offsets_[next_]] : '\0'; }
  // As Peek, for the token after it.
  char PeekSecond() const { return next_ + 1 < count_ ? text_[offsets_[next_ + 1]] : '\0'; }
  bool AtEnd() const { return next_ >= count_; }
  void Advance(uint32_t n = 1) { next_ += n; }

  // The current token; at most one past the last. Only for a token that is there.
  const char* Start() const { return text_ + offsets_[next_]; }
  // The token's bytes without the white space after it. For a string, with its quotes.
  std::string_view Token() const {
    const char* start = Start();
    const char* end = text_ + offsets_[next_ + 1];
    while (IsBlank(end[-1])) end--;
    return {start, static_cast<size_t>(end - start)};
  }
  // The current string without its quotes, escapes still in it.
  std::string_view StringToken() const {
    const std::string_view token = Token();
    return token.substr(1, token.size() - 2);
  }
  // Byte offset of the current token, or the document's size at the end.
  size_t Offset() const { return next_ < count_ ? offsets_[next_] : size_; }
  // Everything from the current token on.
  std::string_view Rest() const { return {text_ + Offset(), size_ - Offset()}; }

  // Passes over the current value, whatever it is, checking that it is well formed (but for the
  // escapes in strings). False when it is not; the cursor is then at the fault.
  bool SkipValue() { return Skip(0); }

 private:
  static constexpr int kDepthMax = 1000;

  // Exactly JSON's white space: other control characters are part of a (bad) token.
  static bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

  bool Skip(int depth);
  bool SkipObject(int depth);
  bool SkipArray(int depth);

  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage_;
  size_t capacity_ = 0;
  const char* text_ = nullptr;
  size_t size_ = 0;
  const uint32_t* offsets_ = nullptr;  // count_ of them, then size_
  uint32_t count_ = 0;
  uint32_t next_ = 0;
  const char* error_ = "";
};

// Whether `text` is a number by JSON's grammar: no leading zeros or '+', digits around the point.
bool IsJsonNumber(std::string_view text);

// Whether `text` contains a backslash.
bool HasEscape(std::string_view text);

// memcmp for the few bytes of a field name, without the call.
inline bool SameBytes(const char* a, const char* b, size_t size) {
  if (size < 8) return std::memcmp(a, b, size) == 0;
  uint64_t x = 0;
  uint64_t y = 0;
  size_t i = 0;
  for (; i + 8 < size; i += 8) {
    std::memcpy(&x, a + i, 8);
    std::memcpy(&y, b + i, 8);
    if (x != y) return false;
  }
  std::memcpy(&x, a + size - 8, 8);
  std::memcpy(&y, b + size - 8, 8);
  return x == y;
}

// Replaces the escapes of a JSON string (given without its quotes) and writes the result to
// `target`, which has room for text.size() bytes. Returns the size, or -1 when an escape is broken
// or half of a surrogate pair stands alone.
ptrdiff_t Unescape(std::string_view text, char* target);

}  // namespace millrace::format
