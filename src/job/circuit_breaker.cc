#include "job/circuit_breaker.h"

namespace millrace::job {

const char* CircuitStateName(CircuitState state) {
  switch (state) {
    case CircuitState::kClosed:
      return "closed";
    case CircuitState::kOpen:
      return "open";
    case CircuitState::kTrying:
      return "trying";
  }
  return "";
}

bool CircuitBreaker::MayAsk(int64_t now_us) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (state_ == CircuitState::kClosed) return true;
  if (state_ == CircuitState::kTrying || now_us - opened_us_ < pause_us_) return false;
  state_ = CircuitState::kTrying;
  return true;
}

void CircuitBreaker::OnAnswer() {
  std::lock_guard<std::mutex> lock(mutex_);
  state_ = CircuitState::kClosed;
  failed_ = 0;
}

bool CircuitBreaker::OnFailure(int64_t now_us) {
  std::lock_guard<std::mutex> lock(mutex_);
  failed_++;
  if (state_ == CircuitState::kClosed && failed_ < failures_) return false;
  // A question that was on its way when another one opened the circuit prolongs nothing.
  if (state_ == CircuitState::kOpen) return false;
  state_ = CircuitState::kOpen;
  opened_us_ = now_us;
  return true;
}

CircuitState CircuitBreaker::state() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return state_;
}

}  // namespace millrace::job
