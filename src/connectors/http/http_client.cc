#include "connectors/http/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <mutex>

#include "base/check.h"
#include "base/strings.h"
#include "model/masking.h"

namespace millrace::connectors::http {

namespace {

constexpr size_t kAnswerBytesMax = 256UL << 20;
constexpr size_t kShownBytes = 200;  // of an answer that says what is wrong

// libcurl's callback for what arrives; less than `size` ends the transfer.
size_t Append(char* data, size_t unit, size_t count, void* answer) {
  auto& text = *static_cast<std::string*>(answer);
  const size_t size = unit * count;
  if (text.size() + size > kAnswerBytesMax) return 0;
  text.append(data, size);
  return size;
}

Status Unavailable(std::string message) {
  return Status(Code::kUnavailable, std::move(message)).WithRetry(Retry::kBackoff);
}

}  // namespace

std::string ShownAnswer(const std::string& text) {
  std::string shown = text.substr(0, kShownBytes);
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return std::string(Trim(shown));
}

Status CheckSettings(const HttpSettings& settings) {
  const std::string& url = settings.url;
  const size_t host = url.find("://") + 3;
  const std::string scheme = ToLower(url.substr(0, host));
  if ((scheme != "http://" && scheme != "https://") || url.size() == host) {
    return Status(Code::kBadOption,
                  fmt::format("\"{}\" is no URL of an HTTP service", model::MaskUrls(url)))
        .WithHint("write 'http://127.0.0.1:9000/score'");
  }
  if (url.substr(host, url.find_first_of("/?#", host) - host).find('@') != std::string::npos) {
    return Status(Code::kBadOption, "the URL holds a user's name or password")
        .WithHint("take it out, and write 'headers.authorization' = 'Basic ${env:TOKEN}'");
  }
  for (const auto& [name, value] : settings.headers) {
    const bool one_line =
        (name + value).find_first_of(std::string("\r\n\0", 3)) == std::string::npos;
    if (one_line && name.find_first_of(": ") == std::string::npos) continue;
    return Status(Code::kBadOption,
                  fmt::format("option \"headers.{}\" cannot be a header of HTTP", name))
        .WithHint("a name without blanks and a value of one line");
  }
  return Status::Ok();
}

struct HttpClient::Impl {
  HttpSettings settings;
  std::string shown;  // the URL, for messages
  CURL* handle = nullptr;
  char error[CURL_ERROR_SIZE] = {};
};

HttpClient::HttpClient(HttpSettings settings) : impl_(std::make_unique<Impl>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  impl_->shown = model::MaskUrls(settings.url);
  impl_->settings = std::move(settings);
  impl_->handle = curl_easy_init();
  MR_CHECK(impl_->handle != nullptr, "libcurl gives a handle");
}

HttpClient::~HttpClient() {
  curl_easy_cleanup(impl_->handle);
}

Result<HttpAnswer> HttpClient::Send(const HttpRequest& request) {
  CURL* handle = impl_->handle;
  const HttpSettings& settings = impl_->settings;
  const std::string url = settings.url + request.path;
  HttpAnswer answer;
  impl_->error[0] = '\0';
  curl_easy_reset(handle);  // keeps the connection
  curl_slist* headers = nullptr;
  auto add_header = [&](const std::string& line) {
    headers = curl_slist_append(headers, line.c_str());
  };
  add_header("Content-Type: " + request.content_type);
  add_header("Accept: application/json");
  add_header("Expect:");  // no round trip to ask whether a body is welcome
  for (const auto& [name, value] : settings.headers) add_header(name + ": " + value);
  for (const auto& [name, value] : request.headers) add_header(name + ": " + value);
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(settings.timeout_ms));
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, impl_->error);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, Append);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer.body);
  if (!settings.username.empty()) {
    if (settings.aws_signature.empty()) {
      curl_easy_setopt(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    } else {
      curl_easy_setopt(handle, CURLOPT_AWS_SIGV4, settings.aws_signature.c_str());
    }
    curl_easy_setopt(handle, CURLOPT_USERNAME, settings.username.c_str());
    curl_easy_setopt(handle, CURLOPT_PASSWORD, settings.password.c_str());
  }
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET") {
    const std::string& body = request.body;
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
  }
  const CURLcode code = curl_easy_perform(handle);
  curl_slist_free_all(headers);
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return Unavailable(
        fmt::format("{} does not answer within {} ms", impl_->shown, settings.timeout_ms));
  }
  if (code == CURLE_WRITE_ERROR) {
    return Unavailable(
        fmt::format("{} answers with more than {} MiB", impl_->shown, kAnswerBytesMax >> 20));
  }
  if (code != CURLE_OK) {
    const std::string why = impl_->error[0] ? impl_->error : curl_easy_strerror(code);
    return Unavailable(fmt::format("{} does not answer: {}", impl_->shown, why));
  }
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

Result<std::string> HttpClient::Post(const std::string& body) {
  MR_ASSIGN_OR_RETURN(HttpAnswer answer, Send({.body = body}));
  if (answer.status != 200) {
    return Unavailable(fmt::format("{} answers with status {}: {}", impl_->shown, answer.status,
                                   ShownAnswer(answer.body)));
  }
  return std::move(answer.body);
}

}  // namespace millrace::connectors::http
