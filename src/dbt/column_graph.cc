#include "dbt/column_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>

#include "base/strings.h"
#include "dbt/builder.h"
#include "dbt/model_versions.h"
#include "dbt/selector.h"

namespace millrace::dbt {

namespace {

// What the database has, or else what the .yml file says.
model::Schema DeclaredSchema(const Node& node, duck::Warehouse& warehouse) {
  std::vector<std::string> declared;
  for (const Value& column : node.properties["columns"].list()) {
    declared.push_back(fmt::format("CAST(NULL AS {}) AS {}", column["data_type"].text_or("VARCHAR"),
                                   QuoteIdentifier(column["name"].text())));
  }
  auto described = warehouse.Query("SELECT * FROM " + QualifiedName(node) + " LIMIT 0");
  if (!described.ok() && !declared.empty()) {
    described = warehouse.Query("SELECT " + Join(declared, ", ") + " LIMIT 0");
  }
  model::Schema schema;
  if (!described.ok()) return schema;
  for (const duck::ResultColumn& column : described->columns) {
    schema.columns.push_back({column.name, column.type, true});
  }
  return schema;
}

void ReplaceAll(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

// The compiled query, with the tables of other nodes under their ids: the planner knows no
// databases.
Status ColumnGraph::TraceNode(Project& project, Templates& templates, duck::Planner& planner,
                              Node& node) {
  MR_ASSIGN_OR_RETURN(std::string sql, templates.CompileAlone(node));
  for (const std::string& parent : node.depends_on) {
    const Node& other = *project.Find(parent);
    ReplaceAll(sql, QualifiedName(other), QuoteIdentifier(parent));
    ReplaceAll(sql, EphemeralName(NameWithVersion(other)), QuoteIdentifier(parent));
  }
  MR_ASSIGN_OR_RETURN(duck::QueryLineage lineage, duck::TraceColumns(planner, Statement(sql)));
  model::Schema schema;
  auto add = [&](const duck::Dependency& from, const std::string& column) {
    const ColumnPlace source{from.from.table, from.from.column};
    const ColumnPlace place{node.id, column};
    below_[source].push_back({place, from.influence});
    above_[place].push_back({source, from.influence});
  };
  for (const duck::TracedColumn& column : lineage.columns) {
    schema.columns.push_back({column.name, column.type, true});
    for (const duck::Dependency& from : column.from) add(from, column.name);
  }
  for (const duck::Dependency& from : lineage.rows) add(from, "");
  schemas_[node.id] = schema;
  return planner.DefineTable(node.id, schema);
}

Result<ColumnGraph> ColumnGraph::Trace(Project& project, Templates& templates,
                                       duck::Warehouse& warehouse) {
  ColumnGraph graph;
  MR_ASSIGN_OR_RETURN(auto planner, duck::Planner::Create());
  MR_ASSIGN_OR_RETURN(std::vector<std::string> order, InOrder(project));
  for (const std::string& id : order) {
    Node& node = *project.Find(id);
    if (node.kind == "test" || node.kind == "unit_test") continue;
    Status status = node.kind == "model" || node.kind == "snapshot"
                        ? graph.TraceNode(project, templates, *planner, node)
                        : Status::Ok();
    if (graph.schemas_.contains(id) && status.ok()) continue;
    if (!status.ok()) graph.unknown_[id] = status;
    // What reads it can still be traced as far as here.
    model::Schema schema = DeclaredSchema(node, warehouse);
    if (schema.columns.empty()) continue;
    graph.schemas_[id] = schema;
    MR_RETURN_IF_ERROR(planner->DefineTable(id, schema));
  }
  return graph;
}

Result<std::vector<Impact>> ColumnGraph::Downstream(const Project& project, const std::string& node,
                                                    const std::string& column) const {
  std::string id;
  std::vector<std::string> names;
  for (const auto& [other, schema] : schemas_) {
    const Node& candidate = project.nodes.at(other);
    const std::string name =
        candidate.kind == "source" ? candidate.source_name + "." + candidate.name : candidate.name;
    names.push_back(name);
    if (name == node || other == node) id = other;
  }
  if (id.empty()) {
    return Status(Code::kUnknownTable, fmt::format("there is no model \"{}\"", node))
        .WithHint(DidYouMean(node, names));
  }
  names.clear();
  ColumnPlace start{id, ""};
  for (const model::Column& known : schemas_.at(id).columns) {
    names.push_back(known.name);
    if (EqualsIgnoreCase(known.name, column)) start.column = known.name;
  }
  if (start.column.empty()) {
    return Status(Code::kUnknownColumn, fmt::format("\"{}\" has no column \"{}\"", node, column))
        .WithHint(DidYouMean(column, names));
  }
  std::vector<Impact> out;
  std::set<ColumnPlace> seen = {start};
  std::deque<ColumnPlace> open = {start};
  auto reach = [&](const ColumnPlace& place, duck::Influence how) {
    if (!seen.insert(place).second) return;
    out.push_back({place, how});
    open.push_back(place);
  };
  while (!open.empty()) {
    const ColumnPlace place = open.front();
    open.pop_front();
    if (auto found = below_.find(place); found != below_.end()) {
      for (const Impact& impact : found->second) reach(impact.place, impact.how);
    }
    if (!place.column.empty()) continue;
    // Other rows here are other rows for all that reads this node.
    for (const auto& [child, other] : project.nodes) {
      const auto& parents = other.depends_on;
      if (!schemas_.contains(child)) continue;
      if (std::find(parents.begin(), parents.end(), place.node) == parents.end()) continue;
      reach({child, ""}, duck::Influence::kFilter);
    }
  }
  return out;
}

Value ColumnGraph::ToValue() const {
  std::map<std::string, Value> nodes;
  for (const auto& [place, sources] : above_) {
    Value list = Value::List{};
    for (const Impact& source : sources) {
      list.Append(Value::Object({{"node", source.place.node},
                                 {"column", source.place.column},
                                 {"influence", duck::InfluenceName(source.how)}}));
    }
    nodes.try_emplace(place.node, Value::Object()).first->second.Set(place.column, list);
  }
  Value out = Value::Object();
  for (auto& [id, columns] : nodes) out.map().emplace_back(id, std::move(columns));
  return out;
}

}  // namespace millrace::dbt
