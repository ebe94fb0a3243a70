// ClickHouse as the target: the project's SQL runs there, over HTTP.
//
// There are no transactions. What a node makes is made under another name beside it, and takes its
// place by one EXCHANGE TABLES (or RENAME, where nothing was), which is atomic in databases of the
// engine Atomic, ClickHouse's default: after a kill there is the old relation or the new one, and
// perhaps the one beside, which the next run drops. An incremental model changes a clone, whose
// parts are the table's own files until they are rewritten. Source:
// https://docs.getdbt.com/reference/resource-configs/clickhouse-configs
#pragma once

#include "dbt/adapter.h"

namespace millrace::dbt {

// Takes host, port, user, password, schema, secure, send_receive_timeout and custom_settings of the
// profile; refuses what it would have to ignore.
Result<std::unique_ptr<Adapter>> OpenClickHouse(const Project& project);

}  // namespace millrace::dbt
