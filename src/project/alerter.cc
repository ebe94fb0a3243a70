#include "project/alerter.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/strings.h"
#include "env/clock.h"
#include "env/diag.h"

namespace millrace::project {

namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(250);
constexpr int64_t kLagsEveryMs = 1'000;
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
  Status added = alerter->AddTargets();
  if (!added.ok()) return std::move(added).Annotate("alerts");
  alerter->thread_ = std::thread([a = alerter.get()] { a->Watch(); });
  return alerter;
}

Status Alerter::AddTargets() {
  const std::string& project = runtime_.project().config().name;
  if (!settings_.webhook_url.empty()) {
    MR_ASSIGN_OR_RETURN(const std::string url, ResolveReferences(settings_.webhook_url));
    MR_ASSIGN_OR_RETURN(const std::string token, ResolveReferences(settings_.webhook_token));
    MR_ASSIGN_OR_RETURN(auto channel, NewWebhookChannel(url, token, project));
    targets_.push_back({"webhook", std::move(channel)});
  }
  if (!settings_.slack_url.empty()) {
    MR_ASSIGN_OR_RETURN(const std::string url, ResolveReferences(settings_.slack_url));
    MR_ASSIGN_OR_RETURN(auto channel, NewSlackChannel(url, project));
    targets_.push_back({"slack", std::move(channel)});
  }
  MailSettings mail = settings_.mail;
  if (mail.host.empty()) return Status::Ok();
  MR_ASSIGN_OR_RETURN(mail.host, ResolveReferences(mail.host));
  MR_ASSIGN_OR_RETURN(mail.user, ResolveReferences(mail.user));
  MR_ASSIGN_OR_RETURN(mail.password, ResolveReferences(mail.password));
  for (const std::string& to : mail.to) {
    targets_.push_back({"email to " + to, NewMailChannel(mail, to, project)});
  }
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
  const int64_t now_ms = NowMs();
  const std::vector<job::JobStatus> statuses = runtime_.JobStatuses();
  const Status followed = letters_.Follow(runtime_.log(), now_ms);
  std::optional<std::string> unread;
  if (!followed.ok()) unread = followed.message();
  std::vector<Alert> news;
  {
    std::lock_guard lock(mutex_);
    for (const job::JobStatus& status : statuses) {
      book_.NoteJob(status, settings_.failing_for_ms, now_ms);
    }
    book_.Note("dead_letters", job::kDeadLetterTopic, unread, now_ms);
    letters_.Note(book_, now_ms);
    for (const DriftNote& note : runtime_.drift_notes()) {
      book_.Note("schema_drift", note.table + "." + note.field, note.text, now_ms);
    }
    LookAtLags(statuses, now_ms);
    news = book_.TakeNews();
  }
  Tell(news);
}

void Alerter::LookAtLags(const std::vector<job::JobStatus>& statuses, int64_t now_ms) {
  if (!lags_.has_rules() || now_ms < lags_not_before_ms_) return;
  lags_not_before_ms_ = now_ms + kLagsEveryMs;
  for (const job::JobStatus& status : statuses) {
    // Of one that is starting nothing is known yet.
    if (status.state == job::JobState::kStarting) continue;
    lags_.Note(book_, status.name, LagOf(status, runtime_.log(), now_ms), now_ms);
  }
}

void Alerter::Tell(const std::vector<Alert>& news) {
  const std::string& project = runtime_.project().config().name;
  for (const Alert& alert : news) {
    const std::string text = alert.ToText(project);
    if (settings_.log) {
      if (alert.resolved) {
        diag::Info("alert state=resolved what={}", JsonQuote(text));
      } else {
        diag::Error("alert state=firing what={}", JsonQuote(text));
      }
    }
    for (Target& target : targets_) {
      target.waiting.push_back(alert);
      if (target.waiting.size() <= kWaitingMax) continue;
      target.waiting.pop_front();
      diag::Error("alert dropped target={} reason=\"{} wait already\"", target.name, kWaitingMax);
    }
  }
}

void Alerter::Deliver(Target& target, bool last_time) {
  const int64_t now_us = env::Clock::System()->MonotonicMicros();
  if (!last_time && now_us < target.not_before_us) return;
  while (!target.waiting.empty()) {
    const Status sent = target.channel->Send(target.waiting.front());
    const bool again = sent.retry() != Retry::kNever;
    if (again && !last_time) {
      if (target.failures == 0) {
        diag::Warn("alert waits target={} error={}", target.name, JsonQuote(sent.message()));
      }
      target.not_before_us =
          now_us + std::min(kPauseMaxUs, kPauseUs << std::min(target.failures, 6));
      target.failures++;
      return;
    }
    if (!sent.ok()) {
      diag::Error("alert not delivered target={} error={} waiting={}", target.name,
                  JsonQuote(sent.message()), target.waiting.size());
      if (again) return;
    }
    target.failures = 0;
    target.waiting.pop_front();
  }
}

}  // namespace millrace::project
