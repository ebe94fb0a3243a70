// SchemaDryRun: what a candidate for a subject's next version would break, tried on what is there:
// the topic's records and dead letters are read with it, and the columns of each table over the
// topic are resolved with records written by it.
//
// Contract: reads only; jobs go on. The subject's topic is its name without "-value"; tables are
// those of format avro-confluent with that topic, or with the subject as their option; only with
// candidates of Avro. How records are read: project/schema_trial.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "project/runtime.h"
#include "registry/schema.h"

namespace millrace::project {

struct SchemaDryRun {
  // A record that the candidate cannot read.
  struct Broken {
    std::string what;  // "record 2/1042", "dead letter 0/17"
    std::string reason;
  };
  struct Column {
    std::string table;
    std::string column;
    bool breaks = false;  // false: the column would be NULL, and is not now
    std::string reason;
    std::vector<std::string> jobs;  // that would see it
  };

  std::string topic;
  int64_t records = 0;                // that were read
  int64_t letters = 0;                // of the topic
  int64_t broken = 0;                 // of both
  int64_t skipped = 0;                // of both: without a schema of the candidate's type
  std::vector<Broken> examples = {};  // the first
  std::vector<Column> columns = {};

  std::string ToJson() const;
};

// `records_max`: the newest of the topic, and of the dead letters. Errors: 42201 when the candidate
// is no schema.
Result<SchemaDryRun> DryRunSchema(Runtime& runtime, const std::string& subject,
                                  const registry::Schema& candidate, int64_t records_max);

}  // namespace millrace::project
