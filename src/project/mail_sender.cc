#include "project/mail_sender.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "base/strings.h"

namespace millrace::project {

namespace {

constexpr long kTimeoutMs = 15'000;

// What libcurl reads a message from.
struct Upload {
  std::string bytes;
  size_t sent = 0;
};

size_t Read(char* out, size_t unit, size_t count, void* from) {
  auto& upload = *static_cast<Upload*>(from);
  const size_t size = std::min(unit * count, upload.bytes.size() - upload.sent);
  std::memcpy(out, upload.bytes.data() + upload.sent, size);
  upload.sent += size;
  return size;
}

// libcurl shows each line that the server says here; the last refusal is kept.
size_t KeepRefusal(char* data, size_t unit, size_t count, void* refusal) {
  const std::string_view line(data, unit * count);
  if (line.starts_with('4') || line.starts_with('5')) {
    *static_cast<std::string*>(refusal) = Trim(line);
  }
  return line.size();
}

int UsualPort(MailTls tls) {
  switch (tls) {
    case MailTls::kStartTls:
      return 587;
    case MailTls::kTls:
      return 465;
    case MailTls::kNone:
      return 25;
  }
  return 0;
}

}  // namespace

std::optional<MailTls> MailTlsFromName(std::string_view name) {
  if (name == "starttls") return MailTls::kStartTls;
  if (name == "tls") return MailTls::kTls;
  if (name == "none") return MailTls::kNone;
  return std::nullopt;
}

Status CheckSettings(const MailSettings& settings) {
  if (settings.host.empty()) {
    return Status(Code::kBadOption, "e-mail needs a host")
        .WithHint("write email: {host: smtp.example.org, from: millrace@example.org, to: [ … ]}");
  }
  if (settings.host.find_first_of("/@?# ") != std::string::npos) {
    return Status(Code::kBadOption, "the host of e-mail is no name of a host")
        .WithHint("write host: smtp.example.org, and the port as port: 587");
  }
  if (settings.to.empty()) {
    return Status(Code::kBadOption, "e-mail needs somebody to go to")
        .WithHint("write to: [oncall@example.org]");
  }
  std::vector<std::string> addresses = settings.to;
  addresses.push_back(settings.from);
  for (const std::string& address : addresses) {
    if (IsMailAddress(address)) continue;
    return Status(Code::kBadOption, fmt::format("\"{}\" is no address of e-mail", address))
        .WithHint("write from: millrace@example.org, without a name");
  }
  if (settings.tls == MailTls::kNone && !settings.password.empty()) {
    return Status(Code::kBadOption, "without TLS the password of e-mail would go out in the clear")
        .WithHint("leave tls at starttls, or log in nowhere");
  }
  return Status::Ok();
}

Status MailSender::Send(const MailMessage& message) const {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> owned(curl_easy_init(),
                                                                  &curl_easy_cleanup);
  CURL* handle = owned.get();
  MR_CHECK(handle != nullptr, "libcurl gives a handle");
  const int port = settings_.port > 0 ? settings_.port : UsualPort(settings_.tls);
  const std::string server = fmt::format("{}:{}", settings_.host, port);
  const std::string url = (settings_.tls == MailTls::kTls ? "smtps://" : "smtp://") + server;
  const std::string from = "<" + message.from + ">";
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> to(
      curl_slist_append(nullptr, ("<" + message.to + ">").c_str()), &curl_slist_free_all);
  Upload upload{message.ToBytes()};
  std::string refusal;
  char error[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, kTimeoutMs);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, KeepRefusal);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &refusal);
  if (settings_.tls == MailTls::kStartTls) {
    curl_easy_setopt(handle, CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  }
  if (!settings_.ca_file.empty()) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, settings_.ca_file.c_str());
  }
  if (!settings_.user.empty()) {
    curl_easy_setopt(handle, CURLOPT_USERNAME, settings_.user.c_str());
    curl_easy_setopt(handle, CURLOPT_PASSWORD, settings_.password.c_str());
  }
  curl_easy_setopt(handle, CURLOPT_MAIL_FROM, from.c_str());
  curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, to.get());
  curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(handle, CURLOPT_READFUNCTION, Read);
  curl_easy_setopt(handle, CURLOPT_READDATA, &upload);
  const CURLcode code = curl_easy_perform(handle);
  if (code == CURLE_OK) return Status::Ok();
  long said = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &said);
  const bool refused = said >= 500;
  return Status(refused ? Code::kInvalidArgument : Code::kUnavailable,
                fmt::format("mail server {}: {}{}", server,
                            error[0] ? error : curl_easy_strerror(code),
                            refusal.empty() ? "" : " (it says \"" + refusal + "\")"))
      .WithRetry(refused ? Retry::kNever : Retry::kBackoff);
}

}  // namespace millrace::project
