// PostgresTable: a sink's target table: created when missing, compared with the declaration when
// it exists.
#pragma once

#include <string>

#include "connectors/connector.h"
#include "connectors/jdbc/postgres_client.h"

namespace millrace::connectors::jdbc {

// "schema"."name" or "name" of 'table-name', quoted.
std::string QuotedTarget(const std::string& table_name);

// CREATE … IF NOT EXISTS. Where two sessions say so at once, both may find nothing, and the second
// then collides with the first inside the catalog: it is asked again.
Status CreateIfMissing(PostgresClient& client, const std::string& sql);

// Creates the target and millrace_commits where missing, then checks that every declared column is
// there with a type that takes its values, that the others have defaults or take NULL, and that a
// declared primary key has a unique index. Errors: kFailedPrecondition saying what differs.
Status PrepareTarget(PostgresClient& client, const TableContext& table);

}  // namespace millrace::connectors::jdbc
