// Stream models: models of a dbt project with `materialized: stream`, as tables and jobs of the
// pipeline that the project lies in. The model
//
//   {{ config(materialized='stream', unique_key='country') }}
//   SELECT country, COUNT(*) AS orders FROM {{ source('shop', 'orders') }} GROUP BY country
//
// is the statement CREATE TABLE … WITH ('connector' = 'warehouse') AS SELECT …: a table that a job
// keeps fresh. Sources name tables of sql/*.sql, other stream models are read as they run. Configs:
// `unique_key` is the PRIMARY KEY, `options` are further WITH options.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "dbt/project.h"
#include "sql/catalog.h"

namespace millrace::project {

struct StreamModel {
  std::string name;    // of the table and the job
  std::string script;  // the statement; the model's compiled SQL starts in its second line
  dbt::Node node;
};

// Whether a dbt project lies in the directory.
bool HasModels(const std::string& directory);

// Reads the dbt project of a pipeline, whose tables its sources can name.
Result<std::unique_ptr<dbt::Project>> LoadModels(const dbt::ProjectOptions& options,
                                                 const sql::Catalog& catalog);

// Those that are streams, so that each comes after what it reads. Errors point into templates.
Result<std::vector<StreamModel>> StreamModelsOf(dbt::Project& models);

// A place in a model's script as a place in its template, where there is one.
SourceSpan PlaceInModel(const StreamModel& model, const SourceSpan& span);

}  // namespace millrace::project
