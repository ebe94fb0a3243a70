#include "dbt/project_changes.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/strings.h"
#include "dbt/same.h"

namespace millrace::dbt {

namespace {

// The keys whose values differ.
std::vector<std::string> DifferentKeys(const Value& before, const Value& after) {
  std::set<std::string> keys;
  for (const Value* value : {&before, &after}) {
    for (const auto& [key, item] : value->map()) {
      if (!Same(before[key], after[key])) keys.insert(key);
    }
  }
  return {keys.begin(), keys.end()};
}

std::vector<std::string> WhatChanged(const Node& before, const Node& after,
                                     const std::set<std::string>& changed_macros) {
  std::vector<std::string> what;
  if (before.kind == "seed" ? before.checksum != after.checksum : before.code != after.code) {
    what.emplace_back(before.kind == "seed" ? "rows" : "sql");
  }
  const std::vector<std::string> configs = DifferentKeys(before.config, after.config);
  if (!configs.empty()) what.push_back("config " + Join(configs, ", "));
  if (before.database != after.database || before.schema != after.schema ||
      before.alias != after.alias) {
    what.emplace_back("name");
  }
  if (before.path != after.path) what.emplace_back("place of the file");
  if (what.empty() && before.depends_on != after.depends_on) what.emplace_back("inputs");
  for (const std::string& id : after.macros) {
    if (changed_macros.contains(id)) what.push_back("macro " + id.substr(id.rfind('.') + 1));
  }
  // Columns of a contract are what the node makes.
  if (what.empty() && !Same(before.properties, after.properties)) {
    const bool contract = after.config["contract"]["enforced"].truth();
    what.emplace_back(contract || after.kind == "unit_test" ? "columns" : "description");
  }
  return what;
}

// What is below some nodes, these too.
class Below {
 public:
  explicit Below(const Project& project) {
    for (const auto& [id, node] : project.nodes) {
      for (const std::string& parent : node.depends_on) readers_[parent].push_back(&node);
    }
  }

  // A cycle that was not there before goes through a node that changed.
  Status Add(const Node& node) {
    auto [at, fresh] = done_.try_emplace(&node, false);
    if (!fresh && at->second) return Status::Ok();
    if (!fresh) {
      return Status(Code::kBind, "\"" + node.name + "\" waits for itself")
          .At({node.path, node.line, 0, 0});
    }
    if (auto readers = readers_.find(node.id); readers != readers_.end()) {
      for (const Node* reader : readers->second) MR_RETURN_IF_ERROR(Add(*reader));
    }
    done_[&node] = true;
    from_the_end_.push_back(&node);
    return Status::Ok();
  }

  // Each before all that reads it.
  std::vector<const Node*> InOrder() const {
    return {from_the_end_.rbegin(), from_the_end_.rend()};
  }

 private:
  std::unordered_map<std::string_view, std::vector<const Node*>> readers_;
  std::unordered_map<const Node*, bool> done_;  // false: it is being walked through
  std::vector<const Node*> from_the_end_;
};

}  // namespace

std::vector<NodeChange> ChangesBetween(const ProjectContents& before, const Project& after) {
  std::set<std::string> changed_macros;
  for (const auto& [id, text] : after.macros) {
    auto old = before.macros.find(id);
    if (old == before.macros.end() || old->second != text) changed_macros.insert(id);
  }
  std::vector<NodeChange> changes;
  auto old = before.nodes.begin();
  auto now = after.nodes.begin();
  while (old != before.nodes.end() || now != after.nodes.end()) {
    if (now == after.nodes.end() || (old != before.nodes.end() && old->first < now->first)) {
      changes.push_back({NodeChange::Kind::kGone, old->first, {}});
      ++old;
    } else if (old == before.nodes.end() || now->first < old->first) {
      changes.push_back({NodeChange::Kind::kNew, now->first, {}});
      ++now;
    } else {
      std::vector<std::string> what = WhatChanged(old->second, now->second, changed_macros);
      const bool matters = what != std::vector<std::string>{"description"};
      if (!what.empty()) changes.push_back({NodeChange::Kind::kChanged, now->first, what, matters});
      ++old;
      ++now;
    }
  }
  return changes;
}

Result<std::vector<const Node*>> ReachedBy(const std::vector<NodeChange>& changes,
                                           const Project& project) {
  Below below(project);
  std::unordered_set<std::string_view> changed, other;  // ids; what may be another than before
  for (const NodeChange& change : changes) {
    if (change.kind == NodeChange::Kind::kGone) continue;
    MR_RETURN_IF_ERROR(below.Add(project.nodes.at(change.id)));
    changed.insert(change.id);
    if (change.matters) other.insert(change.id);
  }
  std::vector<const Node*> out;
  for (const Node* node : below.InOrder()) {
    const auto is_other = [&](const std::string& parent) { return other.contains(parent); };
    if (!std::any_of(node->depends_on.begin(), node->depends_on.end(), is_other)) continue;
    other.insert(node->id);
    if (!changed.contains(node->id)) out.push_back(node);
  }
  return out;
}

}  // namespace millrace::dbt
