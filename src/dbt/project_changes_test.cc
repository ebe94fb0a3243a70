#include "dbt/project_changes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace millrace::dbt {
namespace {

std::string IdOf(size_t number) {
  return fmt::format("model.shop.m{}", number);
}

void AddModel(Project& project, size_t number, const std::vector<std::string>& reads) {
  Node node;
  node.kind = "model";
  node.id = IdOf(number);
  node.name = fmt::format("m{}", number);
  node.path = "models/" + node.name + ".sql";
  node.code = "select 1";
  node.depends_on = reads;
  project.nodes[node.id] = node;
}

// By going over all nodes until nothing more is reached.
std::set<std::string> Closure(const Project& project, std::set<std::string> reached) {
  for (size_t before = 0; before != reached.size();) {
    before = reached.size();
    for (const auto& [id, node] : project.nodes) {
      for (const std::string& parent : node.depends_on) {
        if (reached.contains(parent)) reached.insert(id);
      }
    }
  }
  return reached;
}

TEST(ProjectChanges, ReachWhatIsBelowInOrder) {
  std::mt19937 random(11);
  for (int round = 0; round < 50; round++) {
    Project project;
    for (size_t i = 0; i < 30; i++) {
      std::vector<std::string> reads;
      for (size_t n = random() % 3; i > 0 && n > 0; n--) reads.push_back(IdOf(random() % i));
      AddModel(project, i, reads);
    }
    std::set<std::string> changed, mattering;
    std::vector<NodeChange> changes = {{NodeChange::Kind::kGone, "model.shop.gone", {}, true}};
    for (size_t n = random() % 4; n > 0; n--) {
      const std::string id = IdOf(random() % 30);
      if (!changed.insert(id).second) continue;
      const bool matters = random() % 3 != 0;
      if (matters) mattering.insert(id);
      changes.push_back({NodeChange::Kind::kChanged, id, {"sql"}, matters});
    }
    auto reached = ReachedBy(changes, project);
    ASSERT_TRUE(reached.ok()) << reached.status().ToString();
    std::set<std::string> expected = Closure(project, mattering), found;
    for (const std::string& id : changed) expected.erase(id);
    for (const Node* node : *reached) {
      for (const std::string& parent : node->depends_on) {
        const bool comes = expected.contains(parent);
        EXPECT_TRUE(!comes || found.contains(parent)) << node->id << " before " << parent;
      }
      found.insert(node->id);
    }
    EXPECT_EQ(found, expected);
    EXPECT_EQ(found.size(), reached->size());
  }
}

TEST(ProjectChanges, ACycleIsAnError) {
  Project project;
  AddModel(project, 0, {IdOf(2)});
  AddModel(project, 1, {IdOf(0)});
  AddModel(project, 2, {IdOf(1)});
  auto reached = ReachedBy({{NodeChange::Kind::kChanged, IdOf(1), {"sql"}, true}}, project);
  ASSERT_FALSE(reached.ok());
  EXPECT_EQ(reached.status().message(), "\"m1\" waits for itself");
}

TEST(ProjectChanges, SayWhatIsDifferent) {
  Project now;
  for (size_t i = 0; i < 5; i++) AddModel(now, i, {});
  now.macros["macro.shop.cents"] = "{% macro cents() %}1{% endmacro %}";
  now.nodes[IdOf(3)].macros = {"macro.shop.cents"};
  ProjectContents before{now.nodes, now.macros};
  EXPECT_TRUE(ChangesBetween(before, now).empty());
  before.nodes.erase(IdOf(0));
  before.nodes[IdOf(7)] = now.nodes[IdOf(4)];
  before.nodes[IdOf(1)].config = Value::Object({{"materialized", "table"}});
  before.nodes[IdOf(2)].properties = Value::Object({{"description", "another"}});
  before.macros["macro.shop.cents"] = "{% macro cents() %}2{% endmacro %}";
  const std::vector<NodeChange> changes = ChangesBetween(before, now);
  std::vector<std::string> said;
  for (const NodeChange& change : changes) {
    said.push_back(fmt::format("{} {} {} {}", static_cast<int>(change.kind), change.id,
                               change.what.empty() ? "" : change.what[0], change.matters));
  }
  EXPECT_EQ(said, (std::vector<std::string>{
                      "0 model.shop.m0  true", "1 model.shop.m1 config materialized true",
                      "1 model.shop.m2 description false", "1 model.shop.m3 macro cents true",
                      "2 model.shop.m7  true"}));
}

}  // namespace
}  // namespace millrace::dbt
