#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "base/units.h"
#include "duck/time_zone.h"
#include "format/decoder.h"
#include "format/format_options.h"
#include "job/assignable.h"
#include "job/bind_lookups.h"
#include "job/compiled_job.h"
#include "job/scan_schema.h"
#include "sql/functions.h"
#include "sql/lexer.h"
#include "sql/types.h"

namespace millrace::job {

namespace {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;

// Place of a keyword in a fragment, outside of strings; the fragment's start when it is not there.
SourceSpan FindClause(const sql::Fragment& fragment, const std::string& clause) {
  std::string text = ToUpper(fragment.text);
  std::string wanted = ToUpper(clause);
  char quote = 0;
  for (size_t i = 0; i < text.size(); i++) {
    if (quote) {
      if (text[i] == quote) quote = 0;
    } else if (text[i] == '\'' || text[i] == '"' || text[i] == '`') {
      quote = text[i];
    } else if (text.compare(i, wanted.size(), wanted) == 0) {
      return sql::LocateIn(fragment, i, wanted.size());
    }
  }
  return sql::LocateIn(fragment, 0);
}

Status LocateRefusal(Status status, const sql::Fragment& query) {
  constexpr std::string_view kClause = "clause: ";
  if (status.detail().rfind(kClause, 0) != 0) return status;
  SourceSpan span = FindClause(query, status.detail().substr(kClause.size()));
  return std::move(status).WithDetail("").At(span);
}

using BoundTables = std::map<std::string, BoundTable>;

// Every name in a query, in lower case: at least those of the tables it reads.
void AddNames(const std::string& query, std::set<std::string>& names) {
  for (const sql::Token& token : sql::Lex(query, {}).tokens) {
    if (token.IsName()) names.insert(ToLower(token.NameText()));
  }
}

// Makes the planner know the tables and views that `query` may read; all of them when it is null.
// What it knows already (`bound`, `views`) is left out.
Status DefineTables(const sql::Catalog& catalog, const std::string* query,
                    const JobSettings& settings, duck::Planner& planner, BoundTables& bound,
                    std::set<std::string>& views) {
  std::set<std::string> wanted;
  if (query) AddNames(*query, wanted);
  auto skipped = [&](const std::string& name) { return query && !wanted.count(ToLower(name)); };
  const auto& all_views = catalog.Views();
  for (auto view = all_views.rbegin(); view != all_views.rend(); ++view) {  // users come after
    if (!skipped((*view)->name)) AddNames((*view)->query.text, wanted);
  }
  for (const sql::Table* table : catalog.Tables()) {
    if (skipped(table->name) || bound.count(table->name)) continue;
    MR_ASSIGN_OR_RETURN(BoundTable made, BindTable(*table, planner, settings.changelogs_by_key));
    MR_RETURN_IF_ERROR(planner.DefineTable(table->name, made.scan.schema));
    bound.emplace(table->name, std::move(made));
  }
  for (const sql::View* view : all_views) {
    if (skipped(view->name) || !views.insert(view->name).second) continue;
    Status defined = planner.DefineView(view->name, view->columns, view->query.text);
    if (!defined.ok()) return Relocate(std::move(defined), view->query);
  }
  return Status::Ok();
}

// The user-defined functions that a query, the views and the tables below it call.
std::vector<const sql::Function*> FunctionsOf(const sql::Catalog& catalog,
                                              const sql::Rewritten& query,
                                              const std::set<std::string>& views,
                                              const BoundTables& bound) {
  std::set<std::string> names;
  AddNames(query.text, names);
  for (const sql::View* view : catalog.Views()) {
    if (views.count(view->name)) AddNames(view->query.text, names);
  }
  for (const sql::Table* table : catalog.Tables()) {
    if (!bound.count(table->name)) continue;
    for (const sql::ComputedColumn& column : table->computed) {
      AddNames(column.expression.text, names);
    }
    for (const sql::Check& check : table->checks) AddNames(check.expression.text, names);
    if (table->watermark) AddNames(table->watermark->expression.text, names);
  }
  return catalog.FunctionsIn(names);
}

// The query with its columns renamed and cast to the sink's, by position as in Flink.
Result<std::string> CastToSink(const model::Schema& result, const sql::Insert& insert,
                               const sql::Table& sink, const std::string& query) {
  // Metadata columns of a sink are not written yet, so only physical columns take values.
  std::vector<std::string> targets = insert.columns;
  if (targets.empty()) targets = sink.schema.Names();
  SourceSpan at = sql::LocateIn(insert.query, 0);
  if (result.size() != targets.size()) {
    return Status(Code::kBind, fmt::format("the query gives {} columns, but table \"{}\" takes {}",
                                           result.size(), sink.name, targets.size()))
        .WithDetail("the query gives: " + Join(result.Names(), ", "))
        .WithHint("table \"" + sink.name + "\" has: " + Join(targets, ", "))
        .At(at);
  }
  std::vector<std::string> select(sink.schema.size());
  for (size_t i = 0; i < sink.schema.size(); i++) {
    const model::Column& column = sink.schema.columns[i];
    select[i] =
        fmt::format("CAST(NULL AS {}) AS {}", column.type.ToString(), QuoteIdentifier(column.name));
  }
  std::vector<std::string> aliases;
  for (size_t i = 0; i < targets.size(); i++) {
    aliases.push_back(fmt::format("c{}", i));
    int index = sink.schema.Find(targets[i]);
    if (index < 0) {
      return Status(Code::kUnknownColumn,
                    fmt::format("table \"{}\" has no column \"{}\"", sink.name, targets[i]))
          .WithHint(DidYouMean(targets[i], sink.schema.Names()))
          .At(insert.span);
    }
    const model::Column& column = sink.schema.columns[static_cast<size_t>(index)];
    MR_RETURN_IF_ERROR(
        CheckAssignable(result.columns[i].type, column.type, column.name, sink.name, at));
    std::string value = fmt::format("q.c{}", i);
    if (column.type.id() == LogicalTypeId::TIMESTAMP_TZ) value = "mr_instant(" + value + ")";
    select[static_cast<size_t>(index)] = fmt::format(
        "CAST({} AS {}) AS {}", value, column.type.ToString(), QuoteIdentifier(column.name));
  }
  return fmt::format("SELECT {} FROM ({}\n) AS q({})", Join(select, ", "), query,
                     Join(aliases, ", "));
}

// Whether the sink's format says of each row whether it comes or is taken away.
bool TakesChanges(const Binding& binding) {
  const connectors::ConnectorSpec& spec = binding.connector->spec;
  if (!spec.takes_format || !spec.sink_takes_changelogs) return false;
  auto format = format::FindFormat(format::DecoderOptionsOf(binding.options).format);
  return format.ok() && (*format)->changelog != model::ChangelogKind::kAppend;
}

Status CheckChangelog(const CompiledJob& job, const sql::Insert& insert) {
  if (job.plan.changelog == stream::ChangelogKind::kAppend) return Status::Ok();
  const connectors::ConnectorSpec& spec = job.sink_binding.connector->spec;
  SourceSpan at = FindClause(insert.query, "GROUP BY");
  if (TakesChanges(job.sink_binding)) return Status::Ok();
  if (!spec.sink_accepts_updates) {
    return Status(
               Code::kUnsupported,
               fmt::format("the query updates its earlier results, but connector \"{}\" of table "
                           "\"{}\" can only append",
                           spec.name, job.sink->name))
        .WithHint(
            "group by a window (TUMBLE, HOP, CUMULATE), whose results are final unless late rows "
            "or early results are asked for, or write to a table with a PRIMARY KEY ('connector' = "
            "'jdbc' or 'upsert-kafka'), or write the "
            "changes themselves ('format' = 'debezium-json')")
        .At(at);
  }
  if (job.sink->primary_key.empty() && spec.updates_need_key) {
    return Status(
               Code::kUnsupported,
               fmt::format("the query updates its earlier results, so table \"{}\" needs a key to "
                           "find them by",
                           job.sink->name))
        .WithHint(
            "declare PRIMARY KEY (…) NOT ENFORCED in CREATE TABLE, on the GROUP BY columns, or, "
            "for a join, on columns that tell its rows apart")
        .At(at);
  }
  return Status::Ok();
}

// How a table of the query is carried out.
struct TableBinding {
  Binding binding;         // without the options that the job takes
  TableSettings settings;  // as `resolved` left them
  Status status;           // of the two
  Status resolved;
};
using TableBindings = std::map<std::string, TableBinding>;

// What is wrong with a table matters (and is said) when it turns out to be read.
TableBindings BindTables(const sql::Catalog& catalog, const Binder& binder, const JobSettings& job,
                         const BoundTables& bound) {
  TableBindings all;
  for (const auto& [name, unused] : bound) {
    TableBinding& made = all[name];
    const sql::Table& table = *catalog.FindTable(name);
    auto binding = binder(table);
    made.status = binding.status();
    if (!binding.ok()) continue;
    made.binding = std::move(*binding);
    auto settings = TakeTableSettings(made.binding.options);
    if (!settings.ok()) {
      made.status = std::move(settings).status().At(table.span);
      continue;
    }
    made.settings = *settings;
    made.resolved = ResolveTableSettings(job, name, made.settings);
  }
  return all;
}

// Plans `query` (DuckDB text made from `rewritten`) and turns it into operators.
Status PlanInto(CompiledJob& job, const std::string& query, const sql::Rewritten& rewritten,
                const BoundTables& bound, const TableBindings& bindings,
                const sql::Catalog& catalog, const Binder& binder, PlanTexts& texts) {
  std::map<std::string, stream::ScanTable> tables;
  for (const auto& [name, table] : bound) {
    tables[name] = table.scan;
    MR_ASSIGN_OR_RETURN(tables[name].lookup, LookupPolicyOf(*catalog.FindTable(name), binder));
    const TableBinding& binding = bindings.at(name);
    if (!binding.status.ok() || !binding.resolved.ok()) continue;
    tables[name].allowed_lateness_us = binding.settings.allowed_lateness_us;
  }
  for (const sql::Function* function : job.functions) {
    if (!function->service) continue;
    MR_ASSIGN_OR_RETURN(auto service, ServiceOf(*function, binder));
    if (service) tables[function->service->name] = std::move(*service);
  }
  auto plan = job.planner->PlanQuery(query);
  if (!plan.ok()) return Relocate(plan.status(), rewritten);
  const auto shards = static_cast<size_t>(job.settings.shards);
  stream::JobPlanOptions options;
  options.state_ttl_us = job.settings.state_ttl_us;
  options.emit = job.settings.Emit();
  options.shard.count = shards;
  auto built = stream::BuildJobPlan(*plan, job.planner->context(), tables, options);
  if (!built.ok()) return LocateRefusal(built.status(), rewritten.original);
  job.plan = std::move(*built);
  for (size_t shard = 1; shard < shards; shard++) {
    options.shard.index = shard;
    MR_ASSIGN_OR_RETURN(stream::JobPlan copy,
                        stream::BuildJobPlan(*plan, job.planner->context(), tables, options));
    job.more_shards.push_back(std::move(copy));
  }
  MR_RETURN_IF_ERROR(BindLookups(job, catalog, binder, bound));
  const auto& operators = job.plan.operators;
  const bool stateful = std::any_of(operators.begin(), operators.end(),
                                    [](const auto& op) { return !op->Describe().state.empty(); });
  texts = DescribePlan(*plan, stateful);
  return Status::Ok();
}

Status BindSources(CompiledJob& job, const sql::Catalog& catalog, const TableBindings& bindings,
                   BoundTables& bound) {
  for (const stream::SourceUse& use : job.plan.sources) {
    SourceTable source;
    source.table = catalog.FindTable(use.table);
    source.bound = std::move(bound.at(use.table));
    const TableBinding& binding = bindings.at(use.table);
    MR_RETURN_IF_ERROR(binding.status);
    source.binding = binding.binding;
    source.settings = binding.settings;
    // Without event time no row is late.
    if (!binding.resolved.ok() && source.bound.scan.time_column >= 0) {
      return Status(binding.resolved).At(source.table->span);
    }
    const connectors::ConnectorEntry& connector = *source.binding.connector;
    if (!connector.new_source) {
      return Status(Code::kUnsupported,
                    fmt::format("table \"{}\" cannot be read as a stream: connector \"{}\" {}",
                                use.table, connector.spec.name,
                                connector.spec.sink ? "is a sink" : "is only asked by key"))
          .WithHint(connector.spec.lookup ? "ask it by key: JOIN … FOR SYSTEM_TIME AS OF "
                                            "o.proc_time, with a PROCTIME() column"
                                          : "")
          .At(source.table->span);
    }
    auto options = connectors::ParseOptions(connector.spec, source.binding.options);
    if (!options.ok()) return std::move(options).status().At(source.table->span);
    job.sources.push_back(std::move(source));
  }
  return Status::Ok();
}

std::shared_ptr<const duck::TimeZone> ZoneOf(const CompiledJob& job) {
  return duck::SessionTimeZone(job.planner->context());
}

// What the state depends on, and nothing else: not the prose of EXPLAIN, not the connectors.
std::string Fingerprint(const CompiledJob& job) {
  std::string text = fmt::format("shards {}\n", job.settings.shards);
  for (size_t i = 0; i < job.plan.sources.size(); i++) {
    const stream::SourceUse& use = job.plan.sources[i];
    text += fmt::format("source {}", use.table);
    for (size_t c : use.columns) {
      const model::Column& column = job.sources[i].bound.scan.schema.columns[c];
      text += fmt::format(" {} {},", column.name, column.type.ToString());
    }
    if (const auto& watermark = job.sources[i].table->watermark) {
      text +=
          fmt::format(" watermark {} {}", watermark->column[0], watermark->delay_us.value_or(0));
    }
    text += "\n";
  }
  for (const auto& op : job.plan.operators) {
    const stream::OperatorDescription d = op->Describe();
    text += fmt::format("{} {} {} {}\n", op->id(), d.name, d.detail, d.changelog);
  }
  for (size_t i = 0; i < job.plan.names.size(); i++) {
    text += fmt::format("{} {},", job.plan.names[i], job.plan.types[i].ToString());
  }
  for (const sql::Function* function : job.functions) text += "\n" + function->Statement();
  if (auto zone = ZoneOf(job); zone) text += "\ntime zone " + zone->name();
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

Result<std::unique_ptr<duck::Planner>> NewPlanner(const sql::Catalog& catalog,
                                                  const JobSettings& settings) {
  MR_ASSIGN_OR_RETURN(auto planner, sql::NewFlinkPlanner(catalog));
  Status zone = sql::UseTimeZone(planner->connection(), settings.time_zone);
  if (!zone.ok()) return std::move(zone).Annotate("option \"table.local-time-zone\"");
  return planner;
}

// Defines what `rewritten` reads, and binds it: the names and types of its result.
Result<model::Schema> DefineAndDescribe(const sql::Catalog& catalog,
                                        const sql::Rewritten& rewritten,
                                        const JobSettings& settings, duck::Planner& planner,
                                        BoundTables& bound, std::set<std::string>& views) {
  MR_RETURN_IF_ERROR(DefineTables(catalog, &rewritten.text, settings, planner, bound, views));
  auto described = planner.DescribeQuery(rewritten.text);
  if (!described.ok()) {
    // Once more with every table there, for the suggestions in the message.
    MR_RETURN_IF_ERROR(DefineTables(catalog, nullptr, settings, planner, bound, views));
    return Relocate(planner.DescribeQuery(rewritten.text).status(), rewritten);
  }
  return described;
}

}  // namespace

Result<model::Schema> DescribeQuery(const sql::Catalog& catalog, const sql::Fragment& query,
                                    const JobSettings& settings) {
  MR_ASSIGN_OR_RETURN(sql::Rewritten rewritten, sql::RewriteQuery(query));
  MR_ASSIGN_OR_RETURN(auto planner, NewPlanner(catalog, settings));
  BoundTables bound;
  std::set<std::string> views;
  return DefineAndDescribe(catalog, rewritten, settings, *planner, bound, views);
}

Result<std::unique_ptr<CompiledJob>> CompileInsert(const sql::Catalog& catalog,
                                                   const sql::Insert& insert,
                                                   const std::string& sql,
                                                   const JobSettings& settings,
                                                   const Binder& binder) {
  auto job = std::make_unique<CompiledJob>();
  job->settings = settings;
  job->sql = sql;
  MR_ASSIGN_OR_RETURN(job->sink, catalog.GetTable(insert.target));
  job->name = settings.name.empty() ? job->sink->name : settings.name;
  if (insert.overwrite) {
    return Status(Code::kUnsupported, "INSERT OVERWRITE of a stream is not supported")
        .WithHint("use INSERT INTO; a table with a PRIMARY KEY is updated in place")
        .At(insert.span);
  }
  if (!insert.partition.empty()) {
    return Status(Code::kUnsupported, "INSERT INTO … PARTITION (…) is not supported")
        .WithHint("select the partition column like any other")
        .At(insert.span);
  }
  MR_ASSIGN_OR_RETURN(job->sink_binding, binder(*job->sink));
  for (const auto& [key, option] : insert.options) job->sink_binding.options[key] = option.value;
  MR_ASSIGN_OR_RETURN(const TableSettings sink_settings,
                      TakeTableSettings(job->sink_binding.options));
  job->settings.early_fire = sink_settings.early_fire.value_or(settings.early_fire);
  const connectors::ConnectorEntry& connector = *job->sink_binding.connector;
  if (!connector.new_sink) {
    return Status(Code::kUnsupported,
                  fmt::format("table \"{}\" cannot be written: connector \"{}\" is no sink",
                              job->sink->name, connector.spec.name))
        .At(insert.span);
  }
  auto options = connectors::ParseOptions(connector.spec, job->sink_binding.options);
  if (!options.ok()) return std::move(options).status().At(job->sink->span);

  MR_ASSIGN_OR_RETURN(sql::Rewritten rewritten, sql::RewriteQuery(insert.query));
  MR_ASSIGN_OR_RETURN(job->planner, NewPlanner(catalog, settings));
  BoundTables bound;
  std::set<std::string> views;
  MR_ASSIGN_OR_RETURN(model::Schema result,
                      DefineAndDescribe(catalog, rewritten, settings, *job->planner, bound, views));
  for (const sql::View* view : catalog.Views()) {
    if (views.count(view->name)) job->views.push_back(view);
  }
  job->functions = FunctionsOf(catalog, rewritten, views, bound);
  MR_ASSIGN_OR_RETURN(std::string query, CastToSink(result, insert, *job->sink, rewritten.text));
  job->batch_query = query;
  PlanTexts texts;
  const TableBindings bindings = BindTables(catalog, binder, job->settings, bound);
  MR_RETURN_IF_ERROR(PlanInto(*job, query, rewritten, bound, bindings, catalog, binder, texts));
  MR_RETURN_IF_ERROR(CheckChangelog(*job, insert));
  MR_RETURN_IF_ERROR(BindSources(*job, catalog, bindings, bound));
  job->fingerprint = Fingerprint(*job);
  job->structure = StructureOf(*job, texts);
  return job;
}

Result<std::unique_ptr<CompiledJob>> CompileSelect(const sql::Catalog& catalog,
                                                   const sql::Select& select,
                                                   const JobSettings& settings,
                                                   const Binder& binder) {
  auto job = std::make_unique<CompiledJob>();
  job->settings = settings;
  job->sql = select.query.text;
  job->name = settings.name.empty() ? "select" : settings.name;
  MR_ASSIGN_OR_RETURN(sql::Rewritten rewritten, sql::RewriteQuery(select.query));
  MR_ASSIGN_OR_RETURN(job->planner, NewPlanner(catalog, settings));
  BoundTables bound;
  std::set<std::string> views;
  MR_RETURN_IF_ERROR(
      DefineAndDescribe(catalog, rewritten, settings, *job->planner, bound, views).status());
  job->functions = FunctionsOf(catalog, rewritten, views, bound);
  PlanTexts texts;
  const TableBindings bindings = BindTables(catalog, binder, job->settings, bound);
  MR_RETURN_IF_ERROR(
      PlanInto(*job, rewritten.text, rewritten, bound, bindings, catalog, binder, texts));
  MR_RETURN_IF_ERROR(BindSources(*job, catalog, bindings, bound));
  job->fingerprint = Fingerprint(*job);
  job->structure = StructureOf(*job, texts);
  return job;
}

std::string CompiledJob::Explain() const {
  std::string out = fmt::format("Job \"{}\"\n", name);
  bool exactly_once =
      !sink || sink_binding.connector->spec.guarantee == connectors::Guarantee::kExactlyOnce;
  if (auto zone = ZoneOf(*this); zone) out += fmt::format("  time zone: {}\n", zone->name());
  if (settings.shards > 1) out += fmt::format("  shards: {}\n", settings.shards);
  out += fmt::format("  delivery: {}\n", exactly_once ? "exactly once" : "at least once");
  if (sink) {
    out +=
        fmt::format("  sink: \"{}\" by connector \"{}\": {}\n", sink->name,
                    sink_binding.connector->spec.name, sink_binding.connector->spec.guarantee_doc);
  }
  out += fmt::format(
      "  result: {} ({})\n",
      plan.changelog == stream::ChangelogKind::kAppend ? "append" : "updates earlier rows",
      Join(plan.names, ", "));
  out += "\nOperators, from the sources on\n";
  for (size_t i = 0; i < plan.sources.size(); i++) {
    const stream::SourceUse& use = plan.sources[i];
    const SourceTable& source = sources[i];
    std::vector<std::string> columns;
    for (size_t c : use.columns) columns.push_back(source.table->column_names[c]);
    out += fmt::format("  source {}  \"{}\" by connector \"{}\": {}\n", i + 1, use.table,
                       source.binding.connector->spec.name, Join(columns, ", "));
    if (source.bound.scan.changelog != model::ChangelogKind::kAppend) {
      const bool by_key = source.bound.scan.changelog == model::ChangelogKind::kUpsert;
      out += fmt::format("            changelog: {}\n",
                         by_key ? "rows replace each other by the primary key"
                                : "rows come, and are taken back as they came");
    }
    if (source.table->watermark) {
      const int64_t lateness = source.settings.allowed_lateness_us;
      out += fmt::format(
          "            watermark: {} - {} per partition; {}: {}\n",
          source.table->watermark->column[0],
          FormatDurationMicros(source.table->watermark->delay_us.value_or(0)),
          lateness > 0 ? "rows late by more than " + FormatDurationMicros(lateness) : "late rows",
          source.settings.late == LateRowsPolicy::kDrop ? "dropped, counted" : "dead letters");
      if (lateness > 0) {
        out += fmt::format(
            "            results that rest on time wait {} for late rows, where they cannot be "
            "corrected\n",
            FormatDurationMicros(lateness));
      }
    }
  }
  for (const auto& [table, lookup] : lookups) {
    out += fmt::format("  lookup    \"{}\" by connector \"{}\"\n", table,
                       lookup.binding.connector->spec.name);
  }
  for (const auto& op : plan.operators) {
    stream::OperatorDescription d = op->Describe();
    if (d.detail.empty()) continue;
    out += fmt::format("  {:<6}    {}  {}\n", op->id(), d.name, d.detail);
    if (!d.changelog.empty()) out += fmt::format("            changelog: {}\n", d.changelog);
    if (!d.state.empty()) {
      out += fmt::format("            state: {}; freed by {}\n", d.state, d.freed_by);
    }
  }
  return out;
}

}  // namespace millrace::job
