// CommitPace: when a sink that gathers the rows of several epochs is to commit them, and when it is
// to look after what it has written.
//
// Contract: one thread. Time is the clock's monotonic one.
#pragma once

#include <cstdint>

#include "connectors/connector.h"
#include "env/clock.h"

namespace millrace::connectors {

class CommitPace {
 public:
  // By the table's options 'commit.interval' and 'maintenance.interval'. `clock` outlives this.
  CommitPace(const Options& options, env::Clock& clock);

  // The sink is open: maintenance is due an interval later.
  void Opened();
  void RowsCame();
  void Committed();
  // `rows` are gathered.
  bool WantsCommit(int64_t rows) const;
  bool WantsMaintenance() const;
  void Maintained();

 private:
  env::Clock& clock_;
  const int64_t commit_interval_us_;
  const int64_t maintenance_interval_us_;
  int64_t first_row_us_ = -1;  // -1: nothing gathered
  int64_t maintained_us_ = 0;
};

// The clock of the process, or the one that a test has put into its place.
env::Clock& ClockOf(const TableContext& table);

}  // namespace millrace::connectors
