// OpenLineageReporter: makes OpenLineage events of what a runtime's jobs do.
//
// Contract: looks at the jobs' statuses, and at the topic of what reconciliations have found since
// it was started, from a thread of its own a few times a second, so no job
// knows of it or waits for it. Finish belongs behind Runtime::Stop.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "project/open_lineage_event.h"
#include "project/open_lineage_sender.h"
#include "project/runtime.h"

namespace millrace::project {

class OpenLineageReporter {
 public:
  // Null when millrace.yml asks for no events. `runtime` outlives it. Errors: those of
  // OpenLineageSender::Open.
  static Result<std::unique_ptr<OpenLineageReporter>> Start(Runtime& runtime);
  ~OpenLineageReporter();

  // Tells how each run ended, and waits a few seconds for what is on its way. May be repeated.
  void Finish();
  OpenLineageCounts counts() const { return sender_->counts(); }
  // "openlineage: 12 events sent, 0 dropped, 0 failed".
  std::string Summary() const;

 private:
  // A job, from its start here to its end.
  struct Run {
    std::string id;
    bool over = false;
    bool failing = false;
    int64_t last_event_us = 0;
  };
  OpenLineageReporter(Runtime& runtime, OpenLineageSettings settings)
      : runtime_(runtime), settings_(std::move(settings)), events_(runtime.project(), settings_) {}
  void Watch();
  void Look(bool at_end);
  void Tell(RunEvent event, Run& run, const job::JobStatus& status);
  void TellChecks();

  Runtime& runtime_;
  const OpenLineageSettings settings_;
  const OpenLineageEvents events_;
  std::unique_ptr<OpenLineageSender> sender_;
  std::map<std::string, Run> runs_;  // by job; of the watching thread
  int64_t next_result_ = 0;          // of the topic of reconciliations; of the same
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace millrace::project
