// What a running job does for others between two epochs; job.cc has the loop.
#include <fmt/format.h>

#include <chrono>

#include "job/job.h"

namespace millrace::job {

namespace {
constexpr std::chrono::seconds kBoundaryWait(30);
}  // namespace

JobPosition Job::Position() const {
  JobPosition position;
  position.epoch = epoch_;
  position.text_since = text_since_;
  for (const auto& source : sources_) {
    std::vector<SplitPosition> splits;
    for (const SplitState& split : source->splits()) {
      splits.push_back({split.id, split.first, split.next});
    }
    position.sources.push_back(std::move(splits));
  }
  position.frontiers = frontiers_;
  return position;
}

Status Job::AtBoundary(const std::function<Status(const JobPosition&)>& body) {
  std::lock_guard<std::mutex> one_caller(callers_mutex_);
  std::unique_lock<std::mutex> lock(boundary_mutex_);
  if (!run_ended_) {
    boundary_body_ = &body;
    boundary_result_.reset();
    boundary_wanted_ = true;
    boundary_done_.wait_for(lock, kBoundaryWait, [&] { return boundary_result_ || run_ended_; });
    boundary_wanted_ = false;
    boundary_body_ = nullptr;
    if (boundary_result_) return *boundary_result_;
    if (!run_ended_) {
      const Status why = status().error;
      return Status(Code::kUnavailable,
                    fmt::format("job \"{}\" does not come to the end of an epoch", compiled_->name))
          .WithDetail(why.message())
          .WithHint("try again when it runs; see: millrace status");
    }
  }
  const JobStatus ended = status();
  if (ended.state == JobState::kFailed) {
    return Status(Code::kFailedPrecondition,
                  fmt::format("job \"{}\" failed: {}", ended.name, ended.error.message()))
        .WithHint("mend that first");
  }
  return body(Position());
}

// The error is the job's own: what `body` says is for its caller alone.
Status Job::ServeBoundary() {
  std::lock_guard<std::mutex> lock(boundary_mutex_);
  if (!boundary_body_ || boundary_result_) return Status::Ok();
  Status flushed = CommitEpoch(epoch_, true);
  boundary_result_ = flushed.ok() ? (*boundary_body_)(Position()) : flushed;
  boundary_wanted_ = false;
  boundary_done_.notify_all();
  return flushed;
}

double Job::Rate() const {
  // Less than that is noise.
  constexpr int64_t kEnoughUs = 100'000;
  constexpr int64_t kEnoughRows = 1'000;
  int64_t rows = -rows_before_run_;
  for (const auto& source : sources_) rows += source->counters().rows_in;
  if (busy_us_ < kEnoughUs || rows < kEnoughRows) return saved_rate_;
  return static_cast<double>(rows) * 1e6 / static_cast<double>(busy_us_);
}

}  // namespace millrace::job
