#include "project/alert_settings.h"

#include "project/config_section.h"

namespace millrace::project {

namespace {

void ReadWebhook(YamlReader& reader, const YAML::Node& node, AlertSettings& settings) {
  reader.Map(
      node, "webhook",
      {{"url", [&](const YAML::Node& n) { reader.Text(n, settings.webhook_url); }},
       {"token", [&](const YAML::Node& n) { reader.Secret(n, "token", settings.webhook_token); }}});
  if (settings.webhook_url.empty()) {
    reader.Fault(node, Code::kBadOption, "the webhook of alerts needs a url",
                 "write webhook: {url: \"http://host/path\"}");
  }
}

}  // namespace

void ReadAlertSettings(YamlReader& reader, const YAML::Node& node, AlertSettings& settings) {
  settings.on = true;
  reader.Map(
      node, "alerts",
      {{"failing-for",
        [&](const YAML::Node& n) {
          reader.DurationMs(n, settings.failing_for_ms);
          if (settings.failing_for_ms < 0) settings.failing_for_ms = 0;
        }},
       {"log", [&](const YAML::Node& n) { reader.Flag(n, settings.log); }},
       {"webhook", [&](const YAML::Node& n) { ReadWebhook(reader, n, settings); }},
       {"slack", [&](const YAML::Node& n) { reader.Secret(n, "slack", settings.slack_url); }}});
}

AlertSettings AlertSettingsOf(const Project& project) {
  return SectionOf<AlertSettings>(project, "alerts", ReadAlertSettings);
}

}  // namespace millrace::project
