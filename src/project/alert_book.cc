#include "project/alert_book.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "base/units.h"

namespace millrace::project {

std::string Alert::ToJson(const std::string& project) const {
  return fmt::format(
      "{{\"alert\":{},\"project\":{},\"subject\":{},\"state\":\"{}\",\"text\":{},\"since_ms\":{},"
      "\"time_ms\":{}}}",
      JsonQuote(kind), JsonQuote(project), JsonQuote(subject), resolved ? "resolved" : "firing",
      JsonQuote(text), since_ms, time_ms);
}

std::string Alert::ToText(const std::string& project) const {
  if (!resolved) return fmt::format("{}: {} {}: {}", project, kind, subject, text);
  return fmt::format("{}: over after {}: {} {}", project,
                     FormatDurationMicros((time_ms - since_ms) * 1000), kind, subject);
}

void AlertBook::Note(const std::string& kind, const std::string& subject,
                     const std::optional<std::string>& wrong, int64_t now_ms) {
  auto known = lasting_.find({kind, subject});
  if (wrong.has_value() == (known != lasting_.end())) return;
  if (wrong) {
    Alert alert{kind, subject, false, *wrong, now_ms, now_ms};
    news_.push_back(alert);
    lasting_.emplace(std::pair(kind, subject), std::move(alert));
    return;
  }
  Alert over = std::move(known->second);
  lasting_.erase(known);
  over.resolved = true;
  over.time_ms = now_ms;
  news_.push_back(std::move(over));
}

void AlertBook::NoteJob(const job::JobStatus& status, int64_t failing_for_ms, int64_t now_ms) {
  std::optional<std::string> gap;
  if (status.rows_missing != 0) {
    gap = fmt::format(
        "{} rows of job \"{}\" do not add up: {}", status.rows_missing, status.name,
        status.ledger_gap.empty() ? "millrace ledger " + status.name : status.ledger_gap);
  }
  Note("ledger_gap", status.name, gap, now_ms);
  // Of a job that is starting or was stopped on purpose nothing new is known.
  if (status.state == job::JobState::kStarting || status.state == job::JobState::kStopped) return;
  std::optional<std::string> failing;
  if (status.state == job::JobState::kFailed) {
    failing =
        fmt::format("job \"{}\" has ended by an error: {}", status.name, status.error.message());
  } else if (status.state == job::JobState::kFailing) {
    const int64_t age_ms = std::max<int64_t>(0, now_ms - status.error_since_ms);
    // Not yet too long: what was told stays as it is.
    if (age_ms < failing_for_ms) return;
    failing = fmt::format("job \"{}\" has been failing for {}: {}", status.name,
                          FormatDurationMicros(age_ms * 1000), status.error.message());
  }
  Note("job_failing", status.name, failing, now_ms);
}

}  // namespace millrace::project
