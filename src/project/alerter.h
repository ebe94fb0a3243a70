// Alerter: looks at a runtime's jobs and dead letters and hears of reconciliations, and tells the
// log and the channels (project/alert_channel.h) what is wrong (project/alert_book.h), as
// millrace.yml says (project/alert_settings.h).
//
// Contract: looks a few times a second from a thread of its own, so no job waits for it. A target
// that does not take a message now is asked again after 1 s, 2 s, … 1 min, in order; beyond 1000
// messages the oldest are dropped, and that is logged. Finish belongs before Runtime::Stop: a job
// that is being stopped is no recovery.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "project/alert_book.h"
#include "project/alert_channel.h"
#include "project/alert_settings.h"
#include "project/reconcile.h"
#include "project/runtime.h"

namespace millrace::project {

class Alerter {
 public:
  // Null when millrace.yml asks for no alerts. `runtime` outlives it. Errors: a reference that
  // cannot be resolved, a URL that is none.
  static Result<std::unique_ptr<Alerter>> Start(Runtime& runtime);
  ~Alerter();

  // Any thread.
  void OnReconciled(const ReconcileResult& result);
  // Tries once more to tell what waits. May be repeated.
  void Finish();

 private:
  struct Target {
    std::string name;  // for the log
    std::unique_ptr<AlertChannel> channel;
    std::deque<Alert> waiting = {};
    int failures = 0;           // since it last took one
    int64_t not_before_us = 0;  // of the monotonic clock
  };
  Alerter(Runtime& runtime, AlertSettings settings)
      : runtime_(runtime),
        settings_(std::move(settings)),
        letters_(settings_.letter_rules),
        lags_(settings_.lag_rules) {}
  Status AddTargets();
  void Watch();
  void Look();
  void LookAtLags(const std::vector<job::JobStatus>& statuses, int64_t now_ms);
  void Tell(const std::vector<Alert>& news);
  static void Deliver(Target& target, bool last_time);

  Runtime& runtime_;
  const AlertSettings settings_;
  std::vector<Target> targets_;  // of the watching thread, as are the next two
  LetterGrowth letters_;
  LagWatch lags_;
  int64_t lags_not_before_ms_ = 0;
  std::mutex mutex_;  // of what follows
  AlertBook book_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace millrace::project
