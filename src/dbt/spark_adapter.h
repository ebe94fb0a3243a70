// Spark SQL as the target: the project's SQL runs there, through a Spark Thrift server.
//
// There are no transactions, and what one statement does is as whole as the table's format makes
// it. A Delta table is replaced by one CREATE OR REPLACE TABLE … AS, changed by one INSERT or
// MERGE; each is atomic. A table of files (parquet and the like) is made beside, under a name no
// other run has, the old one dropped and the new one renamed: a kill between these two leaves none
// until the next run. Source: https://docs.getdbt.com/reference/resource-configs/spark-configs
#pragma once

#include "dbt/adapter.h"

namespace millrace::dbt {

// Takes host, port, user, password, auth, schema, connect_timeout and server_side_parameters of the
// profile; refuses what it would have to ignore.
Result<std::unique_ptr<Adapter>> OpenSpark(const Project& project);

}  // namespace millrace::dbt
