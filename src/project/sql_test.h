// SqlTest: a unit test of a project's SQL, read from tests/*.yml. docs/testing-your-sql.md is the
// format for users.
//
//   tests:
//     - name: counts views
//       steps:
//         - rows: {page_views: [{url: /a, event_time: "2026-03-01 10:00:01"}, …]}
//         - crash
//         - watermark: {page_views: "2026-03-01 10:01:00"}
//         - expect: {tables: {views_per_minute: [{url: /a, views: 1}]}}
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "model/position.h"
#include "project/project.h"

namespace millrace::project {

// A record to append to the topic of a table.
struct InputRow {
  std::string table;
  int partition = 0;
  std::optional<std::string> key = {};
  std::string value;  // JSON, or the bytes of "_raw"
};

// A row as the test writes it: some columns, by name; no text: NULL.
struct ExpectedRow {
  std::vector<std::pair<std::string, std::optional<std::string>>> values;
  bool removed = false;  // of a changelog: the row is taken back
  SourceSpan span;
};

struct Expectation {
  enum class Kind { kTable, kChangelog, kDeadLetters };
  Kind kind = Kind::kTable;
  std::string table;  // whose rows count; of a view: the table that a job for the test fills
  std::string shown;  // as the test names it; "" for dead letters
  bool ordered = false;
  std::vector<ExpectedRow> rows;
  SourceSpan span;
};

struct TestStep {
  enum class Kind { kRows, kWatermark, kWait, kCrash, kEnd, kExpect };
  Kind kind = Kind::kRows;
  std::vector<InputRow> rows;                          // kRows, in order of arrival
  std::map<std::string, model::EventTime> watermarks;  // kWatermark: frontiers by table
  int64_t wait_us = 0;                                 // kWait
  std::vector<Expectation> expectations;               // kExpect
};

struct SqlTest {
  std::string name;
  std::vector<TestStep> steps;
  int64_t clock_us = 0;  // wall clock when it begins
  SourceSpan span;
};

// The tests of one file; everything wrong with it is appended to `faults`. Views that they expect
// something of get a job and a table in `project`.
std::vector<SqlTest> LoadSqlTests(const std::string& path, Project& project,
                                  std::vector<Status>& faults);

// How an expected or found row differs from what should be there, and the like.
struct SqlTestOutcome {
  bool passed = true;
  std::string report;  // what differs, line by line; "" when it passed
};

// How the input of a test is cut up; its outcome must not depend on it.
enum class SqlTestWay {
  kAsWritten,       // an epoch a step
  kTinyEpochs,      // an epoch a record; changelogs are not compared, they depend on epochs
  kCrashEveryStep,  // crash and recovery after every step
};

// Runs the jobs that the test's expectations need, over a log and states in `directory`, which
// should be empty. Errors: faults of the project or the test, not failed expectations.
Result<SqlTestOutcome> RunSqlTest(const SqlTest& test, const Project& project,
                                  const std::string& directory, SqlTestWay way);

}  // namespace millrace::project
