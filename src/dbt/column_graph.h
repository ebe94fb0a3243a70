// ColumnGraph: which columns of sources, seeds and models each column of a model comes from, read
// from the bound plans of their queries (duck/column_lineage.h).
//
// Contract
//   needs    the database for the columns of sources and seeds, and for what templates ask of it; a
//            source that is not there has the columns and types of its .yml file.
//   unknown  a model whose query cannot be bound without its data is left out, with the reason; so
//   is
//            what depends on it only through columns that nothing tells of.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dbt/project.h"
#include "dbt/templates.h"
#include "duck/column_lineage.h"
#include "duck/warehouse.h"
#include "model/schema.h"

namespace millrace::dbt {

// One column, or with column "" all rows of a node: which there are, not what is in them.
struct ColumnPlace {
  std::string node;  // id
  std::string column;
  auto operator<=>(const ColumnPlace&) const = default;
};

struct Impact {
  ColumnPlace place;
  duck::Influence how;  // of the shortest way
};

class ColumnGraph {
 public:
  static Result<ColumnGraph> Trace(Project& project, Templates& templates,
                                   duck::Warehouse& warehouse);

  // All that changes with the column, the nearest first. Errors: kUnknownTable, kUnknownColumn.
  Result<std::vector<Impact>> Downstream(const Project& project, const std::string& node,
                                         const std::string& column) const;

  // {"model.shop.orders": {"amount": [{"node", "column", "influence"}], "": [… of its rows]}}
  Value ToValue() const;
  const std::map<std::string, model::Schema>& schemas() const { return schemas_; }
  const std::map<std::string, Status>& unknown() const { return unknown_; }

 private:
  Status TraceNode(Project& project, Templates& templates, duck::Planner& planner, Node& node);

  std::map<std::string, model::Schema> schemas_;  // by id
  std::map<std::string, Status> unknown_;
  std::map<ColumnPlace, std::vector<Impact>> below_, above_;
};

}  // namespace millrace::dbt
