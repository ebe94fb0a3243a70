#include "project/alert_settings.h"

namespace millrace::project {

namespace {

void ReadSecret(YamlReader& reader, const YAML::Node& node, const std::string& key,
                std::string& out) {
  reader.Text(node, out);
  if (out.find("${") != std::string::npos) return;
  reader.Fault(node, Code::kBadOption, "a secret is given by reference only",
               "write " + key + ": \"${env:NAME}\" or \"${file:/path}\"");
}

void ReadWebhook(YamlReader& reader, const YAML::Node& node, AlertSettings& settings) {
  reader.Map(node, "webhook",
             {{"url", [&](const YAML::Node& n) { reader.Text(n, settings.webhook_url); }},
              {"token", [&](const YAML::Node& n) {
                 ReadSecret(reader, n, "token", settings.webhook_token);
               }}});
  if (settings.webhook_url.empty()) {
    reader.Fault(node, Code::kBadOption, "the webhook of alerts needs a url",
                 "write webhook: {url: \"http://host/path\"}");
  }
}

}  // namespace

void ReadAlertSettings(YamlReader& reader, const YAML::Node& node, AlertSettings& settings) {
  settings.on = true;
  reader.Map(node, "alerts",
             {{"failing-for",
               [&](const YAML::Node& n) {
                 reader.DurationMs(n, settings.failing_for_ms);
                 if (settings.failing_for_ms < 0) settings.failing_for_ms = 0;
               }},
              {"log", [&](const YAML::Node& n) { reader.Flag(n, settings.log); }},
              {"webhook", [&](const YAML::Node& n) { ReadWebhook(reader, n, settings); }},
              {"slack",
               [&](const YAML::Node& n) { ReadSecret(reader, n, "slack", settings.slack_url); }}});
}

AlertSettings AlertSettingsOf(const Project& project) {
  AlertSettings settings;
  auto text = project.files().find("millrace.yml");
  if (text == project.files().end()) return settings;
  try {
    std::vector<Status> faults;  // were reported when the project was read
    YamlReader reader("millrace.yml", faults);
    const YAML::Node root = YAML::Load(text->second);
    if (root.IsMap() && root["alerts"]) ReadAlertSettings(reader, root["alerts"], settings);
  } catch (const YAML::Exception&) {
    return {};  // as the faults
  }
  return settings;
}

}  // namespace millrace::project
