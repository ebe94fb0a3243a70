// KeyOverwrite: changes to a keyed Iceberg table, copy on write.
//
// Files cannot be changed, so what concerns a key means: the data files that hold a row with it are
// taken out of the table, and their other rows are written anew together with the new ones. So
// every reader can read the table: deletes in files of their own (of positions or of keys) some
// cannot. Which files hold a key is found by partitions, then by the bounds of the key's columns,
// then by reading these columns.
//
// Contract: one thread. Errors that another try may mend have Retry::kBackoff.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/changes_by_key.h"
#include "connectors/iceberg/data_writer.h"
#include "connectors/iceberg/manifest.h"
#include "connectors/iceberg/snapshot_update.h"

namespace millrace::connectors::iceberg {

class KeyOverwrite {
 public:
  // `columns` of the rows and, of them, the key; `file_bytes`: target size. `writer` outlives this,
  // and is described by the columns of the table, all of them.
  KeyOverwrite(DataWriter& writer, model::Schema columns, std::vector<std::string> key,
               int64_t file_bytes);

  ChangesByKey& changes() { return changes_; }
  const ChangesByKey& changes() const { return changes_; }

  struct Written {
    NewSnapshot snapshot;                     // without time and epoch; id 0: nothing changes
    std::vector<std::string> locations = {};  // of new files, for when it is refused
  };
  // Writes what makes the changes, which are settled, behind the head of `table`. Error
  // kUnsupported: the table has files that cannot be written anew.
  Result<Written> Write(const TableMetadata& table,
                        const std::vector<PartitionTransform>& partition);

 private:
  // A manifest of the head, with what it has.
  struct Listed {
    ManifestFile file;
    std::vector<PartitionColumn> columns;
    std::vector<ManifestEntry> entries;  // live ones
  };
  // How far the changed keys reach in one column of the key.
  struct Reach {
    int column = 0;  // its number
    duckdb::LogicalType type;
    duckdb::Value lowest, highest;  // NULL: not known
  };

  Result<std::vector<Listed>> ReadHead(const TableMetadata& table);
  Result<std::vector<Reach>> ReachOfKeys(const TableMetadata& table);
  Result<std::map<size_t, std::set<std::string>>> PartitionsOfKeys(
      const TableMetadata& table, const std::vector<PartitionTransform>& partition);
  // Paths of the files that hold changed keys.
  Result<std::set<std::string>> Concerned(const TableMetadata& table,
                                          const std::vector<PartitionTransform>& partition,
                                          const std::vector<Listed>& head);
  Status CheckCanRead(const TableMetadata& table, const std::vector<DataFile>& files);
  Status FillWriter(const TableMetadata& table, const std::vector<DataFile>& replaced);
  Status WriteManifests(const TableMetadata& table, std::vector<Listed> head,
                        const std::set<std::string>& replaced, Written& written);
  std::string SameKey(const TableMetadata& table) const;

  DataWriter& writer_;
  const model::Schema columns_;
  const std::vector<std::string> key_;
  const int64_t file_bytes_;
  ChangesByKey changes_;
  std::set<std::string> readable_;  // files of others that were looked into
};

}  // namespace millrace::connectors::iceberg
