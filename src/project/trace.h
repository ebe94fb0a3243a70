// Trace: the whole way of one record: its bytes, what decoding and CHECKs said, what each view and
// job makes of it, the dead letters that were written of it, and the rows of the sinks that it is
// in as they stand now.
//
// What a stage makes of the record is found by running it alone through a private copy of the plan:
// a log of its own with just this record, empty state, and time moved to its end. That is the same
// code as the job's, and today's text. Whether it came late is not judged again (that depends on
// what came before it) but read from the dead letters.
//
//   look-ups, functions   get the answers that the job got then (job/past_answers.h); no
//                         system is asked again. Of several that may be the ones, those with
//                         which the row is the one that the sink has
//   temporal joins        the topic of versions is in the private log, too, so the version is the
//                         one that the log says was valid
//
//   other joins           the record runs among all others of the topics, and is told with those
//                         that its rows need (project/trace_joined.h)
//
// What cannot be told so is said: answers that are not kept any more, changelogs.
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

// What another system, or the service of a function, said of a row, when it was asked.
struct TraceAnswer {
  std::string from;        // table or function
  TraceRows key;           // what it was asked for; one row
  TraceRows rows;          // none: it knew none
  std::string unusable;    // why the job could not use the answer; "": it could
  std::string version;     // of who answered, as he called himself; "": he did not
  model::Epoch epoch = 0;  // in which the job asked
  int64_t time_ms = 0;     // wall clock of the answer
  std::string note;        // what is not sure about it; "": nothing
};

// The version of a row that a temporal join found.
struct TraceVersion {
  std::string table;                  // "": one of several that are joined
  TraceRows row;                      // what the query reads of it; one row
  std::optional<TraceRecord> record;  // that says so; none: several do, or none was found
};

struct TraceStage {
  std::string name;
  std::string version;  // hash of its text
  std::vector<TraceAnswer> answers;
  std::vector<TraceVersion> versions;
  TraceRows
      windows;     // that the record falls into: their start and end; none: no windows, or SESSION
  TraceRows made;  // no rows: it was filtered, or refused
  // Of a join of streams: the other records without which the rows would not be as they are.
  std::vector<TraceRecord> partners;
  std::string partners_note;  // why they are not named; "": they are
  std::vector<TraceRefusal> refused;
  std::string note;  // what cannot be told, and why
};

// The epoch that read a record, and when it was committed. What waits for time, in a window or a
// join, comes with a later one. None: not recorded.
struct TraceCommit {
  int64_t epoch = 0;
  int64_t time_ms = 0;
};
using FindCommit =
    std::function<std::optional<TraceCommit>(const std::string& job, const TraceRecord& record)>;

struct Trace;

struct TraceJob {
  std::string job;
  std::string sink;
  std::vector<TraceStage> stages;     // the views it reads, then itself
  std::vector<TraceRefusal> letters;  // that the job wrote of it, as they are recorded
  std::string found_by;               // the columns by which its rows were looked for in the sink
  std::vector<std::string> found_columns;  // the same; empty: all rows are shown
  TraceRows in_sink;                       // as they are now
  std::vector<std::string> differences;    // where these are not as the record makes them
  std::string note;
  std::optional<TraceCommit> commit;
  std::vector<Trace> onward;  // of the records that the rows became, where the sink is a topic
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
// All records of a topic, each partition's in its order. Errors: kResourceExhausted: they are too
// many to be held.
using ReadTopic = std::function<Result<std::vector<TraceRecord>>(const std::string& topic)>;

// What a trace asks of where the project runs.
struct TraceAccess {
  AskSql ask;
  FindCommit commits = nullptr;      // null: nothing is recorded
  ReadTopic read_topic = nullptr;    // null: versions and records of sinks cannot be told
  const Lineage* lineage = nullptr;  // of the project; null: it is read for each trace
};

// Errors: the project has no table over the topic; those of `access`.
Result<Trace> TraceOf(const Project& project, const TraceRecord& record, const TraceAccess& access);

// The records that rows of a sink come from, as far up as there are topics: those of the rows of
// `table` for which `where` holds, a condition in SQL. At most `limit` rows are followed. Errors:
// the sink cannot be asked by SQL; no column of it is a column of what it comes from; nothing was
// found, with the place where the way up ended.
Result<std::vector<TraceRecord>> SourcesOf(const Project& project, const std::string& table,
                                           const std::string& where, int64_t limit,
                                           const TraceAccess& access);

// The column by which TABLE's records are told apart: 'key.fields', else the PRIMARY KEY; "": none.
std::string KeyColumnOf(const sql::Table& table);

}  // namespace millrace::project
