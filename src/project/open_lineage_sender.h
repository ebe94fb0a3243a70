// OpenLineageSender: brings events away, in order, from a queue of its own.
//
// Contract: Send is called by any thread and never waits: where the queue is full the event is
// dropped and counted. A thread of its own delivers; an http server that does not take an event (no
// answer, 5xx, 429) is asked again twice, then the event counts as failed and the next one comes.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "project/open_lineage_settings.h"

namespace millrace::project {

struct OpenLineageCounts {
  int64_t sent = 0;
  int64_t dropped = 0;  // the queue was full, or there was no time left at the end
  int64_t failed = 0;   // the transport did not take them
  int64_t waiting = 0;
  std::string last_error;
};

class OpenLineageSender {
 public:
  // Errors: a reference that cannot be resolved; a file that cannot be opened.
  static Result<std::unique_ptr<OpenLineageSender>> Open(const OpenLineageSettings& settings,
                                                         const std::string& data_directory);
  // Delivers what waits for 5 s at most; the rest counts as dropped.
  ~OpenLineageSender();

  void Send(std::string event);
  OpenLineageCounts counts() const;
  // Waits until the queue is empty and everything is delivered or failed; false after `timeout_ms`.
  bool Flush(int64_t timeout_ms);

 private:
  class Transport;
  class FileTransport;
  class HttpTransport;
  class ConsoleTransport;
  OpenLineageSender() = default;
  void Run();

  std::unique_ptr<Transport> transport_;
  size_t queue_max_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  bool busy_ = false;
  bool ending_ = false;
  OpenLineageCounts counts_;
  std::thread thread_;
};

}  // namespace millrace::project
