// What tests of traces share: the records of a topic, and a runtime as a trace asks it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "project/project_fixture.h"
#include "project/trace.h"

namespace millrace::project {

inline std::vector<TraceRecord> RecordsOf(Runtime& runtime, const std::string& topic,
                                          int partition) {
  std::vector<TraceRecord> records;
  auto at = runtime.log().DescribePartition(topic, partition);
  EXPECT_TRUE(at.ok()) << at.status().ToString();
  for (int64_t next = at.ok() ? at->start_offset : 0; at.ok() && next < at->stable_offset;) {
    auto read =
        runtime.log().Read(topic, partition, next, at->stable_offset, 1 << 20,
                           [&](std::span<const model::Record> some) {
                             for (const model::Record& r : some) {
                               TraceRecord& record = records.emplace_back();
                               record = {topic, partition, r.offset, r.timestamp_ms, {}, {}};
                               if (r.has_key) record.key = std::string(r.key);
                               if (r.has_value) record.value = std::string(r.value);
                             }
                           });
    EXPECT_TRUE(read.ok()) << read.status().ToString();
    if (!read.ok()) break;
    next = *read;
  }
  return records;
}

// The commit is the one of the ledger.
inline TraceAccess AccessTo(Runtime& runtime) {
  TraceAccess access;
  access.ask = [&runtime](const std::string& sql) -> Result<std::string> {
    MR_ASSIGN_OR_RETURN(duck::QueryResult result, runtime.warehouse().Query(sql));
    return result.ToJson();
  };
  access.commits = [&runtime](const std::string& job,
                              const TraceRecord& record) -> std::optional<TraceCommit> {
    const auto rows = Rows(
        runtime, fmt::format("SELECT epoch, epoch_ms(committed_at) FROM millrace.ledger_offsets "
                             "WHERE job = '{}' AND topic = '{}' AND split = '{}' AND from_offset "
                             "<= {} AND to_offset > {}",
                             job, record.topic, record.partition, record.offset, record.offset));
    if (rows.empty()) return std::nullopt;
    return TraceCommit{std::stoll(rows[0]), std::stoll(rows[0].substr(rows[0].find('|') + 1))};
  };
  access.read_topic = [&runtime](const std::string& topic) -> Result<std::vector<TraceRecord>> {
    MR_ASSIGN_OR_RETURN(log::TopicInfo info, runtime.log().Describe(topic));
    std::vector<TraceRecord> all;
    for (int p = 0; p < info.config.partitions; p++) {
      for (TraceRecord& record : RecordsOf(runtime, topic, p)) all.push_back(std::move(record));
    }
    return all;
  };
  return access;
}

}  // namespace millrace::project
