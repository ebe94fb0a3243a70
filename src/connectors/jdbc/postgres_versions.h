// Versions of a PostgreSQL table; see connectors/table_versions.h. Grants on the served table move
// along; indexes that were made by hand do not: make them on the new version while it fills.
#pragma once

#include <memory>

#include "connectors/table_versions.h"

namespace millrace::connectors::jdbc {

// Connects. Errors: kBadOption, as the sink's; kInvalidArgument for a name that is too long to
// carry a version.
Result<std::unique_ptr<TableVersions>> OpenPostgresVersions(const TableContext& table);

}  // namespace millrace::connectors::jdbc
