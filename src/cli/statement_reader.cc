#include "cli/statement_reader.h"

#include "base/strings.h"

namespace millrace::cli {

namespace {

// The index after the token at `at` that is a string, a quoted name or a comment (the end of the
// text when it is not closed); `at` itself when it is none of them.
size_t SkipOpaque(std::string_view text, size_t at) {
  auto after = [&](std::string_view end, size_t from) {
    size_t found = text.find(end, from);
    return found == std::string_view::npos ? text.size() : found + end.size();
  };
  char c = text[at];
  if (c == '\'' || c == '"' || c == '`') return after(std::string_view(&c, 1), at + 1);
  if (text.substr(at, 2) == "--") return after("\n", at);
  if (text.substr(at, 2) == "/*") return after("*/", at + 2);
  return at;
}

bool IsComment(std::string_view text, size_t at) {
  return text.substr(at, 2) == "--" || text.substr(at, 2) == "/*";
}

bool OnlyComments(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    if (IsComment(text, i)) {
      i = SkipOpaque(text, i);
    } else if (std::string_view(" \t\r\n").find(text[i]) != std::string_view::npos) {
      i++;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

std::vector<std::string> StatementReader::Add(std::string_view text) {
  pending_ += text;
  std::vector<std::string> whole;
  size_t start = 0;
  for (size_t i = 0; i < pending_.size();) {
    size_t next = SkipOpaque(pending_, i);
    if (next != i) {
      i = next;
      continue;
    }
    if (pending_[i] == ';') {
      std::string_view statement = Trim(std::string_view(pending_).substr(start, i - start));
      if (!OnlyComments(statement)) whole.emplace_back(statement);
      start = i + 1;
    }
    i++;
  }
  pending_.erase(0, start);
  return whole;
}

bool StatementReader::Empty() const {
  return OnlyComments(pending_);
}

std::string StatementReader::TakeRest() {
  std::string rest = OnlyComments(pending_) ? "" : std::string(Trim(pending_));
  pending_.clear();
  return rest;
}

}  // namespace millrace::cli
