// Lineage of a project: which columns come from which, from the collector to the dashboards.
//
//   collector -> topic -> table -> view -> job -> table -> topic | dashboard | check
//
// Read from the bound plans of the project's own queries (duck/column_lineage.h); nothing runs, and
// no server is asked. What cannot be bound stays a node with a note that says why.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "duck/column_lineage.h"
#include "project/project.h"

namespace millrace::project {

enum class LineageKind { kCollector, kTopic, kTable, kView, kJob, kDashboard, kCheck };
const char* LineageKindName(LineageKind kind);

struct LineageColumn {
  std::string name;
  std::string type;  // Flink's; "" where none is declared
};

struct LineageNode {
  std::string id;  // kind and name: "table:orders"
  LineageKind kind = LineageKind::kTable;
  std::string name;
  std::string connector;               // of a table
  std::vector<LineageColumn> columns;  // of a dashboard: "chart.column"; of a job: none
  std::string note;                    // why nothing is known of where it comes from
};

// A place in the graph; column "": which rows there are at all.
struct LineagePlace {
  std::string node;
  std::string column;
  auto operator<=>(const LineagePlace&) const = default;
};

struct LineageEdge {
  LineagePlace from;
  LineagePlace to;
  // None: the rows go this way ("" to "").
  std::optional<duck::Influence> influence;
  bool masking = false;
  std::string by;  // id of the job or view whose query says so; "": the same thing by another name
  auto operator<=>(const LineageEdge&) const = default;
};

// What a job's sink comes from, views and computed columns resolved: OpenLineage's columnLineage.
struct JobLineage {
  std::string job;
  std::string sink;
  duck::QueryLineage from;  // columns as the sink's; `tables` are those of the catalog
};

// What a reconciliation compares: tables of the catalog, views resolved.
struct CheckLineage {
  std::string check;
  std::set<std::string> sources;
  std::set<std::string> destinations;
};

struct Lineage {
  std::vector<LineageNode> nodes;
  std::vector<std::pair<std::string, std::string>> links;  // ids, as the rows go
  std::vector<LineageEdge> edges;
  std::vector<JobLineage> jobs;
  std::vector<CheckLineage> checks;

  const LineageNode* Find(const std::string& id) const;
  const JobLineage* FindJob(const std::string& job) const;
};

// Errors: a dashboard file that cannot be read. Checks that are not valid are left out.
Result<Lineage> LineageOf(const Project& project);

enum class LineageDirection { kUp, kDown, kBoth };
// "" for both; "up", "down". Errors: kInvalidArgument.
Result<LineageDirection> ParseLineageDirection(const std::string& text);

// A part of a lineage: what a place comes from, and what comes from it.
struct LineageWays {
  LineagePlace start;  // column "": all of the node
  Lineage up;          // with the start in it; empty nodes: not asked for
  Lineage down;
};

// `name`: a table, view, topic, job or dashboard, with ".column" or without. Errors: kNotFound,
// kUnknownColumn, each with did-you-mean.
Result<LineageWays> WaysOf(const Lineage& lineage, const std::string& name,
                           LineageDirection direction);

}  // namespace millrace::project
