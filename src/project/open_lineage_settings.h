// What millrace.yml says of OpenLineage events; nothing said: none are made.
//
//   lineage:
//     openlineage:
//       transport: http             # file, http or console
//       url: "http://marquez:5000/api/v1/lineage"
//       api-key: "${env:MARQUEZ_KEY}"   # sent as a bearer token; by reference only
//       path: openlineage.jsonl     # of file: below .millrace, a JSON object per line, appended
//       namespace: shop             # of jobs; default: the project's name
//       running-interval: 60 s      # between RUNNING events of a job
//       queue: 1000                 # events that wait at most; more are dropped, and counted
#pragma once

#include <cstdint>
#include <string>

#include "project/project.h"
#include "project/yaml_reader.h"

namespace millrace::project {

struct OpenLineageSettings {
  enum class Transport { kOff, kFile, kHttp, kConsole };
  Transport transport = Transport::kOff;
  std::string url;
  std::string api_key;  // as written, the reference
  std::string path = "openlineage.jsonl";
  std::string job_namespace;
  int64_t running_interval_ms = 60'000;
  int64_t queue_max = 1000;
};

// Reads the value of the key "lineage". Faults: also an api-key that is not a reference, and http
// without url.
void ReadLineageSettings(YamlReader& reader, const YAML::Node& node, OpenLineageSettings& settings);

// Those of a project whose millrace.yml had no faults.
OpenLineageSettings OpenLineageSettingsOf(const Project& project);

}  // namespace millrace::project
