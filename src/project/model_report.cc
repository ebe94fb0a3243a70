#include "project/model_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace millrace::project {

namespace {

constexpr size_t kNamesShown = 8;

bool IsTest(const std::string& kind) {
  return kind == "test" || kind == "unit_test";
}

bool IsStream(const dbt::Node& node) {
  return node.kind == "model" && node.materialized() == "stream";
}

// "a, b and 3 more"
std::string Some(const std::vector<std::string>& names) {
  if (names.size() <= kNamesShown) return Join(names, ", ");
  const std::vector<std::string> first(names.begin(), names.begin() + kNamesShown);
  return fmt::format("{} and {} more", Join(first, ", "), names.size() - kNamesShown);
}

std::string Count(size_t count, const char* one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

}  // namespace

Status Explain(const std::vector<dbt::NodeChange>& changes, const dbt::ProjectContents& before,
               const dbt::Project& now, ModelReport& report) {
  using Kind = dbt::NodeChange::Kind;
  report.nodes = now.nodes.size();
  report.models =
      static_cast<size_t>(std::count_if(now.nodes.begin(), now.nodes.end(), [](const auto& entry) {
        return entry.second.kind == "model";
      }));
  for (const dbt::NodeChange& change : changes) {
    const bool gone = change.kind == Kind::kGone;
    const dbt::Node& node = gone ? before.nodes.at(change.id) : now.nodes.at(change.id);
    const std::string what = gone                        ? "gone"
                             : change.kind == Kind::kNew ? "new"
                                                         : Join(change.what, ", ");
    report.changed.push_back({node.name, node.kind, what, change.matters, IsStream(node)});
    if (gone || !change.matters) continue;
    if (IsStream(node)) report.streams.push_back(node.name);
    if (node.kind == "source") {
      report.selection.push_back("source:" + node.source_name + "." + node.name + "+");
    } else {
      report.selection.push_back(node.name + (IsTest(node.kind) ? "" : "+"));
    }
  }
  MR_ASSIGN_OR_RETURN(std::vector<const dbt::Node*> reached, dbt::ReachedBy(changes, now));
  for (const dbt::Node* node : reached) {
    if (IsStream(*node)) report.streams.push_back(node->name);
    if (IsTest(node->kind)) {
      report.reached_tests++;
    } else {
      report.reached.push_back(node->name);
    }
  }
  return Status::Ok();
}

std::string ModelReport::Command(const std::string& directory) const {
  if (selection.empty()) return "";
  const std::string build =
      "millrace build" + (directory.empty() || directory == "." ? "" : " " + directory);
  // Names too many to type: all that differs from the last run's manifest.
  if (selection.size() > kNamesShown) return build + " -s state:modified+ --state target";
  return build + " -s " + Join(selection, " ");
}

std::string ModelReport::ToText(const std::string& directory) const {
  std::string text = fmt::format("models  {}  ({:.0f} ms)\n", files.empty() ? "read" : Some(files),
                                 static_cast<double>(took_us) / 1e3);
  if (!error.ok()) return text + error.ToString() + (error.ToString().ends_with("\n") ? "" : "\n");
  if (files.empty()) {
    return fmt::format("models  {} of {} nodes, watched  ({:.0f} ms)\n", models, nodes,
                       static_cast<double>(took_us) / 1e3);
  }
  if (repaired) text += "  the project is whole again\n";
  if (changed.empty()) return text + "  nothing is different\n";
  std::vector<std::string> tests;
  size_t shown = 0, others = 0;
  for (const Changed& one : changed) {
    if (IsTest(one.kind)) {
      tests.push_back(one.name);
    } else if (shown++ < kNamesShown) {
      text += fmt::format("  {} {}: {}\n", one.kind, one.name, one.change);
    } else {
      others++;
    }
  }
  if (others > 0) text += fmt::format("  and {} more\n", others);
  if (!tests.empty()) text += fmt::format("  {}: {}\n", Count(tests.size(), "test"), Some(tests));
  if (!reached.empty() || reached_tests > 0) {
    text += fmt::format("  reaches {} and {}{}\n", Count(reached.size(), "node"),
                        Count(reached_tests, "test"), reached.empty() ? "" : ": " + Some(reached));
  }
  const std::string command = Command(directory);
  return command.empty() ? text : text + "  build with: " + command + "\n";
}

std::string ModelReport::ToJson(const std::string& directory) const {
  return fmt::format(R"({{"ok":{},"at_ms":{},"text":{}}})", error.ok(), at_ms,
                     JsonQuote(ToText(directory) + plan));
}

}  // namespace millrace::project
