#include "project/lineage_text.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/strings.h"

namespace millrace::project {

namespace {

std::string PlaceName(const Lineage& lineage, const LineagePlace& place) {
  const LineageNode* node = lineage.Find(place.node);
  std::string name = node ? node->name : place.node;
  return place.column.empty() ? name : name + "." + place.column;
}

const char* InfluenceWord(const LineageEdge& edge) {
  return edge.influence ? duck::InfluenceName(*edge.influence) : "rows";
}

// One tree per start; a place whose ways were printed before is only named.
class TreePrinter {
 public:
  TreePrinter(const Lineage& whole, const Lineage& part, bool up)
      : whole_(whole), part_(part), up_(up) {}

  void Print(const LineagePlace& place, int depth) {
    // Several influences between two places are one line.
    std::vector<LineagePlace> order;
    std::map<LineagePlace, std::pair<std::vector<std::string>, std::string>> next;
    for (const LineageEdge& edge : part_.edges) {
      if ((up_ ? edge.to : edge.from) != place) continue;
      const LineagePlace& other = up_ ? edge.from : edge.to;
      auto [found, added] = next.try_emplace(other);
      if (added) order.push_back(other);
      found->second.first.push_back(InfluenceWord(edge));
      if (!edge.by.empty() && edge.by.starts_with("job:")) found->second.second = edge.by.substr(4);
    }
    for (const LineagePlace& other : order) {
      auto& [words, job] = next[other];
      const bool again = !seen_.insert(other).second && HasMore(other);
      const LineageNode* node = whole_.Find(other.node);
      text += fmt::format("{:{}}{} {}{}  {}{}{}\n", "", 2 * depth, up_ ? "<-" : "->",
                          KindWord(node), PlaceName(whole_, other), Join(words, ", "),
                          job.empty() ? "" : "  by job " + job, again ? "  (above)" : "");
      if (!again) Print(other, depth + 1);
    }
  }

  std::string text;

 private:
  static std::string KindWord(const LineageNode* node) {
    if (!node || node->kind == LineageKind::kTable || node->kind == LineageKind::kCollector) {
      return "";
    }
    return std::string(LineageKindName(node->kind)) + " ";
  }
  bool HasMore(const LineagePlace& place) const {
    return std::any_of(part_.edges.begin(), part_.edges.end(), [&](const LineageEdge& edge) {
      return (up_ ? edge.to : edge.from) == place;
    });
  }

