#include "dbt/selector.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <functional>
#include <map>

#include "base/strings.h"
#include "dbt/model_versions.h"

namespace millrace::dbt {

namespace {

using Ids = std::set<std::string>;
using Edges = std::map<std::string, std::vector<std::string>>;

constexpr int kAll = 1 << 30;

struct Term {
  int above = 0;
  int below = 0;
  bool whole = false;  // @x: what is below, and all that those need
  std::string method;
  std::string value;
};

bool Matches(const std::string& pattern, const std::string& text) {
  return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

Term ParseTerm(std::string text) {
  Term term;
  if (text.starts_with("@")) {
    term.whole = true;
    text.erase(0, 1);
  }
  const size_t digits = text.find_first_not_of("0123456789");
  if (digits != std::string::npos && text[digits] == '+') {
    term.above = digits == 0 ? kAll : std::stoi(text.substr(0, digits));
    text.erase(0, digits + 1);
  }
  const size_t plus = text.rfind('+');
  if (plus != std::string::npos &&
      text.find_first_not_of("0123456789", plus + 1) == std::string::npos) {
    term.below = plus + 1 == text.size() ? kAll : std::stoi(text.substr(plus + 1));
    text.resize(plus);
  }
  const size_t colon = text.find(':');
  if (colon != std::string::npos) term.method = text.substr(0, colon);
  term.value = colon == std::string::npos ? text : text.substr(colon + 1);
  return term;
}

bool MatchesPath(const Node& node, std::string value) {
  while (value.ends_with("/")) value.pop_back();
  return node.path == value || node.path.starts_with(value + "/") || Matches(value, node.path);
}

// orders, marts.orders, shop.marts, marts.*
bool MatchesFqn(const Node& node, const std::string& value) {
  if (Matches(value, node.name)) return true;
  const std::string full = Join(node.fqn, ".");
  const std::string without = full.substr(std::min(full.size(), node.package.size() + 1));
  const std::string version = VersionOf(node);
  const std::string versioned = node.name + ".v" + version;
  if (!version.empty() && (value == versioned || Matches(value, NameWithVersion(node))))
    return true;
  for (const std::string& name : {full, without}) {
    if (Matches(value, name) || name.starts_with(value + ".")) return true;
  }
  return false;
}

// latest, old (below it), prerelease (above it), none
bool MatchesVersion(const Node& node, const std::string& value) {
  const std::string version = VersionOf(node);
  if (node.kind != "model" || version.empty()) return node.kind == "model" && value == "none";
  const Value& latest = node.properties["latest_version"];
  if (value == "old") return IsLowerVersion(node.properties["version"], latest);
  if (value == "prerelease") return IsLowerVersion(latest, node.properties["version"]);
  return value == "latest" && IsLatest(node);
}

// What --state can be asked about a node.
Result<bool> MatchesPast(const Project& project, const Node& node, const Term& term) {
  if (project.past == nullptr) {
    return Status(Code::kBadOption, fmt::format("\"{}:{}\" needs an earlier run to compare with",
                                                term.method, term.value))
        .WithHint("name the directory of its manifest.json with --state");
  }
  if (term.method == "result") return project.past->ResultOf(node.id) == term.value;
  return project.past->Matches(term.value, node, project.macros);
}

Result<bool> MatchesTerm(const Project& project, const Node& node, const Term& term) {
  const std::string& method = term.method;
  const std::string& value = term.value;
  if (method.empty() || method == "fqn") return node.kind != "source" && MatchesFqn(node, value);
  if (method == "path" || method == "file") {
    if (method == "path") return MatchesPath(node, value);
    return node.path.ends_with("/" + value) || node.path.ends_with("/" + value + ".sql");
  }
  if (method == "tag") {
    return std::any_of(node.tags.begin(), node.tags.end(),
                       [&](const std::string& tag) { return Matches(value, tag); });
  }
  if (method == "resource_type") return node.kind == value;
  if (method == "version") return MatchesVersion(node, value);
  if (method == "package") return node.package == (value == "this" ? node.package : value);
  if (method == "source") {
    return node.kind == "source" &&
           (Matches(value, node.source_name) || Matches(value, node.source_name + "." + node.name));
  }
  if (method == "unit_test") return node.kind == "unit_test" && Matches(value, node.name);
  if (method == "test_type") {
    if (value == "unit") return node.kind == "unit_test";
    if (value == "data") return node.kind == "test";
    return node.kind == "test" && node.test_name.empty() == (value == "singular");
  }
  if (method == "test_name") return node.kind == "test" && Matches(value, node.test_name);
  if (method == "state" || method == "result") return MatchesPast(project, node, term);
  if (method.starts_with("config.")) {
    const std::string key = method.substr(7);
    if (key == "materialized") return node.materialized() == value;
    const std::vector<std::string> all = node.config[key].texts();
    return std::find(all.begin(), all.end(), value) != all.end();
  }
  return Status(Code::kUnsupported, fmt::format("selection by \"{}:\" is not known here", method))
      .WithHint(
          "there is: tag, path, file, source, package, resource_type, test_type, test_name, "
          "unit_test, version, config.<name>, fqn, state, result, or a name");
}

void Walk(const Edges& edges, const std::string& id, int steps, Ids& out) {
  auto found = edges.find(id);
  if (steps <= 0 || found == edges.end()) return;
  for (const std::string& next : found->second) {
    // With a limit a node may be reached again by a shorter way.
    const bool added = out.insert(next).second;
    if (added || steps < kAll / 2) Walk(edges, next, steps - 1, out);
  }
}

class Evaluator {
 public:
  explicit Evaluator(Project& project) : project_(project) {
    for (const auto& [id, node] : project.nodes) {
      above_[id] = node.depends_on;
      for (const std::string& parent : node.depends_on) below_[parent].push_back(id);
    }
  }

  Result<Ids> Union(const std::vector<std::string>& specs) {
    Ids out;
    for (const std::string& spec : specs) {
      for (const std::string& part : Split(spec, ' ')) {
        if (part.empty()) continue;
        MR_ASSIGN_OR_RETURN(Ids some, Intersection(part));
        out.insert(some.begin(), some.end());
      }
    }
    // A test belongs to what it reads.
    for (const auto& [id, node] : project_.nodes) {
      if (node.kind != "test" && node.kind != "unit_test") continue;
      for (const std::string& parent : node.depends_on) {
        if (out.contains(parent)) out.insert(id);
      }
    }
    return out;
  }

 private:
  Result<Ids> Intersection(const std::string& spec) {
    Ids out;
    bool first = true;
    for (const std::string& part : Split(spec, ',')) {
      MR_ASSIGN_OR_RETURN(Ids some, One(part));
      if (first) out = some;
      std::erase_if(out, [&](const std::string& id) { return !some.contains(id); });
      first = false;
    }
    return out;
  }

  Result<Ids> One(const std::string& spec) {
    const Term term = ParseTerm(spec);
    Ids matched;
    for (const auto& [id, node] : project_.nodes) {
      MR_ASSIGN_OR_RETURN(bool in, MatchesTerm(project_, node, term));
      if (in) matched.insert(id);
    }
    Ids out = matched;
    for (const std::string& id : matched) {
      Walk(above_, id, term.above, out);
      Walk(below_, id, term.whole ? kAll : term.below, out);
    }
    if (term.whole) {
      for (const std::string& id : Ids(out)) Walk(above_, id, kAll, out);
    }
    return out;
  }

  Project& project_;
  Edges above_, below_;
};

}  // namespace

Result<Ids> Select(Project& project, const Selection& selection) {
  Evaluator evaluator(project);
  Ids out;
  if (selection.select.empty()) {
    for (const auto& [id, node] : project.nodes) out.insert(id);
  } else {
    MR_ASSIGN_OR_RETURN(out, evaluator.Union(selection.select));
  }
  MR_ASSIGN_OR_RETURN(Ids excluded, evaluator.Union(selection.exclude));
  std::erase_if(out, [&](const std::string& id) {
    return excluded.contains(id) || (selection.only && !selection.only->contains(id));
  });
  return out;
}

Result<std::vector<std::string>> InOrder(const Project& project) {
  std::map<std::string, size_t> open;  // how many of its parents are not placed yet
  Edges below;
  std::set<std::string> ready;
  for (const auto& [id, node] : project.nodes) {
    open[id] = node.depends_on.size();
    for (const std::string& parent : node.depends_on) below[parent].push_back(id);
    if (node.depends_on.empty()) ready.insert(id);
  }
  std::vector<std::string> out;
  while (!ready.empty()) {
    const std::string id = *ready.begin();
    ready.erase(ready.begin());
    out.push_back(id);
    for (const std::string& child : below[id]) {
      if (--open[child] == 0) ready.insert(child);
    }
  }
  if (out.size() == project.nodes.size()) return out;
  std::vector<std::string> cycle;
  for (const auto& [id, count] : open) {
    if (count > 0) cycle.push_back(project.nodes.at(id).name);
  }
  return Status(Code::kBind, "these nodes wait for each other: " + Join(cycle, ", "));
}

}  // namespace millrace::dbt
