#include "project/lineage_yaml.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "project/lineage_text.h"

namespace millrace::project {

namespace {
bool Reaches(const Lineage& part, const std::string& from, const std::string& to) {
  if (from == to) return true;
  return std::any_of(part.links.begin(), part.links.end(), [&](const auto& link) {
    // Through views only: a job ends the way.
    const bool goes_on = link.second == to || link.second.starts_with("view:");
    return link.first == from && goes_on && Reaches(part, link.second, to);
  });
}

bool ReachesJob(const Lineage& part, const std::string& table, const std::string& view,
                const std::string& job) {
  return Reaches(part, table, view) && Reaches(part, view, job);
}
}  // namespace

std::string YamlQuote(const std::string& text) {
  return JsonQuote(text);  // every JSON string is a double-quoted YAML scalar
}

std::string ToYaml(const LineageDocument& document) {
  std::string out = "lineage:\n  source:\n";
  auto text = [&](int indent, const std::string& key, const std::string& value) {
    if (!value.empty()) out += fmt::format("{:{}}{}: {}\n", "", indent, key, YamlQuote(value));
  };
  text(4, "system", document.system);
  text(4, "topic", document.topic);
  if (document.partition) out += fmt::format("    partition: {}\n", *document.partition);
  if (document.offset) out += fmt::format("    offset: {}\n", *document.offset);
  text(4, "timestamp", document.timestamp);
  out += document.steps.empty() ? "  transformations: []\n" : "  transformations:\n";
  for (const LineageStep& step : document.steps) {
    out += fmt::format("    - step: {}\n", YamlQuote(step.step));
    text(6, "version", step.version);
    for (const auto& [key, value] : step.more) text(6, key, value);
    text(6, "timestamp", step.timestamp);
  }
  out += "  destination:\n";
  text(4, "table", document.table);
  text(4, "partition", document.table_partition);
  return out;
}

std::string LineageYaml(const Project& project, const Lineage& part) {
  std::string out;
  for (const JobLineage& job : part.jobs) {
    std::string sql;
    for (const JobStatement& statement : project.jobs()) {
      if (statement.settings.name == job.job) sql = statement.sql;
    }
    for (const std::string& name : job.from.tables) {
      const sql::Table* table = project.catalog().FindTable(name);
      if (!table || !part.Find("table:" + name)) continue;  // another input of the job
      LineageDocument document;
      document.system = project.config().name;
      document.topic = table->Option("topic");
      if (document.topic.empty()) document.topic = name;
      std::string checks;
      for (const sql::Check& check : table->checks) {
        if (check.enforced) checks += check.flink.text + "\n";
      }
      if (!checks.empty()) {
        document.steps.push_back({"schema_validation", TextVersion(checks), {}, ""});
      }
      // The views between the two, as the rows go.
      for (const LineageNode& node : part.nodes) {
        if (node.kind != LineageKind::kView) continue;
        const sql::View* view = project.catalog().FindView(node.name);
        const bool used = view && ReachesJob(part, "table:" + name, node.id, "job:" + job.job);
        if (used) document.steps.push_back({node.name, TextVersion(view->flink.text), {}, ""});
      }
      document.steps.push_back({job.job, TextVersion(sql), {}, ""});
      document.table = job.sink;
      out += (out.empty() ? "" : "---\n") + ToYaml(document);
    }
  }
  return out;
}

}  // namespace millrace::project
