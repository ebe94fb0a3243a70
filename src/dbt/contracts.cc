// Enforced contracts: a model has the columns and types that its .yml file declares, and its table
// the constraints.
//
// Source: https://docs.getdbt.com/reference/resource-configs/contract; types are compared as the
// database names them.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "dbt/builder.h"

namespace millrace::dbt {

namespace {

std::string ColumnName(const Dialect& dialect, const Value& column) {
  const std::string name = column["name"].text();
  return column["quote"].truth() ? dialect.Quote(name) : name;
}

// "references other (id)"; DuckDB knows no foreign keys into another database, so the database is
// left out of the other table's name.
Result<std::string> References(Templates& templates, Node& node, const Value& constraint) {
  if (!constraint.has("to")) return "references " + constraint["expression"].text();
  const std::string to = constraint["to"].text();
  const bool call = to.find('(') != std::string::npos;
  MR_ASSIGN_OR_RETURN(
      std::string table,
      templates.Render(node, call ? "{{ (" + to + ").include(database=false) }}" : to));
  return fmt::format("references {} ({})", table, Join(constraint["to_columns"].texts(), ", "));
}

// One constraint of a column (`columns` is empty) or of the table.
Result<std::string> Rendered(Templates& templates, Node& node, const Value& constraint,
                             const std::string& columns) {
  const std::string type = constraint["type"].text();
  const std::string expression = constraint["expression"].text();
  std::string out = columns.empty() || !constraint.has("name")
                        ? ""
                        : "constraint " + constraint["name"].text() + " ";
  if (type == "check" || type == "custom") {
    return out + (type == "check" ? "check (" + expression + ")" : expression);
  }
  if (type == "foreign_key") {
    MR_ASSIGN_OR_RETURN(std::string references, References(templates, node, constraint));
    return out + (columns.empty() ? "" : "foreign key " + columns + " ") + references;
  }
  if (type != "not_null" && type != "unique" && type != "primary_key") {
    return Status(Code::kBadOption, fmt::format("constraint \"{}\" is not known", type))
        .WithHint("there is: not_null, unique, primary_key, foreign_key, check, custom");
  }
  std::string words = type;
  std::replace(words.begin(), words.end(), '_', ' ');
  out += words + (expression.empty() ? "" : " " + expression);
  return columns.empty() ? out : out + " " + columns;
}

}  // namespace

Status Builder::CheckContract(const Node& node, const std::string& sql) {
  std::vector<std::string> declared;
  for (const Value& column : node.properties["columns"].list()) {
    if (column["data_type"].is_null()) {
      return Status(Code::kBadOption,
                    fmt::format("the contract of \"{}\" needs the data_type of column \"{}\"",
                                node.name, column["name"].text()))
          .At({node.path, node.line, 0, 0});
    }
    declared.push_back(fmt::format("{} AS {}", adapter_.AnyValue(column["data_type"].text()),
                                   ColumnName(adapter_, column)));
  }
  if (declared.empty()) {
    return Status(Code::kBadOption,
                  fmt::format("the contract of \"{}\" names no columns", node.name))
        .At({node.path, node.line, 0, 0});
  }
  MR_ASSIGN_OR_RETURN(std::vector<Column> wanted,
                      adapter_.ColumnsOfQuery("SELECT " + Join(declared, ", ")));
  MR_ASSIGN_OR_RETURN(std::vector<Column> found, adapter_.ColumnsOfQuery(sql));
  std::vector<std::string> faults;
  auto type_in = [](const std::vector<Column>& columns, const std::string& name) {
    auto at = std::find_if(columns.begin(), columns.end(),
                           [&](const Column& c) { return EqualsIgnoreCase(c.name, name); });
    return at == columns.end() ? std::string() : at->type;
  };
  for (const Column& column : wanted) {
    const std::string type = type_in(found, column.name);
    if (type == column.type) continue;
    faults.push_back(fmt::format("\"{}\" is declared {} but {}", column.name, column.type,
                                 type.empty() ? "not there" : "is " + type));
  }
  for (const Column& column : found) {
    if (type_in(wanted, column.name).empty()) {
      faults.push_back(fmt::format("\"{}\" ({}) is not declared", column.name, column.type));
    }
  }
  if (faults.empty()) return Status::Ok();
  return Status(Code::kFailedPrecondition,
                fmt::format("\"{}\" breaks its contract: {}", node.name, Join(faults, "; ")))
      .WithHint("change the model, or the columns in its .yml file")
      .At({node.path, node.line, 0, 0});
}

std::string Builder::ConstraintsLeftOut(const Node& node) const {
  if (!node.config["contract"]["enforced"].truth()) return "";
  std::vector<std::string> left_out;
  const auto look = [&](const Value& owner) {
    for (const Value& constraint : owner["constraints"].list()) {
      const std::string type = constraint["type"].text();
      if (!adapter_.Holds(type)) left_out.push_back(type);
    }
  };
  look(node.properties);
  for (const Value& column : node.properties["columns"].list()) look(column);
  if (left_out.empty()) return "";
  return fmt::format("constraints are left out, since {} does not hold them: {}", adapter_.type(),
                     Join(left_out, ", "));
}

Result<int64_t> Builder::CreateContracted(Session& session, const Node& node,
                                          const std::string& sql) {
  Node owner = node;  // what the constraints' templates are rendered for
  std::vector<std::string> parts, names;
  for (const Value& column : node.properties["columns"].list()) {
    std::string part = ColumnName(adapter_, column) + " " + column["data_type"].text();
    for (const Value& constraint : column["constraints"].list()) {
      if (!adapter_.Holds(constraint["type"].text())) continue;
      MR_ASSIGN_OR_RETURN(std::string text, Rendered(templates_, owner, constraint, ""));
      part += " " + text;
    }
    parts.push_back(part);
    names.push_back(ColumnName(adapter_, column));
  }
  for (const Value& constraint : node.properties["constraints"].list()) {
    if (!adapter_.Holds(constraint["type"].text())) continue;
    const std::string columns = "(" + Join(constraint["columns"].texts(), ", ") + ")";
    MR_ASSIGN_OR_RETURN(std::string text, Rendered(templates_, owner, constraint, columns));
    parts.push_back(text);
  }
  const std::string list = Join(names, ", ");
  // In a table of its own first: the query may read the one that is there.
  const std::string staged = NameBeside(node, "millrace_staged");
  MR_RETURN_IF_ERROR(adapter_.CreateTemporary(session, staged, "\n" + sql).status());
  MR_ASSIGN_OR_RETURN(std::string existing, adapter_.Existing(session, node));
  const auto fill = [&](const std::string& table) {
    return session.Count(fmt::format("INSERT INTO {} ({}) SELECT {} FROM {}", table, list, list,
                                     adapter_.Temporary(staged)));
  };
  MR_ASSIGN_OR_RETURN(int64_t rows,
                      adapter_.Replace(session, node, existing,
                                       {.columns = "(" + Join(parts, ", ") + ")", .fill = fill}));
  MR_RETURN_IF_ERROR(session.Run("DROP TABLE " + adapter_.Temporary(staged)));
  return rows;
}

}  // namespace millrace::dbt
