// A job that is driven step by step; job.cc has the loop that drives itself.
#include "env/clock.h"
#include "job/job.h"

namespace millrace::job {

Result<bool> Job::Step(const StepOptions& options) {
  for (auto& source : sources_) {
    MR_RETURN_IF_ERROR(source->RefreshSplits(clock_->MonotonicMicros()));
  }
  state::Decision decision;
  MR_ASSIGN_OR_RETURN(bool news, DecideNext(decision));
  for (size_t i = 0; i < sources_.size(); i++) {
    auto promise = options.promises.find(sources_[i]->table_name());
    if (promise == options.promises.end() || !sources_[i]->has_event_time()) continue;
    if (promise->second <= sources_[i]->frontier()) continue;
    decision.promises.push_back({static_cast<int>(i), promise->second});
  }
  if (!news && decision.promises.empty()) return false;
  if (decisions_) {
    MR_RETURN_IF_ERROR(decisions_->Append(decision));
    MR_RETURN_IF_ERROR(decisions_->Sync());
  }
  MR_RETURN_IF_ERROR(RunEpoch(decision));
  if (!options.commit) return true;
  MR_RETURN_IF_ERROR(options.letters ? CommitEpoch(decision.epoch, false)
                                     : CommitSink(decision.epoch, false));
  return true;
}

}  // namespace millrace::job
