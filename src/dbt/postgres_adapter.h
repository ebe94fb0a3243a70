// PostgreSQL as the target: the project's SQL runs there.
//
// Tables and views are replaced as dbt-postgres does: made under another name, then the old one is
// dropped with the views that read it (CASCADE), all in the node's transaction.
// Source: https://docs.getdbt.com/docs/core/connect-data-platform/postgres-setup
#pragma once

#include "dbt/adapter.h"

namespace millrace::dbt {

// Takes host, port, user, password, dbname, sslmode, search_path, role, connect_timeout and
// keepalives_idle of the profile.
Result<std::unique_ptr<Adapter>> OpenPostgres(const Project& project);

}  // namespace millrace::dbt
