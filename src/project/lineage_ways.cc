// The part of a lineage that one place is in.
#include <fmt/format.h>

#include <deque>
#include <set>

#include "base/strings.h"
#include "project/lineage.h"

namespace millrace::project {

namespace {

Result<LineagePlace> FindPlace(const Lineage& lineage, const std::string& name) {
  std::vector<std::string> names;
  const LineageNode* node = nullptr;
  std::string column;
  auto find = [&](const std::string& wanted) -> const LineageNode* {
    // A table goes before the topic or job of the same name.
    for (LineageKind kind :
         {LineageKind::kTable, LineageKind::kView, LineageKind::kTopic, LineageKind::kJob,
          LineageKind::kDashboard, LineageKind::kCheck, LineageKind::kCollector}) {
      for (const LineageNode& n : lineage.nodes) {
        if (n.kind == kind && (EqualsIgnoreCase(n.name, wanted) || n.id == wanted)) return &n;
      }
    }
    return nullptr;
  };
  node = find(name);
  // Topics and the columns of dashboards may have dots, too: the longest name that there is.
  for (size_t dot = name.rfind('.'); !node && dot != std::string::npos && dot > 0;
       dot = name.rfind('.', dot - 1)) {
    node = find(name.substr(0, dot));
    if (node) column = name.substr(dot + 1);
  }
  if (!node) {
    for (const LineageNode& n : lineage.nodes) names.push_back(n.name);
    return Status(Code::kNotFound, fmt::format("the project has no \"{}\"", name))
        .WithHint(DidYouMean(name, names));
  }
  if (column.empty()) return LineagePlace{node->id, ""};
  for (const LineageColumn& c : node->columns) {
    if (EqualsIgnoreCase(c.name, column)) return LineagePlace{node->id, c.name};
    names.push_back(c.name);
  }
  return Status(Code::kUnknownColumn, fmt::format("{} \"{}\" has no column \"{}\"",
                                                  LineageKindName(node->kind), node->name, column))
      .WithHint(DidYouMean(column, names));
}

// Everything that is reached over edges against (`up`) or with their direction.
Lineage Reach(const Lineage& lineage, const LineagePlace& start, bool up) {
  std::set<LineagePlace> seen;
  std::deque<LineagePlace> open;
  auto visit = [&](const LineagePlace& place) {
    if (seen.insert(place).second) open.push_back(place);
  };
  const LineageNode* first = lineage.Find(start.node);
  visit(start);
  std::set<LineageEdge> edges;
  if (first->kind == LineageKind::kJob) {
    // A job is in the middle of its edges.
    for (const LineageEdge& edge : lineage.edges) {
      if (edge.by != start.node) continue;
      edges.insert(edge);
      visit(up ? edge.from : edge.to);
    }
  } else if (start.column.empty()) {
    for (const LineageColumn& column : first->columns) visit({start.node, column.name});
  }
  while (!open.empty()) {
    const LineagePlace place = open.front();
    open.pop_front();
    // Which rows there are matters to each of their columns.
    if (up && !place.column.empty()) visit({place.node, ""});
    for (const LineageEdge& edge : lineage.edges) {
      if ((up ? edge.to : edge.from) != place) continue;
      edges.insert(edge);
      visit(up ? edge.from : edge.to);
    }
  }
  Lineage part;
  std::set<std::string> nodes = {start.node};
  for (const LineageEdge& edge : lineage.edges) {
    if (!edges.count(edge)) continue;
    part.edges.push_back(edge);
    nodes.insert(edge.from.node);
    nodes.insert(edge.to.node);
    if (!edge.by.empty()) nodes.insert(edge.by);
  }
  for (const LineageNode& node : lineage.nodes) {
    if (nodes.count(node.id)) part.nodes.push_back(node);
  }
  for (const auto& link : lineage.links) {
    if (nodes.count(link.first) && nodes.count(link.second)) part.links.push_back(link);
  }
  for (const JobLineage& job : lineage.jobs) {
    if (nodes.count("job:" + job.job)) part.jobs.push_back(job);
  }
  return part;
}

}  // namespace

Result<LineageDirection> ParseLineageDirection(const std::string& text) {
  if (text.empty()) return LineageDirection::kBoth;
  if (text == "up") return LineageDirection::kUp;
  if (text == "down") return LineageDirection::kDown;
  return Status(Code::kInvalidArgument, fmt::format("there is no direction \"{}\"", text))
      .WithHint("up, down, or leave it out for both");
}

Result<LineageWays> WaysOf(const Lineage& lineage, const std::string& name,
                           LineageDirection direction) {
  LineageWays ways;
  MR_ASSIGN_OR_RETURN(ways.start, FindPlace(lineage, name));
  if (direction != LineageDirection::kDown) ways.up = Reach(lineage, ways.start, true);
  if (direction != LineageDirection::kUp) ways.down = Reach(lineage, ways.start, false);
  return ways;
}

}  // namespace millrace::project
