#include "project/open_lineage_reporter.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <chrono>

#include "env/clock.h"
#include "project/reconcile_record.h"

namespace millrace::project {

namespace {

constexpr int64_t kFlushMs = 5'000;
constexpr int64_t kReadBytesMax = 1 << 20;
constexpr auto kLookEvery = std::chrono::milliseconds(200);

// A UUID of version 7 (RFC 9562): ordered by time, which lineage servers like. What makes it unique
// beside the time is whose run it is.
std::string NewRunId(const std::string& job, const std::string& directory, int64_t time_us) {
  const uint64_t ms = static_cast<uint64_t>(time_us / 1000);
  const std::string whose = fmt::format("{}\n{}\n{}", job, directory, time_us);
  const XXH128_hash_t hash = XXH3_128bits(whose.data(), whose.size());
  return fmt::format("{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}", ms >> 16 & 0xffffffff, ms & 0xffff,
                     hash.high64 & 0xfff, 0x8000 | (hash.low64 >> 48 & 0x3fff),
                     hash.low64 & 0xffffffffffff);
}

bool HasEnded(job::JobState state) {
  return state == job::JobState::kFinished || state == job::JobState::kStopped ||
         state == job::JobState::kFailed;
}

RunEvent EndOf(job::JobState state) {
  if (state == job::JobState::kFinished) return RunEvent::kComplete;
  return state == job::JobState::kFailed ? RunEvent::kFail : RunEvent::kAbort;
}

}  // namespace

Result<std::unique_ptr<OpenLineageReporter>> OpenLineageReporter::Start(Runtime& runtime) {
  OpenLineageSettings settings = OpenLineageSettingsOf(runtime.project());
  std::unique_ptr<OpenLineageReporter> reporter;
  if (settings.transport == OpenLineageSettings::Transport::kOff) return reporter;
  reporter.reset(new OpenLineageReporter(runtime, settings));
  MR_ASSIGN_OR_RETURN(reporter->sender_,
                      OpenLineageSender::Open(settings, runtime.project().data_directory()));
  auto results = runtime.log().DescribePartition(kReconciliationTopic, 0);
  if (results.ok()) reporter->next_result_ = results->end_offset;
  reporter->thread_ = std::thread([r = reporter.get()] { r->Watch(); });
  return reporter;
}

OpenLineageReporter::~OpenLineageReporter() {
  Finish();
}

void OpenLineageReporter::Finish() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
  sender_->Flush(kFlushMs);
}

std::string OpenLineageReporter::Summary() const {
  const OpenLineageCounts now = counts();
  std::string text = fmt::format("openlineage: {} events sent, {} waiting, {} dropped, {} failed",
                                 now.sent, now.waiting, now.dropped, now.failed);
  return now.last_error.empty() ? text : text + " (" + now.last_error + ")";
}

void OpenLineageReporter::Watch() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    lock.unlock();
    Look(false);
    lock.lock();
    wake_.wait_for(lock, kLookEvery, [&] { return ending_; });
  }
  lock.unlock();
  Look(true);
}

void OpenLineageReporter::Tell(RunEvent event, Run& run, const job::JobStatus& status) {
  run.last_event_us = env::Clock::System()->WallMicros();
  sender_->Send(events_.ToJson(event, run.id, status, run.last_event_us));
}

void OpenLineageReporter::TellChecks() {
  const auto at = runtime_.log().DescribePartition(kReconciliationTopic, 0);
  auto tell = [&](std::span<const model::Record> records) {
    for (const model::Record& record : records) {
      const auto result = ParseReconcileResult(record.value);
      if (!result.ok()) continue;  // somebody wrote to the topic by hand
      const std::string id = NewRunId("reconcile." + result->name, runtime_.project().directory(),
                                      result->time_ms * 1000 + record.offset);
      const RunEvent end = result->error.empty() ? RunEvent::kComplete : RunEvent::kFail;
      for (const RunEvent event : {RunEvent::kStart, end}) {
        const std::string json = events_.ToJson(event, id, *result);
        if (!json.empty()) sender_->Send(json);
      }
    }
  };
  while (at.ok() && next_result_ < at->stable_offset) {
    const auto read = runtime_.log().Read(kReconciliationTopic, 0, next_result_, at->stable_offset,
                                          kReadBytesMax, tell);
    if (!read.ok()) return;  // read again at the next look
    next_result_ = *read;
  }
}

void OpenLineageReporter::Look(bool at_end) {
  TellChecks();
  for (const job::JobStatus& status : runtime_.JobStatuses()) {
    if (status.state == job::JobState::kStarting && !at_end) continue;
    const bool ended = HasEnded(status.state);
    Run& run = runs_[status.name];
    if (run.id.empty() || (run.over && !ended)) {
      run = Run();
      run.id =
          NewRunId(status.name, runtime_.project().directory(), env::Clock::System()->WallMicros());
      job::JobStatus first = status;
      first.error = Status::Ok();
      Tell(RunEvent::kStart, run, first);
    }
    if (run.over) continue;
    if (ended || at_end) {
      run.over = true;
      Tell(ended ? EndOf(status.state) : RunEvent::kAbort, run, status);
      continue;
    }
    const bool failing = !status.error.ok();
    const int64_t age_us = env::Clock::System()->WallMicros() - run.last_event_us;
    if ((failing && !run.failing) || age_us >= settings_.running_interval_ms * 1000) {
      Tell(RunEvent::kRunning, run, status);
    }
    run.failing = failing;
  }
}

}  // namespace millrace::project
