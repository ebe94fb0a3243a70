#include "stream/operator.h"

#include "stream/work_observer.h"

namespace millrace::stream {

void Emitter::Emit(const Batch& batch) {
  if (batch.size() == 0) return;
  rows_ += static_cast<int64_t>(batch.size());
  for (const Target& target : targets_) {
    const Working working(*target.next);
    target.next->Process(target.port, batch);
  }
}

std::vector<const Operator*> Emitter::Targets() const {
  std::vector<const Operator*> operators;
  for (const Target& target : targets_) operators.push_back(target.next);
  return operators;
}

Status Operator::Open(const OperatorContext& context, const state::StateReader& state) {
  (void)state;
  context_ = context;
  return Status::Ok();
}

}  // namespace millrace::stream
