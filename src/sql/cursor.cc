#include "sql/cursor.h"

#include "base/strings.h"

namespace millrace::sql {
namespace {

bool Opens(const Token& t) {
  return t.IsOperator("(") || t.IsOperator("[") || t.IsOperator("{");
}
bool Closes(const Token& t) {
  return t.IsOperator(")") || t.IsOperator("]") || t.IsOperator("}");
}

}  // namespace

bool TokenCursor::AcceptWords(std::initializer_list<std::string_view> words) {
  size_t i = 0;
  for (std::string_view word : words) {
    if (!Peek(i++).Is(word)) return false;
  }
  MoveTo(pos_ + words.size());
  return true;
}

bool TokenCursor::AcceptOperator(std::string_view op) {
  if (!Peek().IsOperator(op)) return false;
  Next();
  return true;
}

Status TokenCursor::Unexpected(std::string_view what) const {
  return Status(Code::kSyntax,
                "expected " + std::string(what) + ", found " + Peek().Describe())
      .At(Span());
}

Status TokenCursor::ExpectWord(std::string_view word, std::string_view where) {
  if (AcceptWord(word)) return Status::Ok();
  return Unexpected("\"" + std::string(word) + "\"" + (where.empty() ? "" : " ") +
                    std::string(where));
}

Status TokenCursor::ExpectOperator(std::string_view op, std::string_view where) {
  if (AcceptOperator(op)) return Status::Ok();
  return Unexpected("\"" + std::string(op) + "\"" + (where.empty() ? "" : " ") +
                    std::string(where));
}

Result<std::string> TokenCursor::ExpectString(std::string_view what) {
  if (Peek().kind != TokenKind::kString) return Unexpected(what);
  return Next().value;
}

Result<std::string> TokenCursor::ExpectIdentifier(std::string_view what) {
  if (!Peek().IsName()) return Unexpected(what);
  return Next().NameText();
}

Result<Name> TokenCursor::ExpectName(std::string_view what) {
  Name name;
  size_t begin = pos_;
  do {
    MR_ASSIGN_OR_RETURN(std::string part, ExpectIdentifier(what));
    name.parts.push_back(std::move(part));
  } while (AcceptOperator("."));
  name.span = MakeFragment(begin, pos_).span;
  return name;
}

Result<std::vector<std::string>> TokenCursor::ExpectIdentifierList(std::string_view what) {
  std::vector<std::string> names;
  MR_RETURN_IF_ERROR(ExpectOperator("(", "before " + std::string(what)));
  do {
    MR_ASSIGN_OR_RETURN(std::string name, ExpectIdentifier(what));
    names.push_back(std::move(name));
  } while (AcceptOperator(","));
  MR_RETURN_IF_ERROR(ExpectOperator(")", "after " + std::string(what)));
  return names;
}

size_t TokenCursor::MatchingClose(size_t open) const {
  int depth = 0;
  for (size_t i = open; i < tokens_.size(); i++) {
    if (tokens_[i].IsOperator(";")) return i;
    if (Opens(tokens_[i])) depth++;
    if (Closes(tokens_[i]) && --depth == 0) return i;
  }
  return tokens_.size() - 1;
}

void TokenCursor::SkipTo(std::initializer_list<std::string_view> operators,
                         std::initializer_list<std::string_view> words) {
  int depth = 0;
  for (; !AtEnd(); Next()) {
    const Token& token = Peek();
    if (depth == 0) {
      if (Closes(token)) return;
      for (std::string_view op : operators) {
        if (token.IsOperator(op)) return;
      }
      for (std::string_view word : words) {
        if (token.Is(word)) return;
      }
    }
    if (token.IsOperator(";")) return;
    if (Opens(token)) depth++;
    if (Closes(token)) depth--;
  }
}

Fragment TokenCursor::MakeFragment(size_t begin, size_t end) const {
  Fragment fragment;
  const Token& first = At(begin);
  fragment.offset = base_ + first.offset;
  fragment.span = first.Span(file_);
  fragment.span.length = 0;
  if (end > begin) {
    fragment.text = std::string(text_.substr(first.offset, At(end - 1).end() - first.offset));
    fragment.span.length = static_cast<int>(fragment.text.size());
  }
  return fragment;
}

Result<Fragment> TokenCursor::ExpectParenthesised(std::string_view what) {
  size_t open = pos_;
  MR_RETURN_IF_ERROR(ExpectOperator("(", "before " + std::string(what)));
  size_t close = MatchingClose(open);
  if (!At(close).IsOperator(")")) {
    return Status(Code::kSyntax, "parenthesis is not closed").At(At(open).Span(file_));
  }
  if (close == open + 1) {
    return Status(Code::kSyntax, "expected " + std::string(what) + " between the parentheses")
        .At(At(open).Span(file_));
  }
  MoveTo(close + 1);
  return MakeFragment(open + 1, close);
}

}  // namespace millrace::sql
