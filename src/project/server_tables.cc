#include "project/server_tables.h"

#include "connectors/jdbc/postgres_scan.h"
#include "duck/table_provider.h"

namespace millrace::project {

Status RegisterServerTables(const Project& project, duck::Warehouse& warehouse) {
  for (const sql::Table* table : project.catalog().Tables()) {
    if (table->Option("connector") != "jdbc" || project.IsEmbedded("jdbc")) continue;
    MR_ASSIGN_OR_RETURN(job::Binding binding, project.Bind(*table));
    MR_RETURN_IF_ERROR(job::TakeTableSettings(binding.options).status());
    connectors::TableContext context;
    context.name = table->name;
    context.schema = table->schema;
    MR_ASSIGN_OR_RETURN(context.options,
                        connectors::ParseOptions(binding.connector->spec, binding.options));
    MR_ASSIGN_OR_RETURN(duck::VirtualTable made, connectors::jdbc::PostgresVirtualTable(context));
    MR_RETURN_IF_ERROR(duck::RegisterTable(warehouse, std::move(made)));
  }
  return Status::Ok();
}

}  // namespace millrace::project
