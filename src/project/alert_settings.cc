#include "project/alert_settings.h"

#include <algorithm>
#include <limits>

#include "project/config_section.h"
#include "project/dead_letter_audit.h"

namespace millrace::project {

namespace {

constexpr int64_t kAny = std::numeric_limits<int64_t>::max();
constexpr int64_t kWithinMinMs = 1'000;
constexpr int64_t kWithinMaxMs = 24LL * 3'600'000;

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

void ReadMail(YamlReader& reader, const YAML::Node& node, MailSettings& mail) {
  auto text = [&](std::string& out) { return [&](const YAML::Node& n) { reader.Text(n, out); }; };
  std::string tls = "starttls";
  reader.Map(
      node, "email",
      {{"host", text(mail.host)},
       {"port", [&](const YAML::Node& n) { reader.Number(n, mail.port, 1, 65'535); }},
       {"tls", text(tls)},
       {"ca-file", text(mail.ca_file)},
       {"from", text(mail.from)},
       {"to",
        [&](const YAML::Node& n) {
          if (n.IsScalar()) return reader.Text(n, mail.to.emplace_back());
          for (const YAML::Node& one : n) reader.Text(one, mail.to.emplace_back());
        }},
       {"user", text(mail.user)},
       {"password", [&](const YAML::Node& n) { reader.Secret(n, "password", mail.password); }}});
  if (auto mode = MailTlsFromName(tls)) {
    mail.tls = *mode;
  } else {
    reader.Fault(node, Code::kBadOption, "there is no tls \"" + tls + "\" for e-mail",
                 DidYouMean(tls, {"starttls", "tls", "none"}));
  }
  if (Status fits = CheckSettings(mail); !fits.ok()) {
    reader.Fault(node, fits.code(), fits.message(), fits.hint());
  }
}

// Calls `read` for each rule of a list.
void ReadRules(YamlReader& reader, const YAML::Node& node, const std::string& what,
               const std::function<void(const YAML::Node& rule)>& read) {
  if (!node.IsSequence()) {
    reader.Fault(node, Code::kBadOption, what + " of alerts is a list of rules",
                 "write each as - {…}");
    return;
  }
  for (const YAML::Node& rule : node) read(rule);
}

void ReadLetterRule(YamlReader& reader, const YAML::Node& node, std::vector<LetterRule>& rules) {
  LetterRule rule;
  reader.Map(
      node, "a rule of dead-letters",
      {{"more-than", [&](const YAML::Node& n) { reader.Number(n, rule.more_than, 0, kAny); }},
       {"within", [&](const YAML::Node& n) { reader.DurationMs(n, rule.within_ms); }},
       {"table", [&](const YAML::Node& n) { reader.Text(n, rule.table); }},
       {"job", [&](const YAML::Node& n) { reader.Text(n, rule.job); }},
       {"kind", [&](const YAML::Node& n) { reader.Text(n, rule.kind); }}});
  if (rule.within_ms < kWithinMinMs || rule.within_ms > kWithinMaxMs) {
    reader.Fault(node, Code::kBadOption, "\"within\" is from 1 s to 24 h", "");
  }
  const std::vector<std::string> kinds = LetterKindNames();
  if (!rule.kind.empty() && std::find(kinds.begin(), kinds.end(), rule.kind) == kinds.end()) {
    reader.Fault(node, Code::kBadOption, "there is no kind \"" + rule.kind + "\" of dead letters",
                 DidYouMean(rule.kind, kinds));
  }
  rules.push_back(std::move(rule));
}

void ReadLagRule(YamlReader& reader, const YAML::Node& node, std::vector<LagRule>& rules) {
  LagRule rule;
  reader.Map(node, "a rule of behind",
             {{"records", [&](const YAML::Node& n) { reader.Number(n, rule.records, 0, kAny); }},
              {"time", [&](const YAML::Node& n) { reader.DurationMs(n, rule.age_ms); }},
              {"for", [&](const YAML::Node& n) { reader.DurationMs(n, rule.for_ms); }},
              {"job", [&](const YAML::Node& n) { reader.Text(n, rule.job); }}});
  if (rule.records < 0 && rule.age_ms < 0) {
    reader.Fault(node, Code::kBadOption, "a rule of behind needs a limit",
                 "write {records: 100000} or {time: 5 min}");
  }
  rules.push_back(std::move(rule));
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
       {"dead-letters",
        [&](const YAML::Node& n) {
          ReadRules(reader, n, "dead-letters", [&](const YAML::Node& rule) {
            ReadLetterRule(reader, rule, settings.letter_rules);
          });
        }},
       {"behind",
        [&](const YAML::Node& n) {
          ReadRules(reader, n, "behind",
                    [&](const YAML::Node& rule) { ReadLagRule(reader, rule, settings.lag_rules); });
        }},
       {"log", [&](const YAML::Node& n) { reader.Flag(n, settings.log); }},
       {"webhook", [&](const YAML::Node& n) { ReadWebhook(reader, n, settings); }},
       {"slack", [&](const YAML::Node& n) { reader.Secret(n, "slack", settings.slack_url); }},
       {"email", [&](const YAML::Node& n) { ReadMail(reader, n, settings.mail); }}});
}

AlertSettings AlertSettingsOf(const Project& project) {
  return SectionOf<AlertSettings>(project, "alerts", ReadAlertSettings);
}

}  // namespace millrace::project
