// OpenLineage run events of a project's jobs: a START when a job begins to run here, RUNNING while
// it does, and COMPLETE, ABORT (stopped from outside) or FAIL.
//
// Source: https://openlineage.io/spec/2-0-2/OpenLineage.json and the facets schema, dataSource,
// columnLineage, inputStatistics, outputStatistics, sql, jobType, processing_engine, errorMessage;
// datasets are named as in OpenLineage's naming conventions, and the embedded log and the warehouse
// as a Kafka cluster (where Kafka clients can reach it) and a DuckDB file would be.
#pragma once

#include <map>
#include <string>

#include "job/job.h"
#include "project/lineage.h"
#include "project/open_lineage_settings.h"

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

 private:
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
