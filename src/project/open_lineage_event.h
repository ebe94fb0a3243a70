// OpenLineage run events of a project's jobs: a START when a job begins to run here, RUNNING while
// it does, and COMPLETE, ABORT (stopped from outside) or FAIL. And of its reconciliations: a START
// and COMPLETE for each result, with what it says of the destination, or FAIL when it could not be
// asked.
//
// Source: https://openlineage.io/spec/2-0-2/OpenLineage.json and the facets schema, dataSource,
// columnLineage, inputStatistics, outputStatistics, sql, jobType, processing_engine, errorMessage,
// dataQualityAssertions;
// datasets are named as in OpenLineage's naming conventions, and the embedded log and the warehouse
// as a Kafka cluster (where Kafka clients can reach it) and a DuckDB file would be.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "job/job.h"
#include "project/lineage.h"
#include "project/open_lineage_settings.h"
#include "project/reconcile.h"

namespace millrace::project {

enum class RunEvent { kStart, kRunning, kComplete, kAbort, kFail };
const char* RunEventName(RunEvent event);

struct DatasetName {
  std::string space;  // OpenLineage's namespace, e.g. "postgres://db:5432"
  std::string name;
};

class OpenLineageEvents {
 public:
  // `project` outlives it. What cannot be told of a job is left out of its events.
  OpenLineageEvents(const Project& project, const OpenLineageSettings& settings);

  // One JSON object on one line. `run_id`: a UUID. `time_us`: since 1970, UTC.
  std::string ToJson(RunEvent event, const std::string& run_id, const job::JobStatus& status,
                     int64_t time_us) const;
  // The same of a check, whose job is called "reconcile.NAME". "": no side of it is a table that
  // is known. Of kStart and, as the result says, kComplete or kFail.
  std::string ToJson(RunEvent event, const std::string& run_id,
                     const ReconcileResult& result) const;

 private:
  struct EventParts {
    std::vector<std::string> run_facets;
    std::string job;
    std::vector<std::string> job_facets;
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
  };
  std::string EventJson(RunEvent event, const std::string& run_id, int64_t time_us,
                        EventParts parts) const;
  std::string ErrorFacet(const std::string& message) const;
  std::string AssertionFacets(const ReconcileResult& result) const;
  std::string DatasetJson(const std::string& table, const std::string& more_facets,
                          const std::string& role_facets) const;
  std::string FieldJson(const std::string& table, const std::string& column,
                        const std::vector<duck::Dependency>& ways) const;
  std::string ColumnLineageJson(const JobLineage& job) const;
  std::string FieldsJson(const duck::Dependencies& from) const;

  const Project& project_;
  std::string space_;
  std::string producer_;
  Lineage lineage_;
  std::map<std::string, DatasetName> datasets_;  // by table
};

// The dataset that a table's rows are in. Never holds a user or a password.
DatasetName DatasetOf(const Project& project, const std::string& table);

}  // namespace millrace::project
