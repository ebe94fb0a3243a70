// WorkObserver: is told which operator a thread works for, and when that ends, so that somebody may
// measure it (job/stage_clock.h). Operators know nothing of it.
//
// Contract: a thread has at most one, which it alone calls. Enter and Leave nest as the calls do.
#pragma once

namespace millrace::stream {

class Operator;

class WorkObserver {
 public:
  virtual ~WorkObserver() = default;
  virtual void Enter(const Operator& op) = 0;
  virtual void Leave() = 0;

  // The calling thread's; null: none.
  static WorkObserver* OfThread();

  // Makes `observer` the calling thread's for as long as it lives.
  class Scope {
   public:
    explicit Scope(WorkObserver* observer);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    WorkObserver* const before_;
  };
};

// While it lives the calling thread works for `op`.
class Working {
 public:
  explicit Working(const Operator& op) : observer_(WorkObserver::OfThread()) {
    if (observer_) observer_->Enter(op);
  }
  ~Working() {
    if (observer_) observer_->Leave();
  }
  Working(const Working&) = delete;
  Working& operator=(const Working&) = delete;

 private:
  WorkObserver* const observer_;
};

}  // namespace millrace::stream
