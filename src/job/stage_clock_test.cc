// Time belongs to the stage at work, not to those that called it, also when work ends by an error.
#include "job/stage_clock.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "env/hand_clock.h"

namespace millrace::job {
namespace {

// Works for a while, before and after it hands its batch on.
class Step : public stream::Operator {
 public:
  Step(uint32_t id, env::HandClock& clock, int64_t work_us)
      : Operator(id), clock_(clock), work_us_(work_us) {}
  void Process(int, const stream::Batch& batch) override {
    clock_.Advance(work_us_);
    if (fails) throw std::runtime_error("it fails");
    emitter_.Emit(batch);
    clock_.Advance(work_us_);
  }
  stream::OperatorDescription Describe() const override { return {}; }
  bool fails = false;

 private:
  env::HandClock& clock_;
  const int64_t work_us_;
};

TEST(StageClock, CountsTheStageAtWork) {
  env::HandClock time(0);
  stream::JobPlan plan;
  plan.sources.resize(1);
  auto add = [&](int64_t work_us) {
    plan.operators.push_back(std::make_unique<Step>(plan.operators.size(), time, work_us));
    return static_cast<Step*>(plan.operators.back().get());
  };
  Step* const first = add(10);
  Step* const left = add(100);
  Step* const right = add(1'000);
  Step sink(9, time, 10'000);
  first->emitter().Add(left, 0);
  first->emitter().Add(right, 0);
  left->emitter().Add(&sink, 0);
  StageClock clock(time, plan);
  ASSERT_EQ(clock.sink_stage(), 4u);
  stream::Emitter source;
  source.Add(first, 0);
  duckdb::DataChunk rows;
  rows.Initialize(duckdb::Allocator::DefaultAllocator(), {duckdb::LogicalType::INTEGER});
  rows.SetCardinality(1);
  stream::Batch batch;
  batch.rows = &rows;

  source.Emit(batch);  // nobody observes
  auto busy = [&] {
    std::vector<int64_t> each;
    for (size_t stage = 0; stage <= clock.sink_stage(); stage++)
      each.push_back(clock.busy_us(stage));
    return each;
  };
  EXPECT_EQ(busy(), (std::vector<int64_t>{0, 0, 0, 0, 0}));

  const stream::WorkObserver::Scope observed(&clock);
  {
    const StageClock::At at(clock, 0);
    time.Advance(1);
    source.Emit(batch);
    time.Advance(1);
  }
  time.Advance(77);  // between stages: nobody's
  EXPECT_EQ(busy(), (std::vector<int64_t>{2, 20, 200, 2'000, 20'000}));
  left->fails = true;
  {
    const StageClock::At at(clock, 0);
    EXPECT_THROW(source.Emit(batch), std::runtime_error);
    time.Advance(5);
  }
  EXPECT_EQ(busy(), (std::vector<int64_t>{7, 30, 300, 2'000, 20'000}));
}

}  // namespace
}  // namespace millrace::job
