#include "dbt/docs.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "dbt/artifacts.h"

namespace millrace::dbt {

namespace {

struct Table {
  std::string type;  // "BASE TABLE", "VIEW"
  Value columns = Value::Object();
};

// By "database.schema.name", in small letters.
Result<std::map<std::string, Table>> TablesOf(duck::Warehouse& warehouse) {
  MR_ASSIGN_OR_RETURN(
      duck::QueryResult result,
      warehouse.Query("SELECT lower(t.table_catalog || '.' || t.table_schema || '.' || "
                      "t.table_name), t.table_type, c.column_name, c.data_type, "
                      "c.ordinal_position::BIGINT FROM information_schema.tables t JOIN "
                      "information_schema.columns c USING (table_catalog, table_schema, "
                      "table_name) ORDER BY 1, 5"));
  std::map<std::string, Table> out;
  for (size_t row = 0; row < result.row_count(); row++) {
    Table& table = out[result.Get(row, 0).ToString()];
    table.type = result.Get(row, 1).ToString();
    const std::string name = result.Get(row, 2).ToString();
    table.columns.Set(name, Value::Object({{"type", result.Get(row, 3).ToString()},
                                           {"index", result.Get(row, 4).GetValue<int64_t>()},
                                           {"name", name},
                                           {"comment", Value()}}));
  }
  return out;
}

Value CatalogEntry(const Node& node, const Table& table) {
  return Value::Object(
      {{"metadata", Value::Object({{"type", table.type},
                                   {"schema", node.schema},
                                   {"name", node.alias},
                                   {"database", node.database},
                                   {"comment", Value()},
                                   {"owner", Value()}})},
       {"columns", table.columns},
       {"stats", Value::Object({{"has_stats", Value::Object({{"id", "has_stats"},
                                                             {"label", "Has Stats?"},
                                                             {"value", false},
                                                             {"include", false}})}})},
       {"unique_id", node.id}});
}

// What the page shows of a node.
Value PageEntry(const Node& node, const ColumnGraph& graph, const Value& lineage) {
  Value columns = Value::List{};
  auto schema = graph.schemas().find(node.id);
  if (schema != graph.schemas().end()) {
    for (const model::Column& column : schema->second.columns) {
      std::string description;
      for (const Value& declared : node.properties["columns"].list()) {
        if (EqualsIgnoreCase(declared["name"].text(), column.name)) {
          description = declared["description"].text();
        }
      }
      columns.Append(Value::Object({{"name", column.name},
                                    {"type", column.type.ToString()},
                                    {"description", description},
                                    {"from", lineage[node.id][column.name]}}));
    }
  }
  return Value::Object(
      {{"id", node.id},
       {"name", node.kind == "source" ? node.source_name + "." + node.name : node.name},
       {"kind", node.kind == "model" ? node.materialized() : node.kind},
       {"path", node.path},
       {"description", node.properties["description"].text()},
       {"tags", node.tags},
       {"parents", node.depends_on},
       {"columns", columns},
       {"rows", lineage[node.id][""]},
       {"code", node.code}});
}

}  // namespace

Status WriteDocs(const Project& project, const ColumnGraph& graph, duck::Warehouse& warehouse) {
  MR_ASSIGN_OR_RETURN(auto tables, TablesOf(warehouse));
  const Value lineage = graph.ToValue();
  Value nodes = Value::Object(), sources = Value::Object(), page = Value::List{};
  for (const auto& [id, node] : project.nodes) {
    if (node.kind == "unit_test") continue;
    page.Append(PageEntry(node, graph, lineage));
    auto table = tables.find(ToLower(node.database + "." + node.schema + "." + node.alias));
    if (node.kind == "test" || table == tables.end()) continue;
    (node.kind == "source" ? sources : nodes)
        .map()
        .emplace_back(id, CatalogEntry(node, table->second));
  }
  const Value catalog = Value::Object({{"metadata", ArtifactMetadata(project, "catalog/v1")},
                                       {"nodes", nodes},
                                       {"sources", sources},
                                       {"errors", Value()}});
  const std::string data = Value::Object({{"project", project.name()}, {"nodes", page}}).ToJson();
  std::string html = DocsPage();
  const size_t at = html.find("DATA");
  std::string safe;  // no "</script>" of a description ends the script
  for (char c : data) safe += c == '<' ? std::string("\\u003c") : std::string(1, c);
  html.replace(at, 4, safe);
  MR_RETURN_IF_ERROR(WriteManifest(project));
  MR_RETURN_IF_ERROR(WriteArtifact(project, "catalog.json", catalog.ToJson()));
  MR_RETURN_IF_ERROR(WriteArtifact(project, "column_lineage.json", lineage.ToJson()));
  return WriteArtifact(project, "index.html", html);
}

}  // namespace millrace::dbt
