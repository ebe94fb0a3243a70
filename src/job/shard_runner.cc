#include "job/shard_runner.h"

#include <algorithm>

#include "duck/door.h"

namespace millrace::job {

ShardRunner::ShardRunner(std::vector<stream::JobPlan*> plans, env::Clock& clock)
    : plans_(std::move(plans)), results_(plans_.size()) {
  for (const stream::JobPlan* plan : plans_) clocks_.emplace_back(clock, *plan);
  for (size_t stage : plans_[0]->stages) last_stage_ = std::max(last_stage_, stage);
  for (size_t shard = 1; shard < plans_.size(); shard++) {
    threads_.emplace_back([this, shard] { Work(shard); });
  }
}

ShardRunner::~ShardRunner() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ShardRunner::Work(size_t shard) {
  uint64_t seen = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || round_ != seen; });
    if (stop_) return;
    seen = round_;
    const auto& work = *work_;
    lock.unlock();
    Status status = RunShard(shard, work);
    lock.lock();
    results_[shard] = std::move(status);
    if (--busy_ == 0) done_.notify_one();
  }
}

Status ShardRunner::ForEach(const std::function<Status(size_t shard)>& work, bool side_by_side) {
  if (!side_by_side || plans_.size() == 1) {
    for (size_t shard = 0; shard < plans_.size(); shard++) {
      MR_RETURN_IF_ERROR(RunShard(shard, work));
    }
    return Status::Ok();
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    work_ = &work;
    busy_ = threads_.size();
    round_++;
  }
  wake_.notify_all();
  results_[0] = RunShard(0, work);
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [&] { return busy_ == 0; });
  for (Status& status : results_) MR_RETURN_IF_ERROR(status);
  return Status::Ok();
}

Status ShardRunner::RunShard(size_t shard, const std::function<Status(size_t shard)>& work) {
  const stream::WorkObserver::Scope observed(&clocks_[shard]);
  return duck::AtTheDoor([&] { return work(shard); });
}

void ShardRunner::RunStage(size_t shard, size_t stage, const stream::Frontiers& frontiers,
                           bool moved) {
  stream::JobPlan& plan = *plans_[shard];
  for (size_t e = 0; e < plan.exchanges.size(); e++) {
    if (plan.exchanges[e].stage + 1 != stage) continue;
    const stream::Working working(*plan.exchanges[e].exchange);
    for (stream::JobPlan* sender : plans_) {
      plan.exchanges[e].exchange->Receive(*sender->exchanges[e].exchange, shard);
    }
  }
  for (size_t i = 0; i < plan.operators.size() && moved; i++) {
    if (plan.stages[i] != stage) continue;
    const stream::Working working(*plan.operators[i]);
    plan.operators[i]->OnWatermark(frontiers);
  }
  for (size_t i = 0; i < plan.operators.size(); i++) {
    if (plan.stages[i] != stage) continue;
    const stream::Working working(*plan.operators[i]);
    plan.operators[i]->OnEpochEnd();
  }
}

Status ShardRunner::FinishEpoch(const stream::Frontiers& frontiers, bool moved, bool side_by_side) {
  for (size_t stage = 0; stage <= last_stage_; stage++) {
    // Before the first exchange of a sharded plan nothing is kept, so nothing is to be emitted.
    const bool threads = side_by_side && stage > 0;
    MR_RETURN_IF_ERROR(ForEach(
        [&](size_t shard) {
          RunStage(shard, stage, frontiers, moved);
          return Status::Ok();
        },
        threads));
  }
  return Status::Ok();
}

}  // namespace millrace::job
