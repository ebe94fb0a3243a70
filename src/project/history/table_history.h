// TableHistory: what is kept as Parquet of one table over a topic, and how its rows are read.
//
// Contract
//   threads   Split, Plan and Describe from any thread; Open, Keep and RemoveGone from one.
//   exact     what a query gets is what decoding the log would give, and, with `keep`, the rows
//             that retention took from the log before. Records that did not decode are decoded
//             again, by what the query reads of them.
//   columns   a table whose columns or format change gets files anew of what is still in the log.
//             What is older is read as it was written: columns that it has not are NULL, values
//             that do not fit their column's new type, too.
//
// Files: <root>/<topic>/<when it was created>/<table>/<number>-<fingerprint of the columns and the
// format>/<project/history/history_file.h>. Where they hold the bytes of every record, "-records"
// is behind the fingerprint. A file that nothing refers to any more is removed ten minutes later,
// for queries that were bound before.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "duck/table_provider.h"
#include "duck/warehouse.h"
#include "log/log.h"
#include "project/history/history_file.h"
#include "project/history/history_place.h"
#include "project/history/segment_writer.h"
#include "project/project.h"
#include "project/topic_scan.h"

namespace millrace::project {

class TableHistory {
 public:
  // `root`: of all files, in `place`. `place`, `log` and `database` outlive it.
  TableHistory(HistoryTable table, HistorySettings settings, std::string root, HistoryPlace& place,
               log::Log& log, duck::Warehouse& database);

  // Finds the files; removes what a crash left half written, and what is of an earlier topic of
  // this name. Errors: kBadOption for a column whose name the files need; those of the place, with
  // Retry::kBackoff where it may answer later: until then who would read the files gets that error,
  // retention takes nothing, and Keep tries again.
  Status Open();
  // Writes files of the segments that closed since, and forgets those whose time has come. Goes on
  // where an error stopped it. `stop`: asked between files.
  Status Keep(int64_t now_ms, const std::function<bool()>& stop);
  // Removes files that were forgotten before `now_ms` by more than the ten minutes.
  void RemoveGone(int64_t now_ms);

  // The first offset that the log has and the files have not.
  Result<int64_t> Needed(int partition) const;
  Result<duck::SplitRows> Split() const;

  // Files that were written for the same columns.
  struct Generation {
    std::string directory;
    bool with_bytes = false;  // of every record
    model::Schema columns;    // of the files; not needed of the newest
    std::vector<HistoryFile> files;
  };
  // What of a file is read; no ranges: all of it.
  struct Part {
    HistoryFile file;
    std::vector<log::OffsetRange> ranges;
  };
  struct Parts {
    model::Schema columns;  // of the files
    bool current = false;   // they are the table's
    std::vector<Part> parts;
  };
  // Files with the bytes of every record of a partition, whatever they say of columns. Errors:
  // kNotFound: there is no such topic; that of Open.
  Result<std::vector<HistoryFile>> RecordFiles(int partition) const;

  // All offsets that the table has now, each once.
  struct Plan {
    std::vector<Parts> stored;
    std::vector<PartitionRange> log;
  };
  Result<Plan> MakePlan() const;

  // Of the current generation.
  struct Description {
    int64_t files = 0;
    int64_t bytes = 0;
    int64_t covered_from = -1;  // -1: nothing is
    int64_t covered_to = -1;
  };
  Description Describe(int partition) const;

  const HistoryTable& table() const { return table_; }
  const HistorySettings& settings() const { return settings_; }

 private:
  struct Gone {
    std::string path;
    int64_t since_ms;
  };

  Status FindFiles();
  Result<std::vector<Generation>> ListGenerations(const std::string& directory) const;
  Status WritePartition(int partition, const std::function<bool()>& stop);
  void Forget(int64_t now_ms, const std::vector<log::PartitionInfo>& partitions);
  // Offsets before it are not shown any more.
  int64_t VisibleFrom(const log::PartitionInfo& partition) const;

  const HistoryTable table_;
  const HistorySettings settings_;
  const std::string root_;
  HistoryPlace& place_;
  log::Log& log_;
  duck::Warehouse& database_;

  mutable std::mutex mutex_;
  Status opened_;                        // why the files are not known
  int64_t created_us_ = -1;              // of the topic whose files these are
  std::vector<Generation> generations_;  // oldest first; the last one is the table's
  std::vector<Gone> gone_;
};

}  // namespace millrace::project
