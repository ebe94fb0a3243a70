#include "job/stage_clock.h"

namespace millrace::job {

StageClock::StageClock(env::Clock& clock, const stream::JobPlan& plan)
    : clock_(clock), busy_us_(plan.sources.size() + plan.operators.size() + 1) {
  for (const auto& op : plan.operators) {
    stage_of_.emplace(op.get(), plan.sources.size() + stage_of_.size());
  }
}

void StageClock::Enter(const stream::Operator& op) {
  // What is behind the plan's operators is the sink.
  auto stage = stage_of_.find(&op);
  EnterStage(stage == stage_of_.end() ? sink_stage() : stage->second);
}

void StageClock::EnterStage(size_t stage) {
  CountUntilNow();
  inside_.push_back(stage);
}

void StageClock::Leave() {
  CountUntilNow();
  inside_.pop_back();
}

void StageClock::CountUntilNow() {
  const int64_t now_us = clock_.MonotonicMicros();
  if (!inside_.empty()) busy_us_[inside_.back()] += now_us - counted_until_us_;
  counted_until_us_ = now_us;
}

}  // namespace millrace::job
