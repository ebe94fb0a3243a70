// CommitGate: one user of a partition's files at a time. Not a mutex, because the committer holds
// those of a whole group at once, in any order (nobody else holds more than one).
#pragma once

#include <condition_variable>
#include <mutex>

namespace millrace::log {

class CommitGate {
 public:
  void lock() {
    std::unique_lock lock(mutex_);
    free_.wait(lock, [&] { return !busy_; });
    busy_ = true;
  }
  void unlock() {
    {
      std::lock_guard lock(mutex_);
      busy_ = false;
    }
    free_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable free_;
  bool busy_ = false;
};

}  // namespace millrace::log
