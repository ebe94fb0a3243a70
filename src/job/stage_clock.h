// StageClock: how long a shard works for each stage of a job, what it waits for included.
//
// A stage that hands rows to the next one does not count the time that one takes. Stages are
// numbered as in the ledger: sources, operators, sink.
//
// Contract: one thread at a time. Reads the clock twice for each batch that a stage gets.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "env/clock.h"
#include "stream/job_plan.h"
#include "stream/work_observer.h"

namespace millrace::job {

class StageClock : public stream::WorkObserver {
 public:
  // `clock` and the plan's operators outlive it.
  StageClock(env::Clock& clock, const stream::JobPlan& plan);

  // While it lives the calling thread works for a stage that is no operator.
  class At {
   public:
    At(StageClock& clock, size_t stage) : clock_(clock) { clock_.EnterStage(stage); }
    ~At() { clock_.Leave(); }
    At(const At&) = delete;
    At& operator=(const At&) = delete;

   private:
    StageClock& clock_;
  };

  void Enter(const stream::Operator& op) override;
  void Leave() override;

  size_t sink_stage() const { return busy_us_.size() - 1; }
  int64_t busy_us(size_t stage) const { return busy_us_[stage]; }  // since the start

 private:
  void EnterStage(size_t stage);
  void CountUntilNow();

  env::Clock& clock_;
  std::unordered_map<const stream::Operator*, size_t> stage_of_;
  std::vector<int64_t> busy_us_;  // by stage
  std::vector<size_t> inside_;    // the stages at work, the outermost first
  int64_t counted_until_us_ = 0;
};

}  // namespace millrace::job
