#include <duckdb.hpp>

#include "sql/reference.h"

#include "base/strings.h"
#include "duck/door.h"
#include "model/masking.h"
#include "sql/functions.h"
#include "sql/rewriter.h"
#include "sql/statement_list.h"

namespace millrace::sql {
namespace {

// In a cell of a table; "|" would end it.
std::string Cell(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '|') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

std::string Quoted(std::string_view text) {
  return "`" + Cell(text) + "`";
}

Result<std::string> Evaluate(duckdb::Connection& connection, std::string_view expression) {
  Fragment fragment;
  fragment.text = "CAST(" + std::string(expression) + " AS STRING)";
  MR_ASSIGN_OR_RETURN(Rewritten rewritten, RewriteExpression(fragment));
  std::string answer;
  Status status = duck::AtTheDoor([&]() -> Status {
    auto result = connection.Query("SELECT " + rewritten.text);
    if (result->HasError()) return duck::FromDuckError(result->GetErrorObject());
    duckdb::Value value = result->GetValue(0, 0);
    answer = value.IsNull() ? "NULL" : value.ToString();
    return Status::Ok();
  });
  if (!status.ok()) return std::move(status).WithDetail("example: " + std::string(expression));
  return answer;
}

Result<std::string> FunctionRow(duckdb::Connection& connection, const FunctionSpec& spec) {
  std::string example;
  if (!spec.example.empty()) {
    MR_ASSIGN_OR_RETURN(std::string value, Evaluate(connection, spec.example));
    example = Quoted(spec.example) + " is " + (value.empty() ? "empty" : Quoted(value));
  }
  return "| " + Quoted(spec.signature) + " | " + Cell(spec.meaning) + " | " + example + " |\n";
}

}  // namespace

const std::vector<TypeDescription>& TypeDescriptions() {
  static const std::vector<TypeDescription> list = {
      {"BOOLEAN", "BOOLEAN", ""},
      {"TINYINT, SMALLINT, INT, BIGINT", "the same", "8, 16, 32, 64 bits with a sign"},
      {"FLOAT, DOUBLE", "the same", "IEEE 754"},
      {"DECIMAL(p, s)", "DECIMAL",
       "p to 38 digits, s of them behind the point; (10, 0) if not given"},
      {"STRING, VARCHAR(n)", "VARCHAR", "UTF-8; a CAST cuts to n characters, nothing else does"},
      {"CHAR(n)", "VARCHAR", "a CAST cuts, or fills up with blanks"},
      {"BYTES, VARBINARY(n), BINARY(n)", "BLOB", "a CAST cuts, BINARY also fills up with zeros"},
      {"DATE", "DATE", ""},
      {"TIME(p)", "TIME", "microseconds whatever p, which is at most 6"},
      {"TIMESTAMP(p)", "TIMESTAMP", "without a zone; microseconds whatever p, which is at most 6"},
      {"TIMESTAMP_LTZ(p)", "TIMESTAMP WITH TIME ZONE", "a point in time; microseconds"},
      {"INTERVAL unit [TO unit]", "INTERVAL", "months, or days and microseconds"},
      {"ARRAY<t>", "LIST", "elements from 1"},
      {"MAP<k, v>", "MAP", ""},
      {"MULTISET<t>", "MAP(t, INTEGER)", "each element with its count"},
      {"ROW<name t, …>", "STRUCT", "fields by name; without names f0, f1, …"},
      {"RAW, VARIANT, TIMESTAMP WITH TIME ZONE", "", "refused, with the type to write instead"},
  };
  return list;
}

Result<std::string> EvaluateExample(std::string_view expression) {
  MR_ASSIGN_OR_RETURN(auto planner, NewFlinkPlanner());
  return Evaluate(planner->connection(), expression);
}

std::string RenderStatements() {
  std::string table = "| statement | notes |\n|---|---|\n";
  for (const StatementDescription& statement : StatementDescriptions()) {
    table += "| " + Quoted(statement.syntax) + " | " + std::string(statement.notes) + " |\n";
  }
  return table;
}

Result<std::string> RenderReference() {
  MR_ASSIGN_OR_RETURN(auto planner, NewFlinkPlanner());
  std::string page = "## Types\n| Flink | here | |\n|---|---|---|\n";
  for (const TypeDescription& type : TypeDescriptions()) {
    page +=
        "| " + Quoted(type.name) + " | " + Cell(type.duckdb) + " | " + Cell(type.meaning) + " |\n";
  }
  std::string differences;
  for (const FunctionGroup& group : FunctionGroups()) {
    page += "\n## Functions: " + std::string(group.title) + "\n| | | example |\n|---|---|---|\n";
    for (const FunctionSpec& spec : group.functions) {
      MR_ASSIGN_OR_RETURN(std::string row, FunctionRow(planner->connection(), spec));
      page += row;
      if (spec.difference.empty()) continue;
      differences += "| " + Quoted(spec.name) + " | " + Cell(spec.difference) + " |\n";
    }
  }
  page += "\n## Functions of Flink that are refused\n| | instead |\n|---|---|\n";
  for (const RefusedFunction& refused : RefusedFunctions()) {
    page += "| " + Quoted(refused.name) + " | " + Cell(refused.hint) + " |\n";
  }
  page += "\n## Functions that differ from Flink's\n| | |\n|---|---|\n" + differences;
  return page;
}

Result<std::string> RenderFunctionList(const std::string& name,
                                       const std::vector<const Function*>& own) {
  std::string text;
  std::vector<std::string> names;
  for (const Function* function : own) {
    names.push_back(function->name);
    if (!name.empty() && !EqualsIgnoreCase(function->name, name)) continue;
    if (text.empty()) text = "This project's functions\n";
    text += "  " + function->Signature() + ": " + model::MaskUrls(function->flink.text) + "\n";
  }
  for (const FunctionGroup& group : FunctionGroups()) {
    if (name.empty()) text += (text.empty() ? "" : "\n") + std::string(group.title) + "\n";
    for (const FunctionSpec& spec : group.functions) {
      names.emplace_back(spec.name);
      if (name.empty()) {
        text += "  " + std::string(spec.signature) + ": " + std::string(spec.meaning) + "\n";
        continue;
      }
      if (!EqualsIgnoreCase(spec.name, name)) continue;
      text += std::string(spec.signature) + "\n  " + std::string(spec.meaning) + "\n";
      if (!spec.example.empty()) {
        MR_ASSIGN_OR_RETURN(std::string value, EvaluateExample(spec.example));
        text += "  example: " + std::string(spec.example) + " is " + value + "\n";
      }
      if (!spec.difference.empty()) {
        text += "  in Flink otherwise: " + std::string(spec.difference) + "\n";
      }
    }
  }
  for (const RefusedFunction& refused : RefusedFunctions()) {
    if (!name.empty() && EqualsIgnoreCase(refused.name, name)) {
      text += std::string(refused.name) + " is not supported: " + std::string(refused.hint) + "\n";
    }
  }
  if (!text.empty()) return text;
  return Status(Code::kUnknownFunction, "function \"" + name + "\" does not exist")
      .WithHint(DidYouMean(ToUpper(name), names));
}

Result<std::string> ReplaceGenerated(const std::string& page, const std::string& generated,
                                     std::string_view begins) {
  size_t begin = page.find(begins);
  size_t end = begin == std::string::npos ? begin : page.find(kGeneratedEnd, begin);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    return Status(Code::kInvalidArgument, "the page has no marks for what is generated")
        .WithHint("add a line " + std::string(begins) + "and a line " + std::string(kGeneratedEnd));
  }
  begin += begins.size();
  return page.substr(0, begin) + generated + page.substr(end);
}

}  // namespace millrace::sql
