#include "project/open_lineage_settings.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "project/config_section.h"

namespace millrace::project {

namespace {

void ReadOpenLineage(YamlReader& reader, const YAML::Node& node, OpenLineageSettings& settings) {
  using Transport = OpenLineageSettings::Transport;
  static const std::vector<std::pair<std::string, Transport>> kTransports = {
      {"file", Transport::kFile}, {"http", Transport::kHttp}, {"console", Transport::kConsole}};
  reader.Map(
      node, "openlineage",
      {{"transport",
        [&](const YAML::Node& n) {
          std::string word;
          reader.Text(n, word);
          std::vector<std::string> words;
          for (const auto& [name, transport] : kTransports) {
            words.push_back(name);
            if (name == word) settings.transport = transport;
          }
          if (settings.transport == Transport::kOff) {
            reader.Fault(n, Code::kBadOption, fmt::format("there is no transport \"{}\"", word),
                         DidYouMean(word, words));
          }
        }},
       {"url", [&](const YAML::Node& n) { reader.Text(n, settings.url); }},
       {"api-key", [&](const YAML::Node& n) { reader.Secret(n, "api-key", settings.api_key); }},
       {"path", [&](const YAML::Node& n) { reader.Text(n, settings.path); }},
       {"namespace", [&](const YAML::Node& n) { reader.Text(n, settings.job_namespace); }},
       {"running-interval",
        [&](const YAML::Node& n) { reader.DurationMs(n, settings.running_interval_ms); }},
       {"queue",
        [&](const YAML::Node& n) { reader.Number(n, settings.queue_max, 1, 1'000'000); }}});
  if (settings.transport == Transport::kOff) {
    reader.Fault(node, Code::kBadOption, "openlineage needs a transport",
                 "write transport: file, http or console");
  } else if (settings.transport == Transport::kHttp && settings.url.empty()) {
    reader.Fault(node, Code::kBadOption, "transport http needs a url",
                 "write url: \"http://host:5000/api/v1/lineage\"");
  }
}

}  // namespace

void ReadLineageSettings(YamlReader& reader, const YAML::Node& node,
                         OpenLineageSettings& settings) {
  reader.Map(node, "lineage",
             {{"openlineage", [&](const YAML::Node& n) { ReadOpenLineage(reader, n, settings); }}});
}

OpenLineageSettings OpenLineageSettingsOf(const Project& project) {
  return SectionOf<OpenLineageSettings>(project, "lineage", ReadLineageSettings);
}

}  // namespace millrace::project
