#include "serve/http_types.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "model/record.h"

namespace millrace::serve {

namespace {
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// False for a malformed escape or a NUL.
bool PercentDecode(std::string_view text, bool plus_is_blank, std::string& out) {
  out.clear();
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); i++) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return false;
      int high = HexDigit(text[i + 1]);
      int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    } else if (c == '+' && plus_is_blank) {
      c = ' ';
    }
    if (c == '\0') return false;
    out += c;
  }
  return true;
}
}  // namespace

const char* MethodName(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kHead:
      return "HEAD";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kDelete:
      return "DELETE";
    case Method::kOptions:
      return "OPTIONS";
    case Method::kOther:
      return "OTHER";
  }
  return "OTHER";
}

void Request::SetBody(std::string bytes) {
  body_size = bytes.size();
  buffer = std::move(bytes);
  buffer.append(model::kRecordPadding, '\0');
}

std::string_view Request::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (EqualsIgnoreCase(key, name)) return value;
  }
  return {};
}

std::string_view Request::Query(std::string_view name) const {
  for (auto it = query.rbegin(); it != query.rend(); ++it) {
    if (it->first == name) return it->second;
  }
  return {};
}

bool Request::HasQuery(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return true;
  }
  return false;
}

std::string_view Request::PathArg(std::string_view name) const {
  for (const auto& [key, value] : path_args) {
    if (key == name) return value;
  }
  return {};
}

int HttpStatusFor(const Status& status) {
  switch (status.code()) {
    case Code::kOk:
      return 200;
    case Code::kNotFound:
      return 404;
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
      return 409;
    case Code::kResourceExhausted:
    case Code::kUnavailable:
    case Code::kCancelled:
      return 503;
    case Code::kDeadlineExceeded:
      return 504;
    case Code::kCorruption:
    case Code::kIo:
    case Code::kInternal:
      return 500;
    default:
      return 400;
  }
}

Response ErrorResponse(const Status& status) {
  return ErrorResponse(HttpStatusFor(status), status);
}

Response ErrorResponse(int http_status, const Status& status) {
  Response response;
  response.status = http_status;
  response.body = fmt::format("{{\"error\":{{\"code\":\"MR{}\",\"message\":{}",
                              static_cast<int>(status.code()), JsonQuote(status.message()));
  if (!status.hint().empty()) response.body += ",\"hint\":" + JsonQuote(status.hint());
  if (!status.detail().empty()) response.body += ",\"detail\":" + JsonQuote(status.detail());
  response.body += "}}";
  if (status.retry() == Retry::kBackoff && (http_status == 429 || http_status == 503)) {
    response.headers.emplace_back("Retry-After", "1");
  }
  return response;
}

std::string_view ReasonPhrase(int http_status) {
  switch (http_status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Unknown";
  }
}

bool ParseTarget(Request& request) {
  request.segments.clear();
  request.query.clear();
  std::string_view target = request.target;
  if (target.empty() || target[0] != '/') return false;
  size_t fragment = target.find('#');
  if (fragment != std::string_view::npos) target = target.substr(0, fragment);
  size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  if (!PercentDecode(path, false, request.path)) return false;
  if (path != "/") {
    for (const std::string& segment : Split(path.substr(1), '/')) {
      PercentDecode(segment, false, request.segments.emplace_back());
    }
  }
  if (question == std::string_view::npos) return true;
  std::string_view rest = target.substr(question + 1);
  while (!rest.empty()) {
    size_t end = rest.find('&');
    std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (pair.empty()) continue;
    size_t equals = pair.find('=');
    std::string key;
    std::string value;
    if (!PercentDecode(pair.substr(0, equals), true, key)) return false;
    if (equals != std::string_view::npos && !PercentDecode(pair.substr(equals + 1), true, value)) {
      return false;
    }
    request.query.emplace_back(std::move(key), std::move(value));
  }
  return true;
}

}  // namespace millrace::serve
