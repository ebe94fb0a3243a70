#include "model/masking.h"

#include <algorithm>
#include <cctype>

#include "base/strings.h"

namespace millrace::model {

namespace {

bool IsBlank(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

// Ends a URL in a text.
bool EndsUrl(char c) {
  return IsBlank(c) || c == '\'' || c == '"' || c == '`' || c == '<' || c == '>';
}

bool IsReference(std::string_view value) {
  return value.starts_with("${") && value.find('}') == value.size() - 1;
}

// The place behind the quoted text that begins at `at`; its own quotes are doubled inside.
size_t EndOfQuoted(std::string_view sql, size_t at) {
  const char quote = sql[at];
  for (size_t i = at + 1; i < sql.size(); i++) {
    if (sql[i] != quote) continue;
    if (i + 1 < sql.size() && sql[i + 1] == quote) {
      i++;
    } else {
      return i + 1;
    }
  }
  return sql.size();
}

size_t SkipBlanks(std::string_view sql, size_t at) {
  while (at < sql.size() && IsBlank(sql[at])) at++;
  return at;
}

// Where the quoted value of `= '…'` begins that follows at `at`; npos when none does.
size_t ValueAfter(std::string_view sql, size_t at) {
  at = SkipBlanks(sql, at);
  if (at >= sql.size() || sql[at] != '=') return std::string_view::npos;
  at = SkipBlanks(sql, at + 1);
  return at < sql.size() && sql[at] == '\'' ? at : std::string_view::npos;
}

// The place behind a comment that begins at `at`; `at` itself when none does. Hints are no
// comments.
size_t EndOfComment(std::string_view sql, size_t at) {
  const std::string_view rest = sql.substr(at);
  if (rest.starts_with("--")) return std::min(sql.find('\n', at), sql.size());
  if (!rest.starts_with("/*") || rest.starts_with("/*+")) return at;
  const size_t end = sql.find("*/", at + 2);
  return end == std::string_view::npos ? sql.size() : end + 2;
}

}  // namespace

bool IsSecretName(std::string_view name) {
  const std::string lower = ToLower(name);
  static constexpr const char* kWords[] = {
      "password",    "passwd",      "pwd",     "secret",      "token",
      "credential",  "api-key",     "apikey",  "api_key",     "authorization",
      "private-key", "jaas.config", "key.pem", "keystore.key"};
  if (lower.starts_with("headers.")) return true;  // of requests: who asks, mostly
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](const char* word) { return lower.find(word) != std::string::npos; });
}

std::string ShownValue(std::string_view name, std::string_view value) {
  if (IsReference(value)) return std::string(value);
  return IsSecretName(name) ? kMasked : MaskUrls(value);
}

std::string MaskUrls(std::string_view text) {
  std::string out;
  size_t done = 0;  // of `text`, copied or masked
  auto copy_to = [&](size_t end) {
    out += text.substr(done, end - done);
    done = end;
  };
  for (size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://", done)) {
    copy_to(at + 3);
    size_t end = done;
    while (end < text.size() && !EndsUrl(text[end])) end++;
    const size_t host_end = std::min(text.find_first_of("/?#", done), end);
    const size_t login_end = text.substr(0, host_end).rfind('@');
    if (login_end != std::string_view::npos && login_end >= done) {
      const std::string_view login = text.substr(done, login_end - done);
      const size_t colon = login.find(':');
      const bool only_reference =
          colon != std::string_view::npos && IsReference(login.substr(colon + 1));
      if (!only_reference) {
        out += kMasked;
        done = login_end;
      }
      copy_to(login_end);
    }
    for (size_t mark = text.find_first_of("?&;", done); mark < end;
         mark = text.find_first_of("?&;", done)) {
      copy_to(mark + 1);
      const size_t equals = text.find('=', done);
      const size_t value_end = std::min(text.find_first_of("&;#", done), end);
      if (equals >= value_end) continue;
      const std::string_view value = text.substr(equals + 1, value_end - equals - 1);
      if (!IsSecretName(text.substr(done, equals - done)) || IsReference(value)) continue;
      copy_to(equals + 1);
      out += kMasked;
      done = value_end;
    }
    copy_to(end);
  }
  copy_to(text.size());
  return out;
}

std::string MaskSql(std::string_view sql) {
  std::string out;
  for (size_t at = 0; at < sql.size();) {
    if (const size_t end = EndOfComment(sql, at); end > at) {
      out += sql.substr(at, end - at);
      at = end;
      continue;
    }
    if (sql[at] != '\'' && sql[at] != '"' && sql[at] != '`') {
      out += sql[at++];
      continue;
    }
    const size_t end = EndOfQuoted(sql, at);
    out += sql.substr(at, end - at);
    const bool is_text = sql[at] == '\'';
    const std::string_view name = sql.substr(at + 1, end - at - 1);
    at = end;
    const size_t value = is_text ? ValueAfter(sql, at) : std::string_view::npos;
    if (value == std::string_view::npos) continue;
    const size_t value_end = EndOfQuoted(sql, value);
    const std::string_view quoted = sql.substr(value, value_end - value);
    const bool whole = quoted.size() >= 2 && quoted.back() == '\'';
    const std::string_view inside = quoted.substr(1, quoted.size() - (whole ? 2 : 1));
    out += std::string(sql.substr(at, value - at)) + "'" + ShownValue(name, inside) +
           (whole ? "'" : "");
    at = value_end;
  }
  return MaskUrls(out);
}

}  // namespace millrace::model
