#include "connectors/delta/key_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <duckdb/main/appender.hpp>
#include <set>

#include "base/strings.h"
#include "duck/door.h"
#include "duck/warehouse.h"

namespace millrace::connectors::delta {

namespace {

using duck::Warehouse;
using duckdb::LogicalType;

Status MayPass(Status status) {
  return status.ok() ? std::move(status) : std::move(status).WithRetry(Retry::kBackoff);
}

}  // namespace

KeyChanges::KeyChanges(DataFiles& data, model::Schema columns, std::vector<std::string> key,
                       std::vector<std::string> partitioned_by)
    : data_(data),
      columns_(std::move(columns)),
      key_(std::move(key)),
      partitioned_by_(std::move(partitioned_by)),
      changes_(data.connection(), columns_, key_) {}

// A table "candidates" of what the log tells of each file.
Status KeyChanges::ListCandidates(const Snapshot& snapshot) {
  MR_RETURN_IF_ERROR(MayPass(Warehouse::Execute(
      data_.connection(),
      "CREATE OR REPLACE TABLE candidates (path VARCHAR, partition JSON, stats JSON)")));
  return MayPass(duck::AtTheDoor([&] {
    duckdb::Appender appender(data_.connection(), "candidates");
    for (const auto& [path, file] : snapshot.files) {
      appender.AppendRow(path.c_str(), PartitionJson(file.partition).c_str(),
                         file.stats.empty() ? "{}" : file.stats.c_str());
    }
    appender.Close();
    return Status::Ok();
  }));
}

// By partition, and by the smallest and largest values; what the log does not tell excludes
// nothing.
Result<std::vector<AddFile>> KeyChanges::MayConcern(const Snapshot& snapshot,
                                                    const model::Schema& stored) {
  MR_RETURN_IF_ERROR(ListCandidates(snapshot));
  std::vector<std::string> bounds = {"count(*) AS changed"};
  std::vector<std::string> conditions = {"changed > 0"};
  for (size_t i = 0; i < key_.size(); i++) {
    const LogicalType& type = stored.columns[static_cast<size_t>(stored.Find(key_[i]))].type;
    const std::string name = QuoteIdentifier(key_[i]);
    const std::string low = fmt::format("low{}", i), high = fmt::format("high{}", i);
    bounds.push_back(fmt::format("min({0}) AS {1}, max({0}) AS {2}", name, low, high));
    const auto unless_known = [&](const std::string& member, const std::string& condition) {
      conditions.push_back("coalesce(TRY_CAST(" + member + " ->> " + QuoteLiteral(key_[i]) +
                           " AS " + type.ToString() + ")" + condition + ", true)");
    };
    unless_known("partition", " IN (SELECT " + name + " FROM keys)");
    if (type.IsNested() || type.id() == duckdb::LogicalTypeId::BLOB) continue;
    // Some writers tell times to the millisecond below.
    const bool time = type == LogicalType::TIMESTAMP || type == LogicalType::TIMESTAMP_TZ;
    unless_known("stats -> 'minValues'", " <= " + high);
    unless_known("stats -> 'maxValues'", (time ? " + INTERVAL 1 MILLISECOND >= " : " >= ") + low);
  }
  auto found = Warehouse::QueryOn(data_.connection(),
                                  "SELECT path FROM candidates, (SELECT " + Join(bounds, ", ") +
                                      " FROM keys) WHERE " + Join(conditions, " AND "));
  if (!found.ok()) return MayPass(std::move(found).status());
  std::vector<AddFile> files;
  for (size_t i = 0; i < found->row_count(); i++) {
    files.push_back(snapshot.files.at(found->Get(i, 0).ToString()));
  }
  return files;
}

Result<std::vector<AddFile>> KeyChanges::Concerned(const Snapshot& snapshot,
                                                   const model::Schema& stored) {
  MR_ASSIGN_OR_RETURN(const auto candidates, MayConcern(snapshot, stored));
  if (candidates.empty()) return candidates;
  model::Schema key;
  for (const std::string& name : key_) {
    key.columns.push_back(stored.columns[static_cast<size_t>(stored.Find(name))]);
  }
  auto found = Warehouse::QueryOn(
      data_.connection(), "SELECT DISTINCT " + std::string(DataFiles::kFileColumn) + " FROM (" +
                              data_.RowsOf(candidates, key) + ") AS there SEMI JOIN keys ON " +
                              SameKey());
  if (!found.ok()) return MayPass(std::move(found).status());
  std::set<std::string> names;
  for (size_t i = 0; i < found->row_count(); i++) names.insert(found->Get(i, 0).ToString());
  std::vector<AddFile> files;
  for (const AddFile& file : candidates) {
    if (names.contains(data_.Name(file.path))) files.push_back(file);
  }
  return files;
}

std::string KeyChanges::Rows(const std::vector<AddFile>& files, const model::Schema& stored) const {
  std::vector<std::string> nulls;  // so that the table's columns come first, all of them
  for (const model::Column& column : stored.columns) {
    nulls.push_back("NULL::" + column.type.ToString() + " AS " + QuoteIdentifier(column.name));
  }
  std::string rows = "SELECT " + Join(nulls, ", ") + " WHERE false UNION ALL BY NAME FROM fresh";
  if (files.empty()) return rows;
  return rows + " UNION ALL BY NAME SELECT there.* EXCLUDE (" + DataFiles::kFileColumn +
         ") FROM (" + data_.RowsOf(files, stored) + ") AS there ANTI JOIN keys ON " + SameKey();
}

std::string KeyChanges::SameKey() const {
  std::vector<std::string> conditions;
  for (const std::string& name : key_) {
    const std::string there = "there." + QuoteIdentifier(name);
    std::string changed = "keys." + QuoteIdentifier(name);
    const auto& type = columns_.columns[static_cast<size_t>(columns_.Find(name))].type;
    const bool partition =
        std::find(partitioned_by_.begin(), partitioned_by_.end(), name) != partitioned_by_.end();
    // The log has NULL for the empty text.
    if (partition && type == LogicalType::VARCHAR) changed = "nullif(" + changed + ", '')";
    conditions.push_back(there + " IS NOT DISTINCT FROM " + changed);
  }
  return Join(conditions, " AND ");
}

}  // namespace millrace::connectors::delta
