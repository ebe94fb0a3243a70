// What millrace.yml says of batches (batch/batch.h):
//
//   batch:
//     memory-limit: 2 GB         # larger work goes to .millrace/batch/spill
//     threads: 4                 # default: one per core
//     storage:                   # S3 stores, by the prefix that the settings are for
//       "s3://data-lake":
//         endpoint: "minio:9000" # default: Amazon's
//         region: eu-central-1
//         url-style: path        # or vhost
//         tls: true
//         key-id: "${env:S3_KEY_ID}"
//         secret: "${env:S3_SECRET}"          # by reference only
//         session-token: "${env:S3_TOKEN}"    # likewise
//     databases:                 # attached under these names where a batch names them
//       reporting: "postgres:postgresql://etl:${env:PG_PASSWORD}@reporting-db:5432/analytics"
//       lake:
//         url: "ducklake:sqlite:lake.sqlite"  # as DuckDB's ATTACH takes it
//         options: {data_path: "s3://data-lake/tables/"}
#pragma once

#include <string>

#include "base/status.h"
#include "batch/settings.h"
#include "project/yaml_reader.h"

namespace millrace::project {

// Reads the value of the key "batch". References stay as they are written. Faults: also a secret
// that is not a reference.
void ReadBatchSection(YamlReader& reader, const YAML::Node& node, batch::Settings& settings);

// Those of a project's directory, references replaced; without a millrace.yml or the key, the
// defaults. Errors: the first fault of the section; kNotFound for a reference that leads nowhere.
Result<batch::Settings> BatchSettingsOf(const std::string& directory);

}  // namespace millrace::project
