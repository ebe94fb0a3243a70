#include "connectors/table_versions.h"

#include <fmt/format.h>

#include "connectors/jdbc/postgres_versions.h"
#include "connectors/warehouse/warehouse_versions.h"

namespace millrace::connectors {

std::string VersionedName(const std::string& table, int version) {
  return fmt::format("{}__v{}", table, version);
}

Result<std::unique_ptr<TableVersions>> OpenTableVersions(const std::string& connector,
                                                         const TableContext& table) {
  if (connector == "warehouse") return warehouse::OpenWarehouseVersions(table);
  if (connector == "jdbc") return jdbc::OpenPostgresVersions(table);
  return std::unique_ptr<TableVersions>();
}

}  // namespace millrace::connectors
