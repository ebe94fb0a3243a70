// BlockingPool: threads for route handlers that wait (queries, reading the log), so that the
// network threads never do.
//
// Contract: TryRun from any thread; tasks begin in order. Stop runs what is queued, then ends the
// threads; the destructor stops.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace::serve {

class BlockingPool {
 public:
  BlockingPool(int threads, int queue_max);
  ~BlockingPool();

  // False, without running it, when queue_max tasks wait already or the pool was stopped.
  bool TryRun(std::function<void()> task);
  void Stop();

 private:
  void Loop();

  const size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace::serve
