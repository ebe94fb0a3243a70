#include "project/alert_channel.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <functional>

#include "base/strings.h"
#include "connectors/http/http_client.h"

namespace millrace::project {

namespace {

constexpr int64_t kTimeoutMs = 5'000;

// What Slack would take for a mention or a link is shown as it is written. Source: Slack's
// documentation, "Formatting text for app surfaces", "Escaping text".
std::string SlackText(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

// Posts what `body` makes of an alert.
class HttpChannel : public AlertChannel {
 public:
  using Body = std::function<std::string(const Alert&)>;
  static Result<std::unique_ptr<AlertChannel>> New(const std::string& url, const std::string& token,
                                                   Body body) {
    connectors::http::HttpSettings http;
    http.timeout_ms = kTimeoutMs;
    http.url = url;
    if (!token.empty()) http.headers.emplace_back("Authorization", "Bearer " + token);
    MR_RETURN_IF_ERROR(connectors::http::CheckSettings(http));
    return std::unique_ptr<AlertChannel>(new HttpChannel(std::move(http), std::move(body)));
  }

  Status Send(const Alert& alert) override {
    connectors::http::HttpRequest request;
    request.body = body_(alert);
    MR_ASSIGN_OR_RETURN(const connectors::http::HttpAnswer answer, client_.Send(request));
    const int code = answer.status;
    if (code >= 200 && code < 300) return Status::Ok();
    const bool again = code == 408 || code == 429 || code >= 500;
    return Status(again ? Code::kUnavailable : Code::kInvalidArgument,
                  fmt::format("{}: {}", code, connectors::http::ShownAnswer(answer.body)))
        .WithRetry(again ? Retry::kBackoff : Retry::kNever);
  }

 private:
  HttpChannel(connectors::http::HttpSettings http, Body body)
      : client_(std::move(http)), body_(std::move(body)) {}

  connectors::http::HttpClient client_;
  const Body body_;
};

class MailChannel : public AlertChannel {
 public:
  MailChannel(const MailSettings& settings, std::string to, std::string project)
      : sender_(settings), from_(settings.from), to_(std::move(to)), project_(std::move(project)) {}

  Status Send(const Alert& alert) override {
    const auto since = fmt::gmtime(static_cast<std::time_t>(alert.since_ms / 1000));
    MailMessage message;
    message.from = from_;
    message.to = to_;
    message.subject = fmt::format("[{}] {}{}: {}", project_, alert.resolved ? "over: " : "",
                                  alert.kind, alert.subject);
    message.text = fmt::format(
        "{}\n\nproject: {}\nalert: {}\nsubject: {}\nstate: {}\nsince: {:%Y-%m-%d %H:%M:%S} UTC\n",
        alert.resolved ? alert.ToText(project_) + "\n\nIt was: " + alert.text : alert.text,
        project_, alert.kind, alert.subject, alert.resolved ? "resolved" : "firing", since);
    message.time_ms = alert.time_ms;
    message.id = Id(alert, alert.resolved);
    if (alert.resolved) message.answers_to = Id(alert, false);
    return sender_.Send(message);
  }

 private:
  // The same when it is sent again, so that who gets both sees one.
  std::string Id(const Alert& alert, bool resolved) const {
    return fmt::format("{}.{:x}.{}.{}", alert.since_ms,
                       std::hash<std::string>()(project_ + "\n" + alert.subject + "\n" + to_),
                       alert.kind, resolved ? "over" : "on") +
           from_.substr(from_.find('@'));
  }

  const MailSender sender_;
  const std::string from_;
  const std::string to_;
  const std::string project_;
};

}  // namespace

Result<std::unique_ptr<AlertChannel>> NewWebhookChannel(const std::string& url,
                                                        const std::string& token,
                                                        const std::string& project) {
  return HttpChannel::New(url, token,
                          [project](const Alert& alert) { return alert.ToJson(project); });
}

Result<std::unique_ptr<AlertChannel>> NewSlackChannel(const std::string& url,
                                                      const std::string& project) {
  return HttpChannel::New(url, "", [project](const Alert& alert) {
    return fmt::format("{{\"text\":{}}}", JsonQuote(SlackText(alert.ToText(project))));
  });
}

std::unique_ptr<AlertChannel> NewMailChannel(const MailSettings& settings, const std::string& to,
                                             const std::string& project) {
  return std::make_unique<MailChannel>(settings, to, project);
}

}  // namespace millrace::project
