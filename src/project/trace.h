// Trace: the whole way of one record: its bytes, what decoding and CHECKs said, what each view and
// job makes of it, the dead letters that were written of it, and the rows of the sinks that it is
// in as they stand now.
//
// What a stage makes of the record is found by running it alone through a private copy of the plan:
// a log of its own with just this record, empty state, and time moved to its end. That is the same
// code as the job's, and today's text. Whether it came late is not judged again (that depends on
// what came before it) but read from the dead letters. What cannot be told so is said: joins (their
// partners are not there), look-ups (what was answered then), changelogs.
//
// Contract: starts nothing, changes nothing. One thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "project/lineage.h"
#include "project/recording_sink.h"

namespace millrace::project {

struct TraceRecord {
  std::string topic;
  int partition = 0;
  int64_t offset = 0;
  int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
};

struct TraceRows {
  std::vector<std::string> columns;
  std::vector<std::vector<CellText>> rows;
};

// Why a record, or a row of it, went no further.
struct TraceRefusal {
  std::string stage;
  std::string kind;
  std::string reason;
};

struct TraceCheck {
  std::string name;
  std::string expression;
  CellText verdict;  // "true", "false", or none: unknown, which passes
  std::string action;
};

struct TraceStage {
  std::string name;
  std::string version;  // hash of its text
  TraceRows made;       // no rows: it was filtered, or refused
  std::vector<TraceRefusal> refused;
  std::string note;  // what cannot be told, and why
};

// Which commit brought a record's rows into the sink. None: not recorded.
struct TraceCommit {
  int64_t epoch = 0;
  int64_t time_ms = 0;
};
using FindCommit =
    std::function<std::optional<TraceCommit>(const std::string& job, const TraceRecord& record)>;

struct TraceJob {
  std::string job;
  std::string sink;
  std::vector<TraceStage> stages;     // the views it reads, then itself
  std::vector<TraceRefusal> letters;  // that the job wrote of it, as they are recorded
  std::string found_by;               // the columns by which its rows were looked for in the sink
  TraceRows in_sink;                  // as they are now
  std::string note;
  std::optional<TraceCommit> commit;
};

struct TraceTable {
  std::string table;
  TraceStage decoded;
  std::vector<TraceCheck> checks;
  std::string time_column;  // event time; "": none
  CellText time;
  std::vector<TraceJob> jobs;
};

struct Trace {
  std::string project;
  TraceRecord record;
  std::vector<TraceTable> tables;     // those that are read from its topic
  std::vector<TraceRefusal> letters;  // recorded of it at the door, by no job

  std::string ToText() const;
  std::string ToJson() const;
  // A lineage document (project/lineage_yaml.h) for each job whose sink has rows of it.
  std::string ToYaml() const;
};

// Answers SQL over the project's warehouse with the JSON of POST /api/sql.
using AskSql = std::function<Result<std::string>(const std::string& sql)>;

// `commits` may be null. Errors: the project has no table over the topic; those of `ask`.
Result<Trace> TraceOf(const Project& project, const TraceRecord& record, const AskSql& ask,
                      const FindCommit& commits = nullptr);

// The column by which TABLE's records are told apart: 'key.fields', else the PRIMARY KEY; "": none.
std::string KeyColumnOf(const sql::Table& table);

}  // namespace millrace::project
