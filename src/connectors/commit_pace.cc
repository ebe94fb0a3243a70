#include "connectors/commit_pace.h"

namespace millrace::connectors {

namespace {

constexpr int64_t kRowsMax = 4'000'000;  // gathered ones; then a commit comes early

}  // namespace

CommitPace::CommitPace(const Options& options, env::Clock& clock)
    : clock_(clock),
      commit_interval_us_(options.GetMicros("commit.interval")),
      maintenance_interval_us_(options.GetMicros("maintenance.interval")) {}

void CommitPace::Opened() {
  first_row_us_ = -1;
  maintained_us_ = clock_.MonotonicMicros();
}

void CommitPace::RowsCame() {
  if (first_row_us_ < 0) first_row_us_ = clock_.MonotonicMicros();
}

void CommitPace::Committed() {
  first_row_us_ = -1;
}

bool CommitPace::WantsCommit(int64_t rows) const {
  if (first_row_us_ < 0) return false;
  return clock_.MonotonicMicros() - first_row_us_ >= commit_interval_us_ || rows >= kRowsMax;
}

bool CommitPace::WantsMaintenance() const {
  return clock_.MonotonicMicros() - maintained_us_ >= maintenance_interval_us_;
}

void CommitPace::Maintained() {
  maintained_us_ = clock_.MonotonicMicros();
}

env::Clock& ClockOf(const TableContext& table) {
  return table.services.clock ? *table.services.clock : *env::Clock::System();
}

}  // namespace millrace::connectors
