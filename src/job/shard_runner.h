// ShardRunner: the copies of a job's plan, and the threads that work on them.
//
// The job's own thread is shard 0; each further shard has a thread that sleeps between the parts of
// an epoch. Within a part the shards share nothing; between parts only the job's thread runs.
//
//   ForEach(read)                       every shard reads the splits it owns
//   FinishEpoch   stage 0               operators before the first exchange
//                 stage 1, 2, …         take over what the exchanges kept, then close windows and
//                                       emit changes
//
// Contract: all methods on the job's thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"
#include "job/stage_clock.h"
#include "stream/job_plan.h"

namespace millrace::job {

class ShardRunner {
 public:
  // `plans`: one copy per shard, alike; not owned. `clock` outlives it.
  ShardRunner(std::vector<stream::JobPlan*> plans, env::Clock& clock);
  ~ShardRunner();

  size_t size() const { return plans_.size(); }
  stream::JobPlan& plan(size_t shard) { return *plans_[shard]; }
  StageClock& clock(size_t shard) { return clocks_[shard]; }

  // Runs work(shard) for every shard and returns the first error, by shard. Exceptions of DuckDB
  // become errors. `side_by_side` false: one after the other, for work too small to wake a thread.
  Status ForEach(const std::function<Status(size_t shard)>& work, bool side_by_side);
  // After the epoch's input: everything that the frontiers close (when they `moved`) and every
  // change of the epoch is emitted.
  Status FinishEpoch(const stream::Frontiers& frontiers, bool moved, bool side_by_side);

 private:
  Status RunShard(size_t shard, const std::function<Status(size_t shard)>& work);
  void RunStage(size_t shard, size_t stage, const stream::Frontiers& frontiers, bool moved);
  void Work(size_t shard);  // body of a thread

  const std::vector<stream::JobPlan*> plans_;
  std::vector<StageClock> clocks_;  // by shard
  size_t last_stage_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  const std::function<Status(size_t)>* work_ = nullptr;  // of the round
  uint64_t round_ = 0;
  size_t busy_ = 0;
  bool stop_ = false;
  std::vector<Status> results_;  // by shard
  std::vector<std::thread> threads_;
};

}  // namespace millrace::job
