// Committer: one thread that makes all waiting appends of a log durable together (group commit).
//
// Contract: it takes everything that waits, writes one run of batches per partition, syncs each
// file once, then calls the callbacks, without any lock held. What arrives meanwhile is the next
// group. Enqueue and Reserve from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"
#include "log/pending_appends.h"

namespace millrace::log {

class Partition;

class Committer {
 public:
  // `on_commit` is called after each group has become visible to readers.
  Committer(BuilderPool* builders, std::function<void()> on_commit);
  ~Committer() { Stop(); }

  void Start();
  // Commits what waits, including what callbacks add, then ends the thread.
  void Stop();

  // Counts bytes against the limit of what may wait. kResourceExhausted with backoff beyond it.
  Status Reserve(int64_t bytes);
  void Release(int64_t bytes) { waiting_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }
  // The partition has appends that wait.
  void Enqueue(std::shared_ptr<Partition> partition);

  // Whether the calling thread is a committer's; it must not wait for a commit.
  static bool OnCommitterThread();

 private:
  struct Work;
  void Run();
  void Commit(std::vector<std::shared_ptr<Partition>> partitions);
  void Complete(AppendGroup& group, const Status& status);

  BuilderPool* builders_;
  std::function<void()> on_commit_;
  std::atomic<int64_t> waiting_bytes_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Partition>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace millrace::log
