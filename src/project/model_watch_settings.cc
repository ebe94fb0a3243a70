#include "project/model_watch_settings.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "project/config_section.h"

namespace millrace::project {

void ReadModelWatchSettings(YamlReader& reader, const YAML::Node& node,
                            ModelWatchSettings& settings) {
  reader.Map(node, "models", {{"watch", [&](const YAML::Node& n) {
                                 std::string word;
                                 reader.Text(n, word);
                                 if (word == "off") {
                                   settings.mode = ModelWatchMode::kOff;
                                 } else if (word == "check") {
                                   settings.mode = ModelWatchMode::kCheck;
                                 } else if (word == "build") {
                                   settings.mode = ModelWatchMode::kBuild;
                                 } else {
                                   reader.Fault(n, Code::kBadOption,
                                                fmt::format("watch: \"{}\" is not known", word),
                                                DidYouMean(word, {"off", "check", "build"}));
                                 }
                               }}});
}

ModelWatchSettings ModelWatchSettingsOf(const Project& project) {
  return SectionOf<ModelWatchSettings>(project, "models", ReadModelWatchSettings);
}

}  // namespace millrace::project
