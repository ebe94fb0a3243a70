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

const sql::Table* FindService(const CompiledJob& job, const std::string& name) {
  for (const sql::Function* function : job.functions) {
    if (function->service && function->service->name == name) return &*function->service;
  }
  return nullptr;
}

// `prefix`: of the options' names.
Status TakeCircuit(LookupTable& lookup, const std::string& prefix) {
  const std::string failures = prefix + "circuit.failures";
  lookup.circuit_failures = lookup.options.Has(failures)
                                ? lookup.options.GetInt(failures)
                                : lookup.options.GetInt(prefix + "max-retries") + 1;
  lookup.circuit_pause_us = lookup.options.GetMicros(prefix + "circuit.pause");
  if (lookup.circuit_failures >= 1) return Status::Ok();
  return Status(Code::kBadOption,
                fmt::format("option \"{}\" must be 1 or more, \"{}max-retries\" 0 or more",
                            failures, prefix))
      .At(lookup.table->span);
}

}  // namespace

Result<std::optional<stream::LookupPolicy>> LookupPolicyOf(const sql::Table& table,
                                                           const Binder& binder) {
  std::optional<stream::LookupPolicy> none;
  auto binding = binder(table);
  // What is wrong with a table that the query only seems to read is said where it is used.
  if (!binding.ok() || !binding->connector->new_lookup || !binding->connector->spec.lookup) {
    return none;
  }
  auto options = OptionsOf(table, *binding);
  if (!options.ok()) return none;
  stream::LookupPolicy policy;
  policy.cache.on = options->GetString("lookup.cache") == "PARTIAL";
  policy.cache.rows_max = options->GetInt("lookup.partial-cache.max-rows");
  policy.cache.ttl_us = options->GetMicros("lookup.partial-cache.expire-after-write");
  policy.cache.missing = options->GetBool("lookup.partial-cache.cache-missing-key");
  policy.bury_missing = options->GetString("lookup.on-miss") != "null";
  return std::optional<stream::LookupPolicy>(policy);
}

Result<std::optional<stream::ScanTable>> ServiceOf(const sql::Function& function,
                                                   const Binder& binder) {
  std::optional<stream::ScanTable> none;
  MR_ASSIGN_OR_RETURN(Binding binding, binder(*function.service));
  if (!binding.connector->new_lookup) return none;
  MR_ASSIGN_OR_RETURN(connectors::Options options, OptionsOf(*function.service, binding));
  stream::LookupPolicy policy;
  policy.cache.on = options.Has("cache.max-rows") || options.Has("cache.expire-after-write");
  policy.cache.rows_max = options.GetInt("cache.max-rows");
  policy.cache.ttl_us = options.GetMicros("cache.expire-after-write");
  policy.ask_nulls = options.GetString("null-input") == "ask";
  stream::ScanTable table;
  table.schema = function.service->schema;
  table.lookup = policy;
  return std::optional<stream::ScanTable>(std::move(table));
}

Status BindLookups(CompiledJob& job, const sql::Catalog& catalog, const Binder& binder,
                   const std::map<std::string, BoundTable>& bound) {
  for (const stream::LookupUse& use : job.plan.lookups) {
    LookupTable lookup;
    if (const sql::Table* service = FindService(job, use.table)) {
      lookup.table = service;
      lookup.columns = service->schema;
      for (size_t c = 0; c < service->schema.size(); c++) {
        lookup.base_column.push_back(static_cast<int>(c));
      }
      MR_ASSIGN_OR_RETURN(lookup.binding, binder(*service));
      MR_ASSIGN_OR_RETURN(lookup.options, OptionsOf(*service, lookup.binding));
      MR_RETURN_IF_ERROR(TakeCircuit(lookup, ""));
      job.lookups[use.table] = std::move(lookup);
      continue;
    }
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
    MR_RETURN_IF_ERROR(TakeCircuit(lookup, "lookup."));
    if (lookup.options.GetString("lookup.on-miss") == "retry") {
      lookup.retry_missing_us = lookup.options.GetMicros("lookup.on-miss.retry-time");
    }
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
