// LakeSink: a sink that gathers the rows of several epochs, commits them as one version of a table
// in a lake, which carries the epoch, and looks after the table in between.
//
// Contract: as Sink (connectors/connector.h); one thread. What derives from it keeps the table.
#pragma once

#include "connectors/commit_pace.h"
#include "connectors/connector.h"

namespace millrace::connectors {

class LakeSink : public Sink {
 public:
  explicit LakeSink(const TableContext& table);

  Result<model::Epoch> LastCommitted() override { return committed_; }
  // A commit that failed may have been done: the table is asked before it is done again.
  Status Commit(model::Epoch epoch) override;
  bool GathersEpochs() const override { return true; }
  bool WantsCommit() override { return pace_.WantsCommit(GatheredRows()); }

 protected:
  // The table is open, and `committed` is the last epoch in it.
  void Opened(model::Epoch committed);
  void RowsCame() { pace_.RowsCame(); }
  env::Clock& clock() { return clock_; }

  virtual int64_t GatheredRows() const = 0;
  // The job's last epoch in the table as it is now.
  virtual Result<model::Epoch> FindLastEpoch() = 0;
  virtual Status CommitGathered(model::Epoch epoch) = 0;
  // The gathered rows are in the table already.
  virtual Status ForgetGathered() = 0;
  virtual Status Maintain() = 0;

  const TableContext table_;

 private:
  env::Clock& clock_;
  CommitPace pace_;
  model::Epoch committed_ = 0;
  bool asks_again_ = false;  // the last commit failed, and may have been done
};

}  // namespace millrace::connectors
