#include "sql/lexer.h"

#include <array>

#include "base/strings.h"

namespace millrace::sql {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
bool IsWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsWordPart(char c) { return IsWordStart(c) || IsDigit(c) || c == '$'; }
int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void AppendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// \XXXX and \+XXXXXX of a U&'…' literal. False when an escape is malformed.
bool DecodeUnicode(const std::string& in, std::string& out) {
  for (size_t i = 0; i < in.size();) {
    if (in[i] != '\\') {
      out += in[i++];
      continue;
    }
    if (i + 1 < in.size() && in[i + 1] == '\\') {
      out += '\\';
      i += 2;
      continue;
    }
    size_t digits = 4;
    i++;
    if (i < in.size() && in[i] == '+') {
      digits = 6;
      i++;
    }
    if (i + digits > in.size()) return false;
    uint32_t code = 0;
    for (size_t k = 0; k < digits; k++) {
      int h = HexValue(in[i + k]);
      if (h < 0) return false;
      code = code * 16 + static_cast<uint32_t>(h);
    }
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return false;
    AppendUtf8(code, out);
    i += digits;
  }
  return true;
}

class Lexer {
 public:
  Lexer(std::string_view text, const SourceSpan& start)
      : text_(text), file_(start.file), line_(std::max(1, start.line)),
        column_(std::max(1, start.column)) {}

  Lexed Run() {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") pos_ = 3;
    CheckUtf8();
    while (result_.status.ok() && SkipBlanks() && pos_ < limit_) Next();
    Token end;
    end.offset = pos_;
    end.text = text_.substr(pos_, 0);
    end.line = line_;
    end.column = column_;
    result_.tokens.push_back(end);
    return std::move(result_);
  }

 private:
  // Text up to the first bad byte is still cut into tokens, so that earlier faults are found too.
  void CheckUtf8() {
    limit_ = text_.size();
    if (IsValidUtf8(text_) && text_.find('\0') == std::string_view::npos) return;
    size_t low = 0;
    size_t high = text_.size();
    if (size_t nul = text_.find('\0'); nul != std::string_view::npos) high = nul;
    if (!IsValidUtf8(text_.substr(0, high))) {
      while (high - low > 1) {  // the longest valid prefix, give or take a cut character
        size_t middle = low + (high - low) / 2;
        size_t whole = middle;
        while (whole > low && (static_cast<unsigned char>(text_[whole]) & 0xC0) == 0x80) whole--;
        if (IsValidUtf8(text_.substr(0, whole))) {
          low = middle;
        } else {
          high = middle;
        }
      }
      while (low > 0 && !IsValidUtf8(text_.substr(0, low))) low--;
      high = low;
    }
    limit_ = high;
  }

  char At(size_t i) const { return i < limit_ ? text_[i] : '\0'; }

  void Advance(size_t count) {
    for (size_t end = std::min(pos_ + count, limit_); pos_ < end; pos_++) {
      if (text_[pos_] == '\n') {
        line_++;
        column_ = 1;
      } else if ((static_cast<unsigned char>(text_[pos_]) & 0xC0) != 0x80) {
        column_++;
      }
    }
  }

  SourceSpan Here(int length = 1) const { return {file_, line_, column_, length}; }

  void Fail(std::string message, SourceSpan span, std::string hint) {
    Status status(Code::kSyntax, std::move(message));
    status = std::move(status).At(std::move(span));
    if (!hint.empty()) status = std::move(status).WithHint(std::move(hint));
    result_.status = std::move(status);
  }

  // Skips blanks and comments; false after an error.
  bool SkipBlanks() {
    while (pos_ < limit_) {
      if (IsSpace(text_[pos_])) {
        Advance(1);
      } else if (At(pos_) == '-' && At(pos_ + 1) == '-') {
        size_t end = text_.find('\n', pos_);
        Advance((end == std::string_view::npos ? limit_ : end) - pos_);
      } else if (At(pos_) == '/' && At(pos_ + 1) == '*' && At(pos_ + 2) != '+') {
        size_t end = text_.substr(0, limit_).find("*/", pos_ + 2);
        if (end == std::string_view::npos) {
          Fail("comment is not closed", Here(2), "end it with */");
          return false;
        }
        Advance(end + 2 - pos_);
      } else {
        return true;
      }
    }
    if (limit_ < text_.size() && result_.status.ok()) {
      Fail("text is not valid UTF-8", Here(), "save the file as UTF-8, without NUL bytes");
      return false;
    }
    return true;
  }

  Token Begin(TokenKind kind) const {
    Token token;
    token.kind = kind;
    token.offset = pos_;
    token.line = line_;
    token.column = column_;
    return token;
  }
  void Finish(Token token, size_t length) {
    token.text = text_.substr(pos_, length);
    Advance(length);
    result_.tokens.push_back(std::move(token));
  }

  void Next() {
    char c = At(pos_);
    char next = At(pos_ + 1);
    if (c == '\'') return Quoted(TokenKind::kString, 0, "string");
    if (c == '`' || c == '"') return Quoted(TokenKind::kQuoted, 0, "quoted name");
    if ((c == 'U' || c == 'u') && next == '&' && At(pos_ + 2) == '\'') {
      return Quoted(TokenKind::kString, 2, "string");
    }
    if (IsWordStart(c)) return Word();
    if (IsDigit(c) || (c == '.' && IsDigit(next) && !AfterOperand())) return Number();
    if (c == '/' && next == '*') return Hint();
    Operator();
  }

