// CircuitBreaker: keeps the shards of a job from asking a system again and again that does not
// answer. Knows nothing of who is asked: times are given, nothing waits here.
//
//   closed  anyone asks; after `failures` failures in a row it opens
//   open    nobody asks for `pause_us`; then it lets one caller try
//   trying  the others wait for how that goes: an answer closes it, a failure opens it again
//
// Contract: any thread.
#pragma once

#include <cstdint>
#include <mutex>

namespace millrace::job {

enum class CircuitState { kClosed, kOpen, kTrying };
const char* CircuitStateName(CircuitState state);  // "closed", "open", "trying"

class CircuitBreaker {
 public:
  // failures: 1 or more.
  CircuitBreaker(int64_t failures, int64_t pause_us) : failures_(failures), pause_us_(pause_us) {}

  // Whether the caller may ask now; then OnAnswer or OnFailure must follow.
  bool MayAsk(int64_t now_us);
  void OnAnswer();
  // Returns whether this opened the circuit.
  bool OnFailure(int64_t now_us);
  CircuitState state() const;

 private:
  const int64_t failures_;
  const int64_t pause_us_;
  mutable std::mutex mutex_;
  CircuitState state_ = CircuitState::kClosed;
  int64_t failed_ = 0;  // in a row
  int64_t opened_us_ = 0;
};

}  // namespace millrace::job
