// Verify: computes once more, as a DuckDB batch over the stored input, what a job has computed as a
// stream, and compares it row by row with what its sink holds.
//
// What is shared with the job: decoding, CHECKs, computed columns and the parsing of SQL. What is
// not: operators, state, recovery, delivery, and the sink. A job that was stopped is compared as of
// its checkpoint, a running one as of the epoch after which it was held up for a moment; of windows
// and joins only what was final then.
//
// Contract: reads only. Results and input are held in memory, beyond the warehouse's limit in its
// temporary files. What has no equal as a batch is refused (kUnsupported) with the reason:
// sessions, GROUP BY HOP(…), processing time, Top-N and OVER, LIMIT, NOT IN of several columns,
// aggregates that depend on the order of rows, jobs that share their table with others, sinks that
// are no tables.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "project/runtime.h"

namespace millrace::project {

struct VerifiedTable {
  std::string name;
  // Per split: "0: 17..4711", first offset and the one after the last.
  std::vector<std::string> ranges;
  int64_t records = 0;
  int64_t refused = 0;  // bad records: not rows, for either side
  int64_t dropped = 0;  // by CHECKs that drop
  int64_t late = 0;     // too late for their window
};

struct VerifyReport {
  std::string job;
  std::string sink;
  int64_t epoch = 0;
  int64_t paused_us = -1;  // how long the running job was held up; -1: it does not run
  std::vector<VerifiedTable> inputs;
  std::string final_before;  // "window_end < 2026-03-01 10:02:00"; "" when all rows count
  int64_t rows_expected = 0;
  int64_t rows_found = 0;
  int64_t rows_not_final = 0;  // in the sink, not compared
  std::string checksum_expected;
  std::string checksum_found;
  int64_t differences = 0;         // rows that are only on one side
  std::vector<std::string> lines;  // what differs, for people; see project/row_diff.h

  bool equal() const { return differences == 0; }
  std::string ToText() const;
  std::string ToJson() const;
};

// Whether the job runs or not. At most about `lines_max` lines of differences.
Result<VerifyReport> VerifyJob(Runtime& runtime, const std::string& job, size_t lines_max);

}  // namespace millrace::project
