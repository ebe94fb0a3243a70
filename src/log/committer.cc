#include "log/committer.h"

#include "base/units.h"
#include "log/partition.h"

namespace millrace::log {

namespace {
constexpr int64_t kWaitingBytesMax = 256LL << 20;
thread_local bool on_committer_thread = false;
}  // namespace

struct Committer::Work {
  std::shared_ptr<Partition> partition;
  std::unique_lock<CommitGate> lock;
  AppendGroup group;
  AppendGroup behind;  // fails with the group
  Status status;
};

Committer::Committer(BuilderPool* builders, std::function<void()> on_commit)
    : builders_(builders), on_commit_(std::move(on_commit)) {}

void Committer::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Committer::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status Committer::Reserve(int64_t bytes) {
  if (waiting_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= kWaitingBytesMax) {
    return {};
  }
  Release(bytes);
  return Status(Code::kResourceExhausted, "more than " + FormatBytes(kWaitingBytesMax) +
                                              " of records wait to be written to the log")
      .WithRetry(Retry::kBackoff)
      .WithHint("the disk does not keep up; send more slowly");
}

void Committer::Enqueue(std::shared_ptr<Partition> partition) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(partition));
    if (queue_.size() > 1) return;  // the thread has been woken for an earlier one
  }
  wake_.notify_one();
}

bool Committer::OnCommitterThread() {
  return on_committer_thread;
}

void Committer::Run() {
  on_committer_thread = true;
  while (true) {
    std::vector<std::shared_ptr<Partition>> partitions;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      partitions.swap(queue_);
    }
    Commit(std::move(partitions));
  }
}

void Committer::Commit(std::vector<std::shared_ptr<Partition>> partitions) {
  std::vector<Work> all(partitions.size());
  for (size_t i = 0; i < all.size(); i++) {
    Work& work = all[i];
    work.partition = std::move(partitions[i]);
    work.lock = work.partition->LockForCommit();
    work.group = work.partition->Take();
    work.status = work.partition->Write(work.group);
  }
  for (Work& work : all) {
    if (work.status.ok()) work.status = work.partition->Sync();
    if (work.status.ok()) {
      work.partition->Publish(work.group);
    } else {
      work.behind = work.partition->Abort();
    }
    work.lock.unlock();
  }
  on_commit_();
  for (Work& work : all) {
    Complete(work.group, work.status);
    Complete(work.behind, work.status);
  }
  for (Work& work : all) work.partition->FinishCommit();
}

void Committer::Complete(AppendGroup& group, const Status& status) {
  Release(group.payload_bytes);
  for (auto& completion : group.completions) {
    AppendResult result;
    result.status = status;
    if (status.ok() && completion.batch >= 0) {
      result.base_offset =
          group.base_offsets[static_cast<size_t>(completion.batch)] + completion.record_in_batch;
    }
    if (status.ok() && completion.known_offset >= 0) result.base_offset = completion.known_offset;
    completion.done(result);
  }
  for (auto& batch : group.batches) builders_->Give(std::move(batch));
}

}  // namespace millrace::log
