// HistoryKeeper: keeps closed segments of topics as Parquet, too, for every append table over a
// topic of which millrace.yml says so (`parquet`).
//
// Contract: Start and Stop by one thread; Find, from any. Its thread wakes once a second; what it
// cannot write it tries again, and says so in the log once. With `keep`, retention leaves segments
// in the log until they are written, and the files are the log's archive for as long as this lives.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "connectors/connector.h"
#include "duck/warehouse.h"
#include "project/history/history_archive.h"
#include "project/history/table_history.h"
#include "project/project.h"

namespace millrace::project {

class HistoryKeeper {
 public:
  // Of the services: log and schema registry. The topics exist.
  static Result<std::unique_ptr<HistoryKeeper>> Open(const Project& project,
                                                     const connectors::Services& services);
  ~HistoryKeeper();

  void Start();
  void Stop();
  // One round over all tables: the first error, after the others had their turn. Not while the
  // thread runs.
  Status Pass(int64_t now_ms);

  // Null: nothing is kept of this table.
  const TableHistory* Find(const std::string& table) const;
  const TableHistories& tables() const { return tables_; }

 private:
  explicit HistoryKeeper(log::Log& log) : log_(log) {}
  Status OpenDatabase(const Project& project);
  Status HoldRetention();
  void Run();

  log::Log& log_;
  std::unique_ptr<duck::Warehouse> database_;  // in memory; reads and writes files
  std::unique_ptr<HistoryPlace> local_, remote_;
  TableHistories tables_;
  std::unique_ptr<HistoryArchive> archive_;  // null: nothing outlives its segment
  std::vector<std::string> without_table_;   // topics that are to be kept, and cannot be
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace millrace::project
