#include "serve/event_splitter.h"

#include <cstring>

#include "base/strings.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace millrace::serve {

namespace {
bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

const char* SkipBlanks(const char* p, const char* end) {
  while (p < end && IsBlank(*p)) p++;
  return p;
}

// First byte at or after `p` that ends a run of ordinary string bytes: a quote, a backslash or a
// control character; `end` when there is none.
const char* FindInString(const char* p, const char* end) {
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i control = _mm_set1_epi8(0x1f);
  while (end - p >= 16) {
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
    hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
    int mask = _mm_movemask_epi8(hit);
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
    p += 16;
  }
#endif
  while (p < end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20) p++;
  return p;
}

// Past the closing quote of the string whose first byte is `p`; null when it never closes or holds
// a raw control character (which JSON forbids: most likely the quote is missing).
const char* SkipString(const char* p, const char* end) {
  for (;;) {
    p = FindInString(p, end);
    if (p >= end) return nullptr;
    if (*p == '"') return p + 1;
    if (*p != '\\' || end - p < 2) return nullptr;
    p += 2;
  }
}

// Past the value that begins at `p` (not blank), judging by brackets and quotes alone; null when
// it does not end within the text. A bare word ends before a comma, bracket or blank.
const char* SkipValue(const char* p, const char* end) {
  if (*p == '"') return SkipString(p + 1, end);
  if (*p != '{' && *p != '[') {
    const char* begin = p;
    while (p < end && !IsBlank(*p) && std::strchr(",[]{}\"", *p) == nullptr) p++;
    return p == begin ? nullptr : p;
  }
  int depth = 0;
  while (p < end) {
    switch (*p) {
      case '{':
      case '[':
        depth++;
        break;
      case '}':
      case ']':
        if (--depth == 0) return p + 1;
        break;
      case '"':
        p = SkipString(p + 1, end);
        if (p == nullptr) return nullptr;
        continue;
      default:
        break;
    }
    p++;
  }
  return nullptr;
}

void AddTrimmed(const char* begin, const char* end, std::vector<std::string_view>& events) {
  std::string_view text = Trim({begin, static_cast<size_t>(end - begin)});
  if (!text.empty()) events.push_back(text);
}

// `p` is past the opening bracket.
void SplitArray(const char* p, const char* end, std::vector<std::string_view>& events) {
  p = SkipBlanks(p, end);
  bool closed = p < end && *p == ']';
  if (closed) p++;
  while (!closed) {
    const char* begin = SkipBlanks(p, end);
    const char* value_end = begin < end ? SkipValue(begin, end) : nullptr;
    const char* next = value_end ? SkipBlanks(value_end, end) : nullptr;
    if (next == nullptr || next == end || (*next != ',' && *next != ']')) {
      // The array ends too early or two elements run into each other.
      begin < end ? AddTrimmed(begin, end, events) : events.push_back({p - 1, 1});
      return;
    }
    events.emplace_back(begin, static_cast<size_t>(value_end - begin));
    closed = *next == ']';
    p = next + 1;
  }
  AddTrimmed(p, end, events);  // what follows the array is no event of it
}

// True when all of the text is objects, one after the other.
bool SplitObjects(const char* p, const char* end, std::vector<std::string_view>& events) {
  size_t before = events.size();
  for (p = SkipBlanks(p, end); p < end; p = SkipBlanks(p, end)) {
    const char* value_end = *p == '{' ? SkipValue(p, end) : nullptr;
    if (value_end == nullptr) {
      events.resize(before);
      return false;
    }
    events.emplace_back(p, static_cast<size_t>(value_end - p));
    p = value_end;
  }
  return true;
}
}  // namespace

void SplitLines(std::string_view body, std::vector<std::string_view>& events) {
  const char* p = body.data();
  const char* end = p + body.size();
  while (p < end) {
    const char* newline =
        static_cast<const char*>(std::memchr(p, '\n', static_cast<size_t>(end - p)));
    const char* line_end = newline ? newline : end;
    AddTrimmed(p, line_end, events);
    p = newline ? newline + 1 : end;
  }
}

void SplitEvents(std::string_view body, std::vector<std::string_view>& events) {
  if (body.starts_with("\xEF\xBB\xBF")) body.remove_prefix(3);  // byte order mark
  const char* end = body.data() + body.size();
  const char* p = SkipBlanks(body.data(), end);
  if (p == end) return;
  std::string_view text(p, static_cast<size_t>(end - p));
  if (*p == '[') {
    SplitArray(p + 1, end, events);
    return;
  }
  // When the first line is a whole object the body is NDJSON, which needs no scan. Else the object
  // may be printed over several lines, if that reads well to the end.
  std::string_view first_line = text.substr(0, text.find('\n'));
  const char* line_end = first_line.data() + first_line.size();
  const char* value_end = *p == '{' ? SkipValue(p, line_end) : nullptr;
  bool whole_line = value_end != nullptr && SkipBlanks(value_end, line_end) == line_end;
  if (whole_line || !SplitObjects(p, end, events)) SplitLines(text, events);
}

}  // namespace millrace::serve
