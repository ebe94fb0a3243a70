#include "job/lookup_meter.h"

#include <algorithm>
#include <vector>

namespace millrace::job {

namespace {

constexpr size_t kLatenciesKept = 512;

}  // namespace

void LookupMeter::Begin(int64_t now_us) {
  std::lock_guard<std::mutex> lock(mutex_);
  begun_.insert(now_us);
}

void LookupMeter::End(int64_t begun_us, int64_t now_us) {
  begun_.extract(begun_us);
  counts_.requests++;
  busy_us_ += now_us - begun_us;
  latencies_ms_.push_back(static_cast<double>(now_us - begun_us) / 1000.0);
  if (latencies_ms_.size() > kLatenciesKept) latencies_ms_.pop_front();
}

void LookupMeter::Answered(int64_t begun_us, int64_t now_us, Outcome outcome) {
  std::lock_guard<std::mutex> lock(mutex_);
  End(begun_us, now_us);
  counts_.keys += outcome.keys;
  counts_.missing += outcome.missing;
  counts_.unusable += outcome.unusable;
  counts_.version = std::move(outcome.version);
}

void LookupMeter::Failed(int64_t begun_us, int64_t now_us) {
  std::lock_guard<std::mutex> lock(mutex_);
  End(begun_us, now_us);
  counts_.errors++;
}

LookupStatus LookupMeter::Status(int64_t now_us) const {
  std::lock_guard<std::mutex> lock(mutex_);
  LookupStatus status = counts_;
  status.busy_seconds = static_cast<double>(busy_us_) / 1e6;
  if (!begun_.empty()) status.waiting_ms = (now_us - *begun_.begin()) / 1000;
  if (latencies_ms_.empty()) return status;
  std::vector<double> sorted(latencies_ms_.begin(), latencies_ms_.end());
  std::sort(sorted.begin(), sorted.end());
  status.latency_p50_ms = sorted[sorted.size() / 2];
  status.latency_p99_ms = sorted[sorted.size() * 99 / 100];
  return status;
}

}  // namespace millrace::job
