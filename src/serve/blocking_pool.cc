#include "serve/blocking_pool.h"
#include "env/diag.h"

#include <algorithm>
#include <exception>

namespace millrace::serve {

BlockingPool::BlockingPool(int threads, int queue_max)
    : queue_max_(static_cast<size_t>(std::max(1, queue_max))) {
  for (int i = 0; i < std::max(1, threads); i++) threads_.emplace_back([this] { Loop(); });
}

BlockingPool::~BlockingPool() {
  Stop();
}

bool BlockingPool::TryRun(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_ || queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(task));
  }
  changed_.notify_one();
  return true;
}

void BlockingPool::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void BlockingPool::Loop() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    try {
      task();
    } catch (const std::exception& e) {
      diag::Error("http: task threw: what={}", e.what());
    }
  }
}

}  // namespace millrace::serve
