#include "dbt/clickhouse_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/strings.h"

namespace millrace::dbt {

namespace {

// ClickHouse's own numbers (src/Common/ErrorCodes.cpp).
struct KnownError {
  int number;
  Code code;
};
constexpr KnownError kKnownErrors[] = {
    {46, Code::kUnknownFunction}, {47, Code::kUnknownColumn},     {53, Code::kType},
    {57, Code::kAlreadyExists},   {60, Code::kUnknownTable},      {62, Code::kSyntax},
    {81, Code::kUnknownTable},    {159, Code::kDeadlineExceeded}, {241, Code::kResourceExhausted},
    {516, Code::kBadOption},
};
constexpr int kWrongPassword = 516;

std::string PercentEncoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

int LineAt(const std::string& text, size_t at) {
  return 1 + static_cast<int>(
                 std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

// The first name that the message has between `quote`s, if the statement has it once.
int LineOfName(const std::string& statement, const std::string& message, char quote) {
  const size_t from = message.find(quote);
  const size_t to = from == std::string::npos ? from : message.find(quote, from + 1);
  if (to == std::string::npos || to == from + 1) return 0;
  const std::string name = message.substr(from + 1, to - from - 1);
  const size_t at = statement.find(name);
  if (at == std::string::npos || statement.find(name, at + 1) != std::string::npos) return 0;
  return LineAt(statement, at);
}

int LineOf(const std::string& statement, const std::string& message) {
  const size_t named = message.find("(line ");
  if (named != std::string::npos) return std::atoi(message.c_str() + named + 6);
  const int line = LineOfName(statement, message, '`');
  return line > 0 ? line : LineOfName(statement, message, '\'');
}

// "Code: 62. DB::Exception: Syntax error: … (SYNTAX_ERROR)"
Status ErrorOf(const std::string& answer, const std::string& statement) {
  const int number = answer.starts_with("Code: ") ? std::atoi(answer.c_str() + 6) : 0;
  const std::string mark = "DB::Exception: ";
  const size_t at = answer.find(mark);
  const std::string text =
      std::string(Trim(at == std::string::npos ? answer : answer.substr(at + mark.size())));
  Code code = Code::kBind;
  for (const KnownError& known : kKnownErrors) {
    if (known.number == number) code = known.code;
  }
  Status status(code, "ClickHouse: " + text);
  if (number == kWrongPassword) {
    return std::move(status).WithHint("look at user and password of the target in profiles.yml");
  }
  return std::move(status).At({"", LineOf(statement, text), 0, 0});
}

}  // namespace

ClickHouseClient::ClickHouseClient(const ClickHouseSettings& settings)
    : http_({.url = settings.url,
             .headers = {{"X-ClickHouse-User", settings.user},
                         {"X-ClickHouse-Key", settings.password}},
             .timeout_ms = settings.timeout_ms}),
      server_settings_(settings.server_settings) {}

Result<std::string> ClickHouseClient::Send(const std::string& statement, const std::string* rows) {
  // The status is known only at the end: before, nothing is to be sent.
  std::string path = "/?default_format=JSONCompact&wait_end_of_query=1";
  auto add = [&](const std::string& name, const std::string& value) {
    path += "&" + PercentEncoded(name) + "=" + PercentEncoded(value);
  };
  if (!database_.empty()) add("database", database_);
  for (const auto& [name, value] : server_settings_) add(name, value);
  if (rows != nullptr) add("query", statement);
  MR_ASSIGN_OR_RETURN(connectors::http::HttpAnswer answer,
                      http_.Send({.path = path,
                                  .content_type = "text/plain; charset=UTF-8",
                                  .body = rows != nullptr ? *rows : statement}));
  if (answer.status != 200) return ErrorOf(answer.body, statement);
  return std::move(answer.body);
}

Result<Value> ClickHouseClient::Ask(const std::string& statement) {
  MR_ASSIGN_OR_RETURN(std::string answer, Send(statement, nullptr));
  if (Trim(answer).empty()) return Value();
  return Value::FromJson(answer);
}

Status ClickHouseClient::Insert(const std::string& statement, const std::string& rows) {
  return Send(statement, &rows).status();
}

}  // namespace millrace::dbt
