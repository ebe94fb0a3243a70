// One section of a project's millrace.yml, for who alone needs it. Faults were reported when the
// project was read; with one the section counts as not given.
#pragma once

#include <vector>

#include "project/project.h"
#include "project/yaml_reader.h"

namespace millrace::project {

template <typename Settings>
Settings SectionOf(const Project& project, const char* key,
                   void (*read)(YamlReader& reader, const YAML::Node& node, Settings& settings)) {
  Settings settings;
  auto text = project.files().find("millrace.yml");
  if (text == project.files().end()) return settings;
  try {
    std::vector<Status> faults;
    YamlReader reader("millrace.yml", faults);
    const YAML::Node root = YAML::Load(text->second);
    if (root.IsMap() && root[key]) read(reader, root[key], settings);
  } catch (const YAML::Exception&) {
    return {};
  }
  return settings;
}

}  // namespace millrace::project
