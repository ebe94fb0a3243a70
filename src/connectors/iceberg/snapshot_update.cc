#include "connectors/iceberg/snapshot_update.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/strings.h"

namespace millrace::connectors::iceberg {

namespace {

constexpr const char* kJob = "millrace.job";
constexpr const char* kEpoch = "millrace.epoch";

int64_t NumberIn(const std::map<std::string, std::string>& summary, const std::string& name) {
  int64_t number = 0;
  if (auto found = summary.find(name); found != summary.end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), number);
  }
  return number;
}

struct Sums {
  int64_t files = 0;
  int64_t rows = 0;
  int64_t bytes = 0;
};

Sums SumsOf(const std::vector<DataFile>& files) {
  Sums sums;
  for (const DataFile& file : files) {
    sums.files++;
    sums.rows += file.record_count;
    sums.bytes += file.size_bytes;
  }
  return sums;
}

std::map<std::string, std::string> SummaryOf(const NewSnapshot& snapshot, const Snapshot* parent) {
  std::map<std::string, std::string> summary = snapshot.extra;
  summary["operation"] = snapshot.operation;
  const Sums added = SumsOf(snapshot.added), removed = SumsOf(snapshot.removed);
  auto note = [&](const std::string& name, int64_t number) {
    if (number > 0) summary[name] = std::to_string(number);
  };
  note("added-data-files", added.files);
  note("added-records", added.rows);
  note("added-files-size", added.bytes);
  note("deleted-data-files", removed.files);
  note("deleted-records", removed.rows);
  note("removed-files-size", removed.bytes);
  // Totals of a table are only known where every snapshot before kept them.
  auto total = [&](const std::string& name, int64_t change) {
    if (parent && !parent->summary.contains(name)) return;
    summary[name] = std::to_string((parent ? NumberIn(parent->summary, name) : 0) + change);
  };
  total("total-data-files", added.files - removed.files);
  total("total-records", added.rows - removed.rows);
  total("total-files-size", added.bytes - removed.bytes);
  total("total-delete-files", 0);
  total("total-position-deletes", 0);
  total("total-equality-deletes", 0);
  return summary;
}

}  // namespace

std::vector<std::string> HeadIsStill(const TableMetadata& table) {
  const std::string head =
      table.current_snapshot < 0 ? "null" : std::to_string(table.current_snapshot);
  return {
      fmt::format(R"({{"type":"assert-table-uuid","uuid":{}}})", JsonQuote(table.uuid)),
      fmt::format(R"({{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":{}}})", head)};
}

std::vector<std::string> AddSnapshot(const TableMetadata& table, const NewSnapshot& snapshot) {
  const Snapshot* parent = table.FindSnapshot(table.current_snapshot);
  std::vector<std::string> summary;
  for (const auto& [key, value] : SummaryOf(snapshot, parent)) {
    summary.push_back(JsonQuote(key) + ":" + JsonQuote(value));
  }
  const std::string behind =
      parent ? fmt::format(R"("parent-snapshot-id":{},)", parent->id) : std::string();
  return {fmt::format(R"({{"action":"add-snapshot","snapshot":{{"snapshot-id":{},{})"
                      R"("sequence-number":{},"timestamp-ms":{},"schema-id":{},"manifest-list":{},)"
                      R"("summary":{{{}}}}}}})",
                      snapshot.id, behind, table.last_sequence_number + 1,
                      std::max(snapshot.timestamp_ms, parent ? parent->timestamp_ms : 0),
                      table.schema_id, JsonQuote(snapshot.manifest_list), Join(summary, ",")),
          fmt::format(R"({{"action":"set-snapshot-ref","ref-name":"main","type":"branch",)"
                      R"("snapshot-id":{}}})",
                      snapshot.id)};
}

int64_t CommittedEpoch(const TableMetadata& table, const std::string& job) {
  const auto newest = NewestOfJobs(table);
  auto found = newest.find(job);
  return found == newest.end() ? 0 : NumberIn(found->second->summary, kEpoch);
}

std::map<std::string, const Snapshot*> NewestOfJobs(const TableMetadata& table) {
  std::map<std::string, const Snapshot*> newest;
  for (const Snapshot& snapshot : table.snapshots) {
    auto job = snapshot.summary.find(kJob);
    if (job == snapshot.summary.end()) continue;
    const Snapshot*& known = newest[job->second];
    if (!known || known->sequence_number < snapshot.sequence_number) known = &snapshot;
  }
  return newest;
}

std::map<std::string, std::string> EpochSummary(const std::string& job, int64_t epoch) {
  return {{kJob, job}, {kEpoch, std::to_string(epoch)}};
}

}  // namespace millrace::connectors::iceberg
