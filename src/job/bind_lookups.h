// The tables and services that a job asks by key: what the planner must know of them, and how they
// are asked.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "job/compiled_job.h"

namespace millrace::job {

// Nothing where the table's connector cannot be asked by key.
Result<std::optional<stream::LookupPolicy>> LookupPolicyOf(const sql::Table& table,
                                                           const Binder& binder);

// What the planner must know of the service of a function; nothing where nobody can be asked (tests
// of users' SQL). Errors: kBadOption, kUnknownOption.
Result<std::optional<stream::ScanTable>> ServiceOf(const sql::Function& function,
                                                   const Binder& binder);

// Fills job.lookups after the plan is made. Errors: kBadOption, kUnsupported for columns that the
// table computes; and what the connector says of its options and of the query, without connecting.
Status BindLookups(CompiledJob& job, const sql::Catalog& catalog, const Binder& binder,
                   const std::map<std::string, BoundTable>& bound);

}  // namespace millrace::job
