// What millrace.yml says of a running `millrace dev` and the models beside it:
//
//   models:
//     watch: check     # read changed files again and say what they change; the default
//                      # build: and then build what changed, and all below it; off: neither
#pragma once

#include "project/project.h"
#include "project/yaml_reader.h"

namespace millrace::project {

enum class ModelWatchMode { kOff, kCheck, kBuild };

struct ModelWatchSettings {
  ModelWatchMode mode = ModelWatchMode::kCheck;
};

// Reads the value of the key "models".
void ReadModelWatchSettings(YamlReader& reader, const YAML::Node& node,
                            ModelWatchSettings& settings);

// Those of a project whose millrace.yml had no faults.
ModelWatchSettings ModelWatchSettingsOf(const Project& project);

}  // namespace millrace::project