  const Lineage& whole_;
  const Lineage& part_;
  const bool up_;
  std::set<LineagePlace> seen_;
};

void PrintDirection(const Lineage& whole, const Lineage& part, const LineagePlace& start, bool up,
                    std::string& text) {
  const LineageNode* node = part.Find(start.node);
  if (!node) return;
  text += up ? "\ncomes from\n" : "\ngoes to\n";
  TreePrinter printer(whole, part, up);
  const size_t before = text.size();
  auto print = [&](const LineagePlace& place, const std::string& title) {
    printer.text.clear();
    printer.Print(place, 2);
    if (!printer.text.empty()) text += fmt::format("  {}\n{}", title, printer.text);
  };
  if (node->kind == LineageKind::kJob) {
    std::set<LineagePlace> ends;
    for (const LineageEdge& edge : part.edges) {
      if (edge.by == node->id) ends.insert(up ? edge.from : edge.to);
    }
    for (const LineagePlace& end : ends) {
      print(end, PlaceName(whole, end) + (end.column.empty() ? " (its rows)" : ""));
      if (printer.text.empty()) text += fmt::format("  {}\n", PlaceName(whole, end));
    }
  } else if (!start.column.empty()) {
    print(start, start.column);
    if (up) print({start.node, ""}, "(all rows)");
  } else {
    for (const LineageColumn& column : node->columns) {
      print({start.node, column.name}, column.name);
    }
    print({start.node, ""}, "(all rows)");
  }
  if (text.size() == before) text += "  nothing that the project knows of\n";
}

std::string PlaceJson(const LineagePlace& place) {
  return fmt::format("{{\"node\":{},\"column\":{}}}", JsonQuote(place.node),
                     place.column.empty() ? "null" : JsonQuote(place.column));
}

std::string InfluenceJson(const std::optional<duck::Influence>& influence, bool masking) {
  if (!influence) return "\"type\":\"ROWS\",\"subtype\":null,\"masking\":false";
  return fmt::format("\"type\":\"{}\",\"subtype\":\"{}\",\"masking\":{}",
                     duck::IsDirect(*influence) ? "DIRECT" : "INDIRECT",
                     duck::InfluenceName(*influence), masking);
}

std::string DependenciesJson(const duck::Dependencies& from) {
  std::vector<std::string> texts;
  for (const duck::Dependency& d : from) {
    texts.push_back(fmt::format("{{\"table\":{},\"column\":{},{}}}", JsonQuote(d.from.table),
                                JsonQuote(d.from.column), InfluenceJson(d.influence, d.masking)));
  }
  return "[" + Join(texts, ",") + "]";
}

std::string NodeJson(const LineageNode& node) {
  std::vector<std::string> columns;
  for (const LineageColumn& column : node.columns) {
    columns.push_back(
        fmt::format("{{\"name\":{},\"type\":{}}}", JsonQuote(column.name), JsonQuote(column.type)));
  }
  return fmt::format(
      "{{\"id\":{},\"kind\":\"{}\",\"name\":{},\"connector\":{},\"columns\":[{}],\"note\":{}}}",
      JsonQuote(node.id), LineageKindName(node.kind), JsonQuote(node.name),
      node.connector.empty() ? "null" : JsonQuote(node.connector), Join(columns, ","),
      node.note.empty() ? "null" : JsonQuote(node.note));
}

std::string JobJson(const JobLineage& job) {
  std::vector<std::string> columns;
  for (const duck::TracedColumn& column : job.from.columns) {
    columns.push_back(fmt::format("{{\"name\":{},\"from\":{}}}", JsonQuote(column.name),
                                  DependenciesJson(column.from)));
  }
  return fmt::format("{{\"job\":{},\"sink\":{},\"columns\":[{}],\"rows\":{}}}", JsonQuote(job.job),
                     JsonQuote(job.sink), Join(columns, ","), DependenciesJson(job.from.rows));
}

std::string DotQuote(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

const char* DotShape(LineageKind kind) {
  switch (kind) {
    case LineageKind::kTopic:
      return "cds";
    case LineageKind::kJob:
      return "box";
    case LineageKind::kCollector:
      return "oval";
    default:
      return "folder";
  }
}

}  // namespace

std::string LineageText(const Lineage& whole, const LineageWays& ways) {
  const LineageNode* node = whole.Find(ways.start.node);
  std::string text =
      fmt::format("{} {}", LineageKindName(node->kind), PlaceName(whole, ways.start));
  if (!node->connector.empty()) text += fmt::format("  ({})", node->connector);
  text += "\n";
  if (!node->note.empty()) text += fmt::format("note: {}\n", node->note);
  PrintDirection(whole, ways.up, ways.start, true, text);
  PrintDirection(whole, ways.down, ways.start, false, text);
  return text;
}

std::string LineageText(const Lineage& whole) {
  std::string text;
  for (const LineageNode& node : whole.nodes) {
    std::vector<std::string> to;
    for (const auto& [from, next] : whole.links) {
      if (from == node.id) to.push_back(next);
    }
    text += fmt::format("{}{}\n", node.id, to.empty() ? "" : "  -> " + Join(to, ", "));
    if (!node.note.empty()) text += fmt::format("  note: {}\n", node.note);
  }
  return text.empty() ? "the project has no tables\n" : text;
}

std::string LineageJson(const Lineage& whole) {
  std::vector<std::string> nodes, links, edges, jobs;
  for (const LineageNode& node : whole.nodes) nodes.push_back(NodeJson(node));
  for (const auto& [from, to] : whole.links) {
    links.push_back(fmt::format("{{\"from\":{},\"to\":{}}}", JsonQuote(from), JsonQuote(to)));
  }
  for (const LineageEdge& edge : whole.edges) {
    edges.push_back(fmt::format("{{\"from\":{},\"to\":{},{},\"by\":{}}}", PlaceJson(edge.from),
                                PlaceJson(edge.to), InfluenceJson(edge.influence, edge.masking),
                                edge.by.empty() ? "null" : JsonQuote(edge.by)));
  }
  for (const JobLineage& job : whole.jobs) jobs.push_back(JobJson(job));
  return fmt::format("{{\"nodes\":[{}],\"links\":[{}],\"edges\":[{}],\"jobs\":[{}]}}",
                     Join(nodes, ","), Join(links, ","), Join(edges, ","), Join(jobs, ","));
}

std::string LineageJson(const LineageWays& ways) {
  auto part = [](const Lineage& lineage) {
    return lineage.nodes.empty() ? "null" : LineageJson(lineage);
  };
  return fmt::format("{{\"start\":{},\"up\":{},\"down\":{}}}", PlaceJson(ways.start), part(ways.up),
                     part(ways.down));
}

Lineage UnionOf(const LineageWays& ways) {
  Lineage all = ways.up;
  auto add = [](auto& to, const auto& more, auto same) {
    for (const auto& one : more) {
      if (std::none_of(to.begin(), to.end(), [&](const auto& o) { return same(o, one); })) {
        to.push_back(one);
      }
    }
  };
  auto equal = [](const auto& a, const auto& b) { return a == b; };
  add(all.nodes, ways.down.nodes, [](const auto& a, const auto& b) { return a.id == b.id; });
  add(all.links, ways.down.links, equal);
  add(all.edges, ways.down.edges, equal);
  add(all.jobs, ways.down.jobs, [](const auto& a, const auto& b) { return a.job == b.job; });
  return all;
}

std::string LineageDot(const Lineage& part) {
  std::string text = "digraph lineage {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n";
  std::set<LineagePlace> places;
  for (const LineageEdge& edge : part.edges) {
    places.insert(edge.from);
    places.insert(edge.to);
  }
  auto id = [](const LineagePlace& place) { return DotQuote(place.node + "/" + place.column); };
  for (const LineageNode& node : part.nodes) {
    if (node.kind == LineageKind::kJob) continue;  // a job is the label of its edges
    text += fmt::format("  subgraph {} {{\n    label={};\n", DotQuote("cluster_" + node.id),
                        DotQuote(fmt::format("{} {}", LineageKindName(node.kind), node.name)));
    for (const LineagePlace& place : places) {
      if (place.node != node.id) continue;
      text += fmt::format("    {} [label={}, shape={}];\n", id(place),
                          DotQuote(place.column.empty() ? "(rows)" : place.column),
                          place.column.empty() ? "plaintext" : "box");
    }
    if (places.lower_bound({node.id, ""}) == places.end() ||
        places.lower_bound({node.id, ""})->node != node.id) {
      text +=
          fmt::format("    {} [label=\"\", shape={}];\n", id({node.id, ""}), DotShape(node.kind));
    }
    text += "  }\n";
  }
  for (const LineageEdge& edge : part.edges) {
    const bool direct = edge.influence && duck::IsDirect(*edge.influence);
    std::string label = InfluenceWord(edge);
    if (edge.by.starts_with("job:")) label += "\\n" + edge.by.substr(4);
    text += fmt::format("  {} -> {} [label=\"{}\"{}];\n", id(edge.from), id(edge.to), label,
                        direct ? "" : ", style=dashed");
  }
  return text + "}\n";
}

std::string TextVersion(const std::string& text) {
  return fmt::format("{:08x}", XXH3_64bits(text.data(), text.size()) & 0xffffffff);
}

}  // namespace millrace::project
