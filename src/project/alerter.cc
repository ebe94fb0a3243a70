#include "project/alerter.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "base/strings.h"
#include "env/clock.h"

namespace millrace::project {

namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(250);
constexpr int64_t kTimeoutMs = 5'000;
constexpr int64_t kPauseUs = 1'000'000;
constexpr int64_t kPauseMaxUs = 60'000'000;
constexpr size_t kWaitingMax = 1000;

int64_t NowMs() {
  return env::Clock::System()->WallMicros() / 1000;
}

}  // namespace

Result<std::unique_ptr<Alerter>> Alerter::Start(Runtime& runtime) {
  AlertSettings settings = AlertSettingsOf(runtime.project());
  std::unique_ptr<Alerter> alerter;
  if (!settings.on) return alerter;
  alerter.reset(new Alerter(runtime, settings));
  MR_RETURN_IF_ERROR(alerter->AddTarget("webhook", settings.webhook_url, settings.webhook_token));
  MR_RETURN_IF_ERROR(alerter->AddTarget("slack", settings.slack_url, ""));
  alerter->thread_ = std::thread([a = alerter.get()] { a->Watch(); });
  return alerter;
}

Status Alerter::AddTarget(const std::string& name, const std::string& url,
                          const std::string& token) {
  if (url.empty()) return Status::Ok();
  connectors::http::HttpSettings http;
  http.timeout_ms = kTimeoutMs;
  MR_ASSIGN_OR_RETURN(http.url, ResolveReferences(url));
  MR_ASSIGN_OR_RETURN(const std::string secret, ResolveReferences(token));
  if (!secret.empty()) http.headers.emplace_back("Authorization", "Bearer " + secret);
  Status fits = connectors::http::CheckSettings(http);
  if (!fits.ok()) return std::move(fits).Annotate("alerts: " + name);
  Target& target = targets_.emplace_back();
  target.name = name;
  target.slack = name == "slack";
  target.client = std::make_unique<connectors::http::HttpClient>(std::move(http));
  return Status::Ok();
}

Alerter::~Alerter() {
  Finish();
}

void Alerter::OnReconciled(const ReconcileResult& result) {
  std::optional<std::string> wrong;
  if (!result.ok) wrong = result.ToText();
  std::lock_guard lock(mutex_);
  book_.Note("reconcile_failed", result.name, wrong, NowMs());
}

void Alerter::Finish() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Alerter::Watch() {
  while (true) {
    Look();
    for (Target& target : targets_) Deliver(target, false);
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, kLookEvery, [&] { return ending_; })) break;
  }
  Look();
  for (Target& target : targets_) Deliver(target, true);
}

void Alerter::Look() {
  const std::vector<job::JobStatus> statuses = runtime_.JobStatuses();
  std::vector<Alert> news;
  {
    std::lock_guard lock(mutex_);
    for (const job::JobStatus& status : statuses) {
      book_.NoteJob(status, settings_.failing_for_ms, NowMs());
    }
    news = book_.TakeNews();
  }
  Tell(news);
}

void Alerter::Tell(const std::vector<Alert>& news) {
  const std::string& project = runtime_.project().config().name;
  for (const Alert& alert : news) {
    const std::string text = alert.ToText(project);
    if (settings_.log) {
      spdlog::log(alert.resolved ? spdlog::level::info : spdlog::level::err,
                  "alert state={} what={}", alert.resolved ? "resolved" : "firing",
                  JsonQuote(text));
    }
    for (Target& target : targets_) {
      target.waiting.push_back(target.slack ? fmt::format("{{\"text\":{}}}", JsonQuote(text))
                                            : alert.ToJson(project));
      if (target.waiting.size() <= kWaitingMax) continue;
      target.waiting.pop_front();
      spdlog::error("alert dropped target={} reason=\"{} wait already\"", target.name, kWaitingMax);
    }
  }
}

void Alerter::Deliver(Target& target, bool last_time) {
  const int64_t now_us = env::Clock::System()->MonotonicMicros();
  if (!last_time && now_us < target.not_before_us) return;
  while (!target.waiting.empty()) {
    connectors::http::HttpRequest request;
    request.body = target.waiting.front();
    auto answer = target.client->Send(request);
    const int code = answer.ok() ? answer->status : 0;
    const bool again = code == 0 || code == 408 || code == 429 || code >= 500;
    const std::string why =
        answer.ok() ? fmt::format("{}: {}", code, connectors::http::ShownAnswer(answer->body))
                    : answer.status().message();
    if (again && !last_time) {
      if (target.failures == 0) {
        spdlog::warn("alert waits target={} error={}", target.name, JsonQuote(why));
      }
      target.not_before_us =
          now_us + std::min(kPauseMaxUs, kPauseUs << std::min(target.failures, 6));
      target.failures++;
      return;
    }
    if (again || code < 200 || code >= 300) {
      spdlog::error("alert not delivered target={} error={} waiting={}", target.name,
                    JsonQuote(why), target.waiting.size());
      if (again) return;
    }
    target.failures = 0;
    target.waiting.pop_front();
  }
}

}  // namespace millrace::project
