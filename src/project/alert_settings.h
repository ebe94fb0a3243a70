// What millrace.yml says of alerts; without the key `alerts` there are none.
//
//   alerts:
//     failing-for: 1 min          # so long a job may fail before it is told
//     log: true                   # the default
//     webhook: {url: "http://pager:9000/hook", token: "${env:PAGER_TOKEN}"}
//     slack: "${env:SLACK_WEBHOOK}"
//
// The token is sent as a bearer token. It, and Slack's address, are given by reference only.
#pragma once

#include <cstdint>
#include <string>

#include "project/project.h"
#include "project/yaml_reader.h"

namespace millrace::project {

struct AlertSettings {
  bool on = false;
  int64_t failing_for_ms = 60'000;
  bool log = true;
  std::string webhook_url;    // as written, references and all; "": none
  std::string webhook_token;  // likewise
  std::string slack_url;      // likewise
};

// Reads the value of the key "alerts". Faults: also a secret that is no reference, a webhook
// without url.
void ReadAlertSettings(YamlReader& reader, const YAML::Node& node, AlertSettings& settings);

// Those of a project whose millrace.yml had no faults.
AlertSettings AlertSettingsOf(const Project& project);

}  // namespace millrace::project
