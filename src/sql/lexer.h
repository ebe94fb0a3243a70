// Cuts SQL text into tokens with their places.
//
// Contract: pure, callable from any thread; tokens point into the text given, which must outlive
// them. Comments (`--`, `/* */`, not nested, as in Flink) are skipped; hints `/*+ … */` are tokens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "sql/statement.h"

namespace millrace::sql {

enum class TokenKind {
  kWord,      // unquoted name or keyword
  kQuoted,    // `name` or "name"; value has the quotes off
  kString,    // 'text'; value is decoded
  kNumber,    // 12, 1.5, .5, 1e-3
  kOperator,  // one of ( ) [ ] , ; . + - * / % = < > <= >= <> != || :: => -> : and the like
  kHint,      // /*+ text */; value is the text
  kEnd,       // one past the last
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // as written
  std::string value;      // decoded, for kQuoted, kString and kHint
  size_t offset = 0;      // of the first byte, in the text given to Lex
  int line = 1;           // of the script
  int column = 1;         // of the script, in characters

  size_t end() const { return offset + text.size(); }
  // Unquoted word, compared without case; `upper` in upper case.
  bool Is(std::string_view upper) const;
  bool IsOperator(std::string_view op) const { return kind == TokenKind::kOperator && text == op; }
  bool IsName() const { return kind == TokenKind::kWord || kind == TokenKind::kQuoted; }
  // The name that a kWord or kQuoted token stands for.
  std::string NameText() const;
  // For messages: `"from"`, `string 'x'`, `end of text`.
  std::string Describe() const;
  SourceSpan Span(const std::string& file) const;
};

struct Lexed {
  std::vector<Token> tokens;  // always ends with kEnd
  Status status;              // not OK: `tokens` stops before the fault
};

// `start` tells where the text begins in its file. Errors: kSyntax (unterminated string, quoted name
// or comment, a character that SQL does not know, bytes that are not UTF-8, nesting too deep).
Lexed Lex(std::string_view text, const SourceSpan& start);

// Parentheses and brackets deeper than this are refused, so that recursion stays shallow.
inline constexpr int kNestingMax = 100;

}  // namespace millrace::sql
