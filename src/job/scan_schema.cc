#include "job/scan_schema.h"

#include <fmt/format.h>

#include <duckdb/planner/expression/bound_function_expression.hpp>
#include <set>

#include "base/strings.h"
#include "connectors/connector.h"
#include "format/decoder.h"
#include "format/format_options.h"

namespace millrace::job {

model::Schema BaseSchema(const sql::Table& table) {
  model::Schema schema = table.schema;
  for (const sql::MetadataColumn& column : table.metadata) {
    schema.columns.push_back({column.name, column.type, true});
  }
  return schema;
}

Status Relocate(Status status, const sql::Rewritten& rewritten) {
  if (status.ok() || status.span().line > 0) return status;
  int column = status.span().column;
  SourceSpan span = rewritten.Locate(column > 0 ? static_cast<size_t>(column - 1) : 0);
  return std::move(status).At(span);
}

namespace {

bool IsClock(const duckdb::Expression& e) {
  return e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_FUNCTION &&
         e.Cast<duckdb::BoundFunctionExpression>().function.name == "mr_now";
}

// How the rows of the table change as they are read, by its connector and format.
model::ChangelogKind ChangelogOf(const sql::Table& table, bool by_key) {
  const auto with = table.OptionValues();
  auto connector = connectors::FindConnector(table.Option("connector"));
  if (connector.ok() && (*connector)->spec.upserts) return model::ChangelogKind::kUpsert;
  auto format = format::FindFormat(format::DecoderOptionsOf(with).format);
  if (!format.ok() || (*format)->changelog == model::ChangelogKind::kAppend) {
    return model::ChangelogKind::kAppend;
  }
  return by_key ? model::ChangelogKind::kUpsert : model::ChangelogKind::kRetract;
}

// Whether all columns of the table's key are physical, and where they are in SELECT * order.
Result<std::vector<size_t>> KeyOf(const sql::Table& table, const model::Schema& columns) {
  std::vector<size_t> key;
  for (const std::string& name : table.primary_key) {
    if (table.schema.Find(name) < 0) {
      return Status(Code::kUnsupported,
                    fmt::format("column \"{}\" of the primary key of table \"{}\" is not stored",
                                name, table.name))
          .WithHint("rows that change are found by columns of the record")
          .At(table.span);
    }
    key.push_back(static_cast<size_t>(columns.Find(name)));
  }
  return key;
}

}  // namespace

Result<BoundTable> BindTable(const sql::Table& table, duck::Planner& planner, bool by_key) {
  BoundTable bound;
  model::Schema base = BaseSchema(table);
  std::map<std::string, duckdb::LogicalType> computed_types;
  std::set<std::string> clocks;
  for (const sql::ComputedColumn& column : table.computed) {
    auto expressions = planner.BindExpressions(base, {column.expression.text});
    if (!expressions.ok()) return Relocate(expressions.status(), column.expression);
    computed_types[column.name] = (*expressions)[0]->return_type;
    if (IsClock(*(*expressions)[0])) clocks.insert(column.name);
    bound.computed.push_back(std::move((*expressions)[0]));
  }
  for (const sql::Check& check : table.checks) {
    if (!check.enforced) continue;
    auto expressions = planner.BindExpressions(
        base, {fmt::format("CAST(({}) AS BOOLEAN)", check.expression.text)});
    if (!expressions.ok()) {
      Status status = expressions.status();
      SourceSpan span = status.span();
      span.column = std::max(0, span.column - 6);
      return Relocate(std::move(status).At(span), check.expression);
    }
    bound.checks.push_back(std::move((*expressions)[0]));
  }
  for (const std::string& name : table.column_names) {
    auto computed = computed_types.find(name);
    if (computed != computed_types.end()) {
      if (clocks.count(name)) bound.scan.clock_columns.push_back(bound.scan.schema.size());
      bound.scan.schema.columns.push_back({name, computed->second, true});
      bound.base_column.push_back(-1);
      continue;
    }
    int index = base.Find(name);
    MR_CHECK(index >= 0, "the catalog resolved every column");
    bound.scan.schema.columns.push_back(base.columns[static_cast<size_t>(index)]);
    bound.base_column.push_back(index);
  }
  bound.scan.changelog = ChangelogOf(table, by_key && !table.primary_key.empty());
  const bool upserts = bound.scan.changelog == model::ChangelogKind::kUpsert;
  if (upserts && table.primary_key.empty()) {
    return Status(Code::kBadOption,
                  fmt::format("table \"{}\" needs a PRIMARY KEY: with connector \"{}\" it says "
                              "which row a record is",
                              table.name, table.Option("connector")))
        .WithHint("add PRIMARY KEY (…) NOT ENFORCED to CREATE TABLE")
        .At(table.span);
  }
  auto key = KeyOf(table, bound.scan.schema);
  if (upserts && !key.ok()) return key.status();
  if (key.ok()) bound.scan.key = std::move(*key);
  if (!table.watermark) return bound;
  const sql::Watermark& watermark = *table.watermark;
  if (watermark.column.size() != 1 || !watermark.delay_us) {
    return Status(Code::kUnsupported,
                  fmt::format("the watermark of table \"{}\" is not of a form that can be kept",
                              table.name))
        .WithHint(
            "write WATERMARK FOR column AS column - INTERVAL '5' SECOND, with a top-level "
            "(or computed) column")
        .At(watermark.span);
  }
  bound.scan.time_column = bound.scan.schema.Find(watermark.column[0]);
  const duckdb::LogicalType& type =
      bound.scan.schema.columns[static_cast<size_t>(bound.scan.time_column)].type;
  if (type.id() != duckdb::LogicalTypeId::TIMESTAMP &&
      type.id() != duckdb::LogicalTypeId::TIMESTAMP_TZ) {
    return Status(Code::kType, fmt::format("event time column \"{}\" of table \"{}\" is {}",
                                           watermark.column[0], table.name, type.ToString()))
        .WithHint("it must be TIMESTAMP(3) or TIMESTAMP_LTZ(3); convert with TO_TIMESTAMP(…)")
        .At(watermark.span);
  }
  return bound;
}

}  // namespace millrace::job