  // In `t.1` the dot belongs to the name before it.
  bool AfterOperand() const {
    if (result_.tokens.empty()) return false;
    const Token& last = result_.tokens.back();
    return last.end() == pos_ && (last.IsName() || last.IsOperator(")") || last.IsOperator("]"));
  }

  void Quoted(TokenKind kind, size_t prefix, const char* what) {
    Token token = Begin(kind);
    char quote = At(pos_ + prefix);
    for (size_t i = pos_ + prefix + 1; i < limit_; i++) {
      if (text_[i] != quote) {
        token.value += text_[i];
      } else if (At(i + 1) == quote) {
        token.value += quote;
        i++;
      } else {
        if (kind == TokenKind::kQuoted && token.value.empty()) {
          return Fail("a quoted name is empty", Here(2), "");
        }
        if (prefix > 0) {
          std::string decoded;
          if (!DecodeUnicode(token.value, decoded)) {
            return Fail("bad escape in a U&'…' string", Here(static_cast<int>(i + 1 - pos_)),
                        "write \\XXXX or \\+XXXXXX with hexadecimal digits, or \\\\ for a backslash");
          }
          token.value = std::move(decoded);
        }
        return Finish(std::move(token), i + 1 - pos_);
      }
    }
    Fail(std::string(what) + " is not closed", Here(static_cast<int>(prefix) + 1),
         std::string("end it with ") + quote + "; inside it, write " + quote + quote + " for one " +
             quote);
  }

  void Word() {
    size_t end = pos_;
    while (end < limit_ && IsWordPart(text_[end])) end++;
    Finish(Begin(TokenKind::kWord), end - pos_);
  }

  void Number() {
    size_t end = pos_;
    while (IsDigit(At(end))) end++;
    if (At(end) == '.') {
      end++;
      while (IsDigit(At(end))) end++;
    }
    if (At(end) == 'e' || At(end) == 'E') {
      size_t exponent = end + 1;
      if (At(exponent) == '+' || At(exponent) == '-') exponent++;
      if (IsDigit(At(exponent))) {
        end = exponent;
        while (IsDigit(At(end))) end++;
      }
    }
    if (IsWordStart(At(end))) {
      return Fail("a name cannot begin with a digit", Here(static_cast<int>(end - pos_)),
                  "put the name in backticks, or a blank after the number");
    }
    Finish(Begin(TokenKind::kNumber), end - pos_);
  }

  void Hint() {
    size_t end = text_.substr(0, limit_).find("*/", pos_ + 3);
    if (end == std::string_view::npos) return Fail("hint is not closed", Here(3), "end it with */");
    Token token = Begin(TokenKind::kHint);
    token.value = std::string(text_.substr(pos_ + 3, end - pos_ - 3));
    Finish(std::move(token), end + 2 - pos_);
  }

  void Operator() {
    static constexpr std::array<std::string_view, 8> kLong = {"<=", ">=", "<>", "!=",
                                                              "||", "::", "=>", "->"};
    std::string_view rest = text_.substr(pos_, std::min<size_t>(2, limit_ - pos_));
    for (std::string_view op : kLong) {
      if (rest == op) return Finish(Begin(TokenKind::kOperator), 2);
    }
    char c = text_[pos_];
    if (std::string_view("()[]{},;.+-*/%=<>:").find(c) == std::string_view::npos) {
      return Fail(std::string("unexpected character \"") + c + "\"", Here(), "");
    }
    if (c == '(' || c == '[' || c == '{') depth_++;
    if (c == ')' || c == ']' || c == '}') depth_--;
    if (c == ';') depth_ = 0;
    if (depth_ > kNestingMax) {
      return Fail("parentheses are nested too deeply", Here(),
                  "at most " + std::to_string(kNestingMax) + " levels are allowed");
    }
    Finish(Begin(TokenKind::kOperator), 1);
  }

  std::string_view text_;
  std::string file_;
  size_t pos_ = 0;
  size_t limit_ = 0;
  int line_;
  int column_;
  int depth_ = 0;
  Lexed result_;
};

}  // namespace

bool Token::Is(std::string_view upper) const {
  return kind == TokenKind::kWord && EqualsIgnoreCase(text, upper);
}

std::string Token::NameText() const {
  return kind == TokenKind::kQuoted ? value : std::string(text);
}

std::string Token::Describe() const {
  if (kind == TokenKind::kEnd) return "the end of the text";
  std::string shown(text.substr(0, 40));
  while (!shown.empty() && !IsValidUtf8(shown)) shown.pop_back();
  if (shown.size() < text.size()) shown += "…";
  if (size_t newline = shown.find('\n'); newline != std::string::npos) {
    shown = shown.substr(0, newline) + "…";
  }
  if (kind == TokenKind::kString || text.front() == '"') return shown;
  return "\"" + shown + "\"";
}

SourceSpan Token::Span(const std::string& file) const {
  return {file, line, column, static_cast<int>(text.size())};
}

Lexed Lex(std::string_view text, const SourceSpan& start) { return Lexer(text, start).Run(); }

SourceSpan LocateIn(const Fragment& fragment, size_t offset, size_t length) {
  SourceSpan span = fragment.span;
  span.length = static_cast<int>(length);
  offset = std::min(offset, fragment.text.size());
  for (size_t i = 0; i < offset; i++) {
    if (fragment.text[i] == '\n') {
      span.line++;
      span.column = 1;
    } else if ((static_cast<unsigned char>(fragment.text[i]) & 0xC0) != 0x80) {
      span.column++;
    }
  }
  return span;
}

}  // namespace millrace::sql
