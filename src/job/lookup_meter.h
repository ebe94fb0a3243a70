// LookupMeter: what a job's shards asked of one table or service, and how that went. Only counts:
// it is no part of the job's state, and begins anew with each start.
//
// Contract: any thread. Times are those of one monotonic clock.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <set>
#include <string>

namespace millrace::job {

// A picture of it. A request asks for several keys (rows of arguments) at once.
struct LookupStatus {
  std::string name;           // of the table; "f()": a function
  int64_t requests = 0;       // that have ended
  int64_t errors = 0;         // of them: without an answer, so that they are repeated
  int64_t keys = 0;           // that were answered: found, missing and unusable
  int64_t missing = 0;        // keys that are not there
  int64_t unusable = 0;       // keys whose answer makes a dead letter
  double busy_seconds = 0;    // in requests, summed over the shards
  double latency_p50_ms = 0;  // of the last 512 requests
  double latency_p99_ms = 0;
  int64_t waiting_ms =
      0;                // since the oldest request was sent that is not answered; 0: there is none
  std::string circuit;  // "closed", "open", "trying"
  std::string version;  // which the last answer gave itself, or empty
};

class LookupMeter {
 public:
  struct Outcome {
    int64_t keys = 0;
    int64_t missing = 0;
    int64_t unusable = 0;
    std::string version = {};
  };
  void Begin(int64_t now_us);
  // The request of `begun_us` was answered, or was not.
  void Answered(int64_t begun_us, int64_t now_us, Outcome outcome);
  void Failed(int64_t begun_us, int64_t now_us);

  // All but name and circuit.
  LookupStatus Status(int64_t now_us) const;

 private:
  void End(int64_t begun_us, int64_t now_us);

  mutable std::mutex mutex_;
  LookupStatus counts_;
  int64_t busy_us_ = 0;
  std::deque<double> latencies_ms_;
  std::multiset<int64_t> begun_;  // requests that wait for their answer
};

}  // namespace millrace::job
