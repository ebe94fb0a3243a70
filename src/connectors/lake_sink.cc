#include "connectors/lake_sink.h"

namespace millrace::connectors {

LakeSink::LakeSink(const TableContext& table)
    : table_(table), clock_(ClockOf(table)), pace_(table.options, clock_) {}

void LakeSink::Opened(model::Epoch committed) {
  committed_ = committed;
  pace_.Opened();
}

Status LakeSink::Commit(model::Epoch epoch) {
  if (asks_again_) {
    MR_ASSIGN_OR_RETURN(committed_, FindLastEpoch());
  }
  if (epoch > committed_) {
    asks_again_ = true;
    MR_RETURN_IF_ERROR(CommitGathered(epoch));
    committed_ = epoch;
  } else if (asks_again_) {
    MR_RETURN_IF_ERROR(ForgetGathered());
  }
  asks_again_ = false;
  pace_.Committed();
  if (!pace_.WantsMaintenance()) return Status::Ok();
  MR_RETURN_IF_ERROR(Maintain());
  pace_.Maintained();
  return Status::Ok();
}

}  // namespace millrace::connectors
