#include "job/bind_lookups.h"

#include <fmt/format.h>

#include "connectors/lookup.h"

namespace millrace::job {

namespace {

Result<connectors::Options> OptionsOf(const sql::Table& table, const Binding& binding) {
  std::map<std::string, std::string> given = binding.options;
  auto settings = TakeTableSettings(given);
  if (!settings.ok()) return std::move(settings).status().At(table.span);
  auto options = connectors::ParseOptions(binding.connector->spec, given);
  if (!options.ok()) return std::move(options).status().At(table.span);
  return options;
}

}  // namespace

Result<std::optional<stream::LookupPolicy>> LookupPolicyOf(const sql::Table& table,
                                                           const Binder& binder) {
  std::optional<stream::LookupPolicy> none;
  auto binding = binder(table);
  // What is wrong with a table that the query only seems to read is said where it is used.
  if (!binding.ok() || !binding->connector->new_lookup) return none;
  auto options = OptionsOf(table, *binding);
  if (!options.ok()) return none;
  stream::LookupPolicy policy;
  policy.cache.on = options->GetString("lookup.cache") == "PARTIAL";
  policy.cache.rows_max = options->GetInt("lookup.partial-cache.max-rows");
  policy.cache.ttl_us = options->GetMicros("lookup.partial-cache.expire-after-write");
  policy.cache.missing = options->GetBool("lookup.partial-cache.cache-missing-key");
  policy.bury_missing = options->GetString("lookup.on-miss") == "dead-letter";
  return std::optional<stream::LookupPolicy>(policy);
}

Status BindLookups(CompiledJob& job, const sql::Catalog& catalog, const Binder& binder,
                   const std::map<std::string, BoundTable>& bound) {
  for (const stream::LookupUse& use : job.plan.lookups) {
    LookupTable lookup;
    lookup.table = catalog.FindTable(use.table);
    const BoundTable& columns = bound.at(use.table);
    lookup.columns = columns.scan.schema;
    lookup.base_column = columns.base_column;
    for (const auto* wanted : {&use.keys, &use.columns}) {
      for (size_t c : *wanted) {
        const int base = lookup.base_column[c];
        if (base >= 0 && static_cast<size_t>(base) < lookup.table->schema.size()) continue;
        return Status(Code::kUnsupported,
                      fmt::format("column \"{}\" of table \"{}\" is computed, and cannot be "
                                  "looked up",
                                  lookup.columns.columns[c].name, use.table))
            .WithHint("compute it in the query, from the columns that are stored")
            .At(lookup.table->span);
      }
    }
    MR_ASSIGN_OR_RETURN(lookup.binding, binder(*lookup.table));
    MR_ASSIGN_OR_RETURN(lookup.options, OptionsOf(*lookup.table, lookup.binding));
    // Made once without connecting, for what the connector says of its options and of the query.
    connectors::TableContext context;
    context.name = lookup.table->name;
    context.schema = lookup.table->schema;
    context.primary_key = lookup.table->primary_key;
    context.options = lookup.options;
    connectors::LookupQuery query;
    for (size_t c : use.keys) query.keys.push_back(static_cast<size_t>(lookup.base_column[c]));
    for (size_t c : use.columns) {
      query.columns.push_back(static_cast<size_t>(lookup.base_column[c]));
    }
    auto made = lookup.binding.connector->new_lookup(context, query);
    if (!made.ok()) return std::move(made).status().At(lookup.table->span);
    job.lookups[use.table] = std::move(lookup);
  }
  return Status::Ok();
}

}  // namespace millrace::job
