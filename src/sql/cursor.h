// TokenCursor: walks over the tokens of one text; the parsers of this folder are built on it.
//
// Contract: a view; the text and the tokens must outlive it. Never moves past the last token.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "sql/lexer.h"
#include "sql/statement.h"

namespace millrace::sql {

class TokenCursor {
 public:
  // `base` is the offset of `text` in its script.
  TokenCursor(std::string_view text, const std::vector<Token>& tokens, std::string file,
              size_t base = 0)
      : text_(text), tokens_(tokens), file_(std::move(file)), base_(base) {}

  const Token& Peek(size_t ahead = 0) const {
    return tokens_[std::min(pos_ + ahead, tokens_.size() - 1)];
  }
  const Token& At(size_t index) const { return tokens_[std::min(index, tokens_.size() - 1)]; }
  const Token& Next() {
    const Token& token = Peek();
    if (pos_ + 1 < tokens_.size()) pos_++;
    return token;
  }
  size_t pos() const { return pos_; }
  void MoveTo(size_t pos) { pos_ = std::min(pos, tokens_.size() - 1); }
  bool AtEnd() const { return Peek().kind == TokenKind::kEnd; }
  const std::string& file() const { return file_; }

  // True, and moved past them, if the next tokens are these words (upper case).
  bool AcceptWords(std::initializer_list<std::string_view> words);
  bool AcceptWord(std::string_view word) { return AcceptWords({word}); }
  bool AcceptOperator(std::string_view op);
  // kSyntax unless it is there. `where` completes "expected X …": "after the column name".
  Status ExpectWord(std::string_view word, std::string_view where);
  Status ExpectOperator(std::string_view op, std::string_view where);
  Result<std::string> ExpectString(std::string_view what);
  // `what` for the message: "a column name".
  Result<std::string> ExpectIdentifier(std::string_view what);
  Result<Name> ExpectName(std::string_view what);
  // "(" name, name … ")"
  Result<std::vector<std::string>> ExpectIdentifierList(std::string_view what);

  // "expected <what>, found <next token>" at the next token.
  Status Unexpected(std::string_view what) const;
  SourceSpan Span() const { return Peek().Span(file_); }

  // Index of the token that closes the bracket at `open`, or of kEnd / ';' when there is none.
  size_t MatchingClose(size_t open) const;
  // Moves to the first token outside brackets that is one of `operators`, or one of the words, or
  // closes an outer bracket, or ends the text.
  void SkipTo(std::initializer_list<std::string_view> operators,
              std::initializer_list<std::string_view> words = {});
  // The text of tokens [begin, end), verbatim.
  Fragment MakeFragment(size_t begin, size_t end) const;
  // Moves past "( … )" and returns what is between. kSyntax when it is not closed or empty.
  Result<Fragment> ExpectParenthesised(std::string_view what);

 private:
  std::string_view text_;
  const std::vector<Token>& tokens_;
  std::string file_;
  size_t base_;
  size_t pos_ = 0;
};

}  // namespace millrace::sql
