// Backend: what the HTTP routes see of the rest of Millrace.
//
// Contract
//   threads   every method may be called from several threads at once. log(), TopicSchemaFor,
//             WriteDeadLetters, Ready and Metrics are called from network threads and must not
//             wait; the ...Json methods run on the server's blocking threads and may take long.
//   results   a Result<std::string> is the whole JSON body that docs/reference/http-api.md shows;
//             a Status becomes the JSON error and the fitting HTTP status (see http_types.h).
//   lifetime  outlives the server that was started with it.
#pragma once

#include <prometheus/collectable.h>

#include <cstdint>
#include <duckdb.hpp>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "log/log.h"
#include "model/dead_letter.h"
#include "model/row_error.h"
#include "model/schema.h"

namespace millrace::connectors {
struct TableContext;
}  // namespace millrace::connectors

namespace millrace::registry {
class RecordCheck;
class Registry;
struct Schema;
}  // namespace millrace::registry

namespace millrace::project {
struct TraceRequest;
}  // namespace millrace::project

namespace millrace::serve {

// The table that a topic's events must fit.
struct TopicSchema {
  std::string table;  // for the dead letters
  model::Schema schema;
  std::string format = "json";
  std::map<std::string, std::string> format_options;  // as format::DecoderOptions::options
  std::vector<size_t> primary_key = {};               // as format::DecoderOptions::key
  std::string key_column;  // "": no key, events are spread over the partitions
  // Of a table whose records are not what is posted: events are JSON of its columns, and are
  // written as the table would write them (serve/event_encoder.h). Null: they are stored as sent.
  std::shared_ptr<const connectors::TableContext> encoded_as = nullptr;
  bool upsert = false;  // with encoded_as: the PRIMARY KEY is the record's key
  // Appends (row of `rows`, error) for each row that breaks a CHECK constraint; RowError's
  // record_index is ignored. Null: no constraints. Called by several threads at once.
  std::function<void(duckdb::DataChunk& rows,
                     std::vector<std::pair<uint32_t, model::RowError>>& errors)>
      check_constraints;
};

// What changed since the last call of a subscriber.
struct Change {
  bool pipeline = false;            // states, rates, lag, watermarks
  std::vector<std::string> tables;  // tables with newly committed results
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual log::Log& log() = 0;
  // Null: any valid JSON object is accepted. The same object is returned until the table changes
  // (the collector keeps its decoders for as long as the pointer stays the same).
  virtual std::shared_ptr<const TopicSchema> TopicSchemaFor(const std::string& topic) = 0;
  // `done` is called once, from any thread, after the letters are durable. The letters are copied
  // before the call returns.
  virtual void WriteDeadLetters(std::span<const model::DeadLetter> letters,
                                std::function<void(const Status&)> done) = 0;

  virtual Result<std::string> PipelineJson() = 0;
  virtual Result<std::string> JobJson(const std::string& name) = 0;
  virtual Result<std::string> DashboardsJson() = 0;
  virtual Result<std::string> DashboardJson(const std::string& name) = 0;
  // `params` is the query string: the filters' values and "since". Last one wins.
  virtual Result<std::string> DashboardDataJson(
      const std::string& name, const std::map<std::string, std::string>& params) = 0;
  virtual Result<std::string> SqlJson(const std::string& sql) = 0;
  virtual Result<std::string> DeadLettersJson(int64_t limit) = 0;
  // `id`: "partition/offset" in the dead-letter topic.
  virtual Result<std::string> DeadLetterJson(const std::string& id) = 0;
  // `request_json`: see serve/desk_request.h.
  virtual Result<std::string> ActOnDeadLetters(std::string_view request_json) = 0;
  // See project/change_plan.h, project/reprocess.h, project/verify.h.
  virtual Result<std::string> ChangesJson(const std::string& job) = 0;
  virtual Result<std::string> StartReprocessing(const std::string& job, std::string_view json) = 0;
  virtual Result<std::string> ReprocessingJson(const std::string& job) = 0;
  // Runs of the pipeline's models: see project/model_desk.h.
  virtual Result<std::string> StartModels(std::string_view /*json*/) {
    return Status(Code::kUnsupported, "there are no models to run");
  }
  virtual std::string ModelRunsJson() { return R"({"runs":[]})"; }
  virtual Result<std::string> ModelEventsJson(int64_t /*run*/, size_t /*from*/) {
    return Status(Code::kNotFound, "there are no models");
  }
  // {"text", "equal", "report"}; at most about `lines_max` lines of differences.
  virtual Result<std::string> VerifyJson(const std::string& job, int64_t lines_max) = 0;

  // Of the whole project, or with `of` ("table.column") what it comes from and what comes from it;
  // `direction`: "up", "down" or "" for both. See project/lineage.h.
  virtual Result<std::string> LineageJson(const std::string& of, const std::string& direction) = 0;
  // The ways of the records that are asked for; see project/trace_request.h.
  virtual Result<std::string> TraceJson(const project::TraceRequest& /*request*/) {
    return Status(Code::kUnsupported, "there is no project whose records could be traced");
  }

  // The schema registry in this process; null: there is none.
  virtual registry::Registry* Schemas() { return nullptr; }
  // What the schema would break as the subject's next version; see project/schema_dry_run.h.
  virtual Result<std::string> SchemaDryRunJson(const std::string& /*subject*/,
                                               const registry::Schema& /*schema*/,
                                               int64_t /*records_max*/) {
    return Status(Code::kUnsupported, "there are no records to try a schema on");
  }
  // Which records strict topics take; null: there are none. May be called from network threads.
  virtual registry::RecordCheck* Strict() { return nullptr; }

  // Ok once the jobs run; otherwise the reason.
  virtual Status Ready() = 0;
  // More metrics for /metrics, e.g. a prometheus::Registry; null: only those of the server.
  virtual std::shared_ptr<prometheus::Collectable> Metrics() { return nullptr; }
  // Calls `on_change` (from any thread, cheap, must not call back) after something changed, until
  // the returned function was called; after that returns, no call is running or will come.
  virtual std::function<void()> Subscribe(std::function<void(const Change&)> on_change) = 0;
};

}  // namespace millrace::serve
