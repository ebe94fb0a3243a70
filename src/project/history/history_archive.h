// HistoryArchive: the files of topics that are kept beyond their retention, as the log's archive:
// those that hold every record with its bytes, whichever table they were written for.
//
// Contract: as log::Archive. Several readers may work at once.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "log/archive.h"
#include "project/history/table_history.h"

namespace millrace::project {

using TableHistories = std::map<std::string, std::unique_ptr<TableHistory>>;  // by table

class HistoryArchive : public log::Archive {
 public:
  // `tables` outlive it and stay the same while it is in use; so does `database`, which reads.
  HistoryArchive(const TableHistories& tables, duck::Warehouse& database)
      : tables_(tables), database_(database) {}

  Result<int64_t> Start(const std::string& topic, int partition, int64_t before) const override;
  Result<int64_t> OffsetAfterBytes(const std::string& topic, int partition, int64_t from,
                                   int64_t budget_bytes) const override;
  Result<int64_t> OffsetForTime(const std::string& topic, int partition, log::OffsetRange range,
                                int64_t timestamp_ms) const override;
  std::unique_ptr<log::ArchiveReader> NewReader(const std::string& topic) const override;

  // The file that holds `offset`, and ends last. Error kNotFound.
  Result<HistoryFile> FileOf(const std::string& topic, int partition, int64_t offset) const;
  duck::Warehouse& database() const { return database_; }

 private:
  // By where they begin.
  Result<std::vector<HistoryFile>> Files(const std::string& topic, int partition) const;
  // Of a file's records, not compressed.
  Result<int64_t> RecordBytes(const HistoryFile& file) const;

  const TableHistories& tables_;
  duck::Warehouse& database_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, int64_t> record_bytes_;  // by path
};

}  // namespace millrace::project
