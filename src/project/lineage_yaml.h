// The lineage document: where a row or a table comes from, the steps on its way, where it ends.
//
//   lineage:
//     source: {system, topic, partition, offset, timestamp}
//     transformations: [{step, version, timestamp, …}]
//     destination: {table, partition}
//
// What is not known is left out.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::project {

struct LineageStep {
  std::string step;
  std::string version;
  std::vector<std::pair<std::string, std::string>> more;  // key, text: e.g. what was looked up
  std::string timestamp;
};

struct LineageDocument {
  std::string system;
  std::string topic;
  std::optional<int> partition;
  std::optional<int64_t> offset;
  std::string timestamp;  // ISO 8601, UTC
  std::vector<LineageStep> steps;
  std::string table;
  std::string table_partition;  // "column=value"
};

std::string ToYaml(const LineageDocument& document);
// A text as a YAML scalar in double quotes.
std::string YamlQuote(const std::string& text);

}  // namespace millrace::project
