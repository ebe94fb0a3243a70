// YamlReader: takes values out of a YAML file; what is wrong becomes a fault with file and line.
//
// Contract: one file, one thread. A value that is at fault leaves its target as it was.
#pragma once

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/strings.h"
#include "base/units.h"

namespace millrace::project {

class YamlReader {
 public:
  YamlReader(std::string path, std::vector<Status>& faults)
      : path_(std::move(path)), faults_(faults) {}

  using Handler = std::function<void(const YAML::Node& value)>;

  // Visits the keys of a map; unknown ones are faults with did-you-mean.
  void Map(const YAML::Node& node, const std::string& what,
           const std::vector<std::pair<std::string, Handler>>& keys) {
    if (!node || node.IsNull()) return;
    if (!node.IsMap()) {
      Fault(node, Code::kBadOption, fmt::format("{} must be a map of keys and values", what), "");
      return;
    }
    std::vector<std::string> names;
    for (const auto& [name, handler] : keys) names.push_back(name);
    for (const auto& entry : node) {
      std::string key = entry.first.as<std::string>();
      bool known = false;
      for (const auto& [name, handler] : keys) {
        if (name != key) continue;
        known = true;
        handler(entry.second);
      }
      if (!known) {
        Fault(entry.first, Code::kUnknownOption, fmt::format("{} has no key \"{}\"", what, key),
              DidYouMean(key, names));
      }
    }
  }

  void Text(const YAML::Node& node, std::string& out) {
    if (node.IsScalar()) {
      out = node.Scalar();
    } else {
      Fault(node, Code::kBadOption, "expected a text", "");
    }
  }

  // A text that names where the secret is; the secret itself is a fault. `key`: for the hint.
  void Secret(const YAML::Node& node, const std::string& key, std::string& out) {
    Text(node, out);
    if (out.find("${") != std::string::npos) return;
    Fault(node, Code::kBadOption, "a secret is given by reference only",
          "write " + key + ": \"${env:NAME}\" or \"${file:/path}\"");
  }

  void Flag(const YAML::Node& node, bool& out) {
    if (!YAML::convert<bool>::decode(node, out)) {
      Fault(node, Code::kBadOption, "expected true or false", "");
    }
  }

  template <typename T>
  void Number(const YAML::Node& node, T& out, int64_t lowest, int64_t highest) {
    try {
      int64_t value = node.as<int64_t>();
      if (value >= lowest && value <= highest) {
        out = static_cast<T>(value);
        return;
      }
    } catch (const YAML::Exception&) {
      // reported below
    }
    Fault(node, Code::kBadOption,
          fmt::format("expected a whole number from {} to {}", lowest, highest), "");
  }

  void Bytes(const YAML::Node& node, int64_t& out) {
    auto parsed = ParseBytes(node.IsScalar() ? node.Scalar() : "");
    if (parsed.ok()) {
      out = *parsed;
    } else {
      Fault(node, Code::kBadOption, parsed.status().message(), parsed.status().hint());
    }
  }

  void DurationMs(const YAML::Node& node, int64_t& out) {
    if (node.IsScalar() && node.Scalar() == "-1") {
      out = -1;
      return;
    }
    auto parsed = ParseDurationMicros(node.IsScalar() ? node.Scalar() : "");
    if (parsed.ok()) {
      out = *parsed / 1000;
    } else {
      Fault(node, Code::kBadOption, parsed.status().message(), parsed.status().hint());
    }
  }

  void Fault(const YAML::Node& node, Code code, const std::string& message,
             const std::string& hint) {
    faults_.push_back(Status(code, message).WithHint(hint).At(Span(node)));
  }

  SourceSpan Span(const YAML::Node& node) const {
    YAML::Mark mark = node.Mark();
    return {path_, mark.line + 1, mark.column + 1, 1};
  }

 private:
  std::string path_;
  std::vector<Status>& faults_;
};

}  // namespace millrace::project
