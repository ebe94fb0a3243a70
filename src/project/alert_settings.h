// What millrace.yml says of alerts; without the key `alerts` there are none.
//
//   alerts:
//     failing-for: 1 min          # so long a job may fail before it is told
//     dead-letters:               # rules, see project/letter_growth.h
//       - {more-than: 100, within: 5 min}
//       - {more-than: 0, within: 1 h, table: orders, kind: constraint, job: totals}
//     behind:                     # rules, see project/job_lag.h
//       - {records: 1000000, for: 5 min}
//       - {time: 10 min, job: totals}
//     log: true                   # the default
//     webhook: {url: "http://pager:9000/hook", token: "${env:PAGER_TOKEN}"}
//     slack: "${env:SLACK_WEBHOOK}"
//     email: {host: smtp.example.org, from: …, to: [ … ], user: …, password:
//     "${env:SMTP_PASSWORD}"}
//
// The token is sent as a bearer token. It, Slack's address and the password are given by reference
// only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "project/job_lag.h"
#include "project/letter_growth.h"
#include "project/mail_sender.h"
#include "project/project.h"
#include "project/yaml_reader.h"

namespace millrace::project {

struct AlertSettings {
  bool on = false;
  int64_t failing_for_ms = 60'000;
  std::vector<LetterRule> letter_rules;
  std::vector<LagRule> lag_rules;
  bool log = true;
  std::string webhook_url;    // as written, references and all; "": none
  std::string webhook_token;  // likewise
  std::string slack_url;      // likewise
  MailSettings mail;          // likewise; without a host: none
};

// Reads the value of the key "alerts". Faults: also a secret that is no reference, a webhook
// without url, e-mail without addresses, a rule without a limit.
void ReadAlertSettings(YamlReader& reader, const YAML::Node& node, AlertSettings& settings);

// Those of a project whose millrace.yml had no faults.
AlertSettings AlertSettingsOf(const Project& project);

}  // namespace millrace::project
