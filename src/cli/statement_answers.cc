#include "cli/statement_answers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "base/units.h"
#include "cli/text_table.h"
#include "job/scan_schema.h"
#include "model/masking.h"
#include "sql/catalog.h"
#include "sql/function_spec.h"
#include "sql/types.h"

namespace millrace::cli {

namespace {

// All columns with their types, computed ones too, in SELECT * order.
Result<model::Schema> ColumnsOf(const sql::Catalog& catalog, const sql::Table& table) {
  MR_ASSIGN_OR_RETURN(auto planner, sql::NewFlinkPlanner(catalog));
  MR_ASSIGN_OR_RETURN(job::BoundTable bound, job::BindTable(table, *planner));
  return bound.scan.schema;
}

std::string ExtrasOf(const sql::Table& table, const std::string& column) {
  for (const sql::ComputedColumn& computed : table.computed) {
    if (computed.name == column) return "AS " + computed.flink.text;
  }
  for (const sql::MetadataColumn& metadata : table.metadata) {
    if (metadata.name != column) continue;
    return fmt::format("METADATA FROM '{}'{}", metadata.key, metadata.is_virtual ? " VIRTUAL" : "");
  }
  return "";
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string NameList(const std::string& header, const std::vector<std::string>& names) {
  TextTable table(std::vector<TextTable::Column>{{header, false}});
  for (const std::string& name : names) table.Add({name});
  return table.Render(true);
}

// The project's own functions, then the built-in ones.
std::string FunctionList(const sql::Catalog& catalog) {
  TextTable table({{"function"}, {"signature"}, {"meaning"}});
  for (const sql::Function* function : catalog.Functions()) {
    table.Add({function->name, function->Signature(), function->flink.text});
  }
  for (const sql::FunctionGroup& group : sql::FunctionGroups()) {
    for (const sql::FunctionSpec& spec : group.functions) {
      table.Add({std::string(spec.name), std::string(spec.signature), std::string(spec.meaning)});
    }
  }
  return table.Render(true);
}

std::string QuoteName(const std::string& name) {
  return "`" + name + "`";
}

std::string QuoteNames(const std::vector<std::string>& names) {
  std::vector<std::string> quoted;
  for (const std::string& name : names) quoted.push_back(QuoteName(name));
  return Join(quoted, ", ");
}

Result<std::string> CreateTableText(const sql::Catalog& catalog, const sql::Table& table) {
  MR_ASSIGN_OR_RETURN(model::Schema columns, ColumnsOf(catalog, table));
  std::vector<std::string> lines;
  for (const model::Column& column : columns.columns) {
    std::string extras = ExtrasOf(table, column.name);
    bool computed = extras.rfind("AS ", 0) == 0;
    std::string type = computed ? "" : " " + sql::ToFlinkType(column.type);
    if (!computed && !column.nullable) type += " NOT NULL";
    lines.push_back("  " + QuoteName(column.name) + type + (extras.empty() ? "" : " " + extras));
  }
  if (table.watermark) {
    lines.push_back(fmt::format("  WATERMARK FOR {} AS {}", QuoteNames(table.watermark->column),
                                table.watermark->flink.text));
  }
  if (!table.primary_key.empty()) {
    lines.push_back(fmt::format("  PRIMARY KEY ({}) NOT ENFORCED", QuoteNames(table.primary_key)));
  }
  for (const sql::Check& check : table.checks) {
    lines.push_back(
        fmt::format("  CONSTRAINT {} CHECK ({})", QuoteName(check.name), check.flink.text));
  }
  std::vector<std::string> options;
  for (const auto& [key, value] : table.OptionValues()) {
    options.push_back(
        fmt::format("  {} = {}", QuoteLiteral(key), QuoteLiteral(model::ShownValue(key, value))));
  }
  std::string partitions =
      table.partitioned_by.empty()
          ? ""
          : fmt::format(" PARTITIONED BY ({})", QuoteNames(table.partitioned_by));
  return fmt::format("CREATE TABLE {} (\n{}\n){} WITH (\n{}\n)\n", QuoteName(table.name),
                     Join(lines, ",\n"), partitions, Join(options, ",\n"));
}

Result<std::string> CreateViewText(const project::Project& project, const sql::Name& name) {
  const sql::View* view = project.catalog().FindView(name.last());
  if (!view) {
    std::vector<std::string> names;
    for (const sql::View* other : project.catalog().Views()) names.push_back(other->name);
    return Status(Code::kUnknownTable, fmt::format("view \"{}\" does not exist", name.last()))
        .WithHint(DidYouMean(name.last(), names))
        .At(name.span);
  }
  return fmt::format("CREATE VIEW {} AS\n{}\n", QuoteName(view->name), view->flink.text);
}

}  // namespace

Result<std::string> ExplainStatement(const project::Project& project,
                                     const sql::Statement& statement) {
  auto binder = [&](const sql::Table& table) { return project.Bind(table); };
  std::vector<sql::Insert> inserts;
  if (const auto* select = statement.As<sql::Select>()) {
    MR_ASSIGN_OR_RETURN(auto compiled, job::CompileSelect(project.grown_catalog(), *select,
                                                          project.settings(), binder));
    return compiled->Explain();
  }
  if (const auto* insert = statement.As<sql::Insert>()) inserts.push_back(*insert);
  if (const auto* set = statement.As<sql::StatementSet>()) inserts = set->inserts;
  if (inserts.empty()) {
    return Status(Code::kUnsupported, fmt::format("{} has no plan", sql::StatementName(statement)))
        .WithHint("EXPLAIN takes a SELECT or an INSERT INTO")
        .At(statement.text.span);
  }
  std::string out;
  for (const sql::Insert& insert : inserts) {
    MR_ASSIGN_OR_RETURN(auto compiled,
                        project.Compile({insert, statement.text.text, project.settings()}));
    out += (out.empty() ? "" : "\n") + compiled->Explain();
  }
  return out;
}

Result<std::string> AnswerShow(const project::Project& project, const sql::Show& show) {
  std::vector<std::string> names;
  if (show.what == "CREATE TABLE") {
    MR_ASSIGN_OR_RETURN(const sql::Table* table, project.grown_catalog().GetTable(show.name));
    return CreateTableText(project.grown_catalog(), *table);
  }
  if (show.what == "CREATE VIEW") return CreateViewText(project, show.name);
  if (show.what == "COLUMNS") return AnswerDescribe(project, show.name);
  if (show.what == "TABLES") return NameList("table", project.catalog().Names());
  if (show.what == "VIEWS") {
    for (const sql::View* view : project.catalog().Views()) names.push_back(view->name);
    return NameList("view", names);
  }
  if (show.what == "FUNCTIONS") return FunctionList(project.catalog());
  if (show.what == "JOBS") {
    for (const project::JobStatement& job : project.jobs()) names.push_back(job.settings.name);
    return NameList("job", names);
  }
  if (show.what == "DATABASES") return NameList("database", {"default_database"});
  if (show.what == "CATALOGS") return NameList("catalog", {"default_catalog"});
  return Status(Code::kUnsupported, fmt::format("SHOW {} is not supported", show.what))
      .WithHint(
          "there is SHOW TABLES, VIEWS, FUNCTIONS, JOBS, COLUMNS FROM t, CREATE TABLE t, "
          "CREATE VIEW v");
}

Result<std::string> AnswerDescribe(const project::Project& project, const sql::Name& name) {
  MR_ASSIGN_OR_RETURN(const sql::Table* table, project.grown_catalog().GetTable(name));
  MR_ASSIGN_OR_RETURN(model::Schema columns, ColumnsOf(project.grown_catalog(), *table));
  TextTable text({{"name"}, {"type"}, {"null"}, {"key"}, {"extras"}, {"watermark"}});
  for (const model::Column& column : columns.columns) {
    bool timed = table->watermark && table->watermark->column.size() == 1 &&
                 table->watermark->column[0] == column.name;
    // A job that does not name it does not see it.
    const sql::Table* declared = project.catalog().FindTable(table->name);
    const bool added = declared != nullptr && !Contains(declared->column_names, column.name);
    text.Add({column.name, sql::ToFlinkType(column.type), column.nullable ? "TRUE" : "FALSE",
              Contains(table->primary_key, column.name) ? "PRI" : "",
              added ? "added: records have it" : ExtrasOf(*table, column.name),
              timed ? table->watermark->flink.text : ""});
  }
  return text.Render(true);
}

Result<std::string> AnswerStatement(const project::Project& project,
                                    const sql::Statement& statement) {
  if (const auto* explain = statement.As<sql::Explain>()) {
    return ExplainStatement(project, *explain->statement);
  }
  if (const auto* show = statement.As<sql::Show>()) return AnswerShow(project, *show);
  if (const auto* describe = statement.As<sql::Describe>()) {
    return AnswerDescribe(project, describe->name);
  }
  return std::string();
}

}  // namespace millrace::cli
