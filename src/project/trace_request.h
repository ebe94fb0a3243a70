// TracesOf: which records a trace is asked for, by key, by place, or by a row of a sink, and their
// traces. `millrace trace` and POST /api/trace are this.
//
// Contract: one thread. A search by key reads its whole topic; what joins versions, or goes on
// where the sink is a topic, reads topics of up to 200,000 records.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "log/log.h"
#include "project/trace.h"

namespace millrace::project {

// One of: table and keys; topic, partition and offset; sink and where.
struct TraceRequest {
  std::string table;
  std::vector<std::string> keys;
  std::string column;  // where to look for the key, too; "": the table's key
  int64_t limit = 5;   // the newest records of each key, or rows of the sink; at least 1
  std::string topic;
  int partition = 0;
  int64_t offset = -1;
  std::string sink;
  std::string where;  // SQL
};

// A project's topics, in this process or over HTTP.
class TraceLog {
 public:
  struct Range {
    int partition = 0;
    int64_t start_offset = 0;
    int64_t end_offset = 0;  // exclusive
  };
  virtual ~TraceLog() = default;
  // Errors: kNotFound, with a did-you-mean.
  virtual Result<std::vector<Range>> Ranges(const std::string& topic) = 0;
  // Up to `limit` records from `offset` on, in their order; none: there are no more.
  virtual Result<std::vector<TraceRecord>> Read(const std::string& topic, int partition,
                                                int64_t offset, int64_t limit) = 0;
};

// `log` outlives it.
std::unique_ptr<TraceLog> NewTraceLog(log::Log& log);

// In the order of the keys, or of the sink's rows. Errors: the request names no record; there is
// none like it, with where it was looked for; those of TraceOf.
Result<std::vector<Trace>> TracesOf(const Project& project, const TraceRequest& request,
                                    TraceLog& log, const AskSql& ask);

// {"traces": […]}
std::string TracesJson(const std::vector<Trace>& traces);

}  // namespace millrace::project
