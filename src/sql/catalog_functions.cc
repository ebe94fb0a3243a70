// The catalog's functions, and how DuckDB gets to know them.
#include <duckdb.hpp>

#include <algorithm>

#include "base/strings.h"
#include "duck/served_function.h"
#include "sql/catalog.h"
#include "sql/function_spec.h"
#include "sql/functions.h"
#include "sql/lexer.h"
#include "sql/types.h"

namespace millrace::sql {
namespace {

bool IsBuiltIn(const std::string& name) {
  std::string upper = ToUpper(name);
  if (upper.starts_with("MR_") || !FindFunctionRules(upper).empty()) return true;
  for (const FunctionGroup& group : FunctionGroups()) {
    for (const FunctionSpec& spec : group.functions) {
      if (spec.name == upper) return true;
    }
  }
  return false;
}

std::vector<std::string> CalledIn(const std::string& text) {
  std::vector<std::string> calls;
  Lexed lexed = Lex(text, {});
  for (size_t i = 0; i + 1 < lexed.tokens.size(); i++) {
    if (lexed.tokens[i].IsName() && lexed.tokens[i + 1].IsOperator("(")) {
      calls.push_back(ToLower(lexed.tokens[i].NameText()));
    }
  }
  return calls;
}

constexpr const char* kServiceConnector = "http-function";

// The body in DuckDB's dialect of a function that a service answers, and the service.
Status Serve(const CreateFunction& definition, Function& function) {
  MR_ASSIGN_OR_RETURN(SqlType returns, ParseTypeText(definition.returns.text));
  Table service;
  service.name = ServiceTable(function.name);
  service.options = definition.options;
  for (const char* taken : {"connector", "url"}) {
    auto option = service.options.find(taken);
    if (option == service.options.end()) continue;
    return Status(Code::kBadOption, std::string("option \"") + taken +
                                        "\" of a function follows from LANGUAGE HTTP AS '…'")
        .At(option->second.key_span)
        .WithHint("remove it");
  }
  service.options["connector"].value = kServiceConnector;
  service.options["url"] = {definition.body.text, definition.body.span, definition.body.span};
  service.span = function.span;
  std::string call = std::string(duck::kServedFunction) + "(" + QuoteLiteral(function.name) +
                     ", CAST(NULL AS " + returns.type.ToString() + ")";
  for (const FunctionParameter& parameter : definition.parameters) {
    service.schema.columns.push_back({parameter.name, *parameter.type});
    call += ", CAST(" + QuoteIdentifier(parameter.name) + " AS " + parameter.type->ToString() + ")";
  }
  service.schema.columns.push_back({"result", returns.type});
  service.column_names = service.schema.Names();
  function.body.text = call + ")";
  function.body.original = definition.body;
  function.service = std::move(service);
  return Status::Ok();
}

}  // namespace

std::string Function::Signature() const {
  std::vector<std::string> list;
  for (const FunctionParameter& parameter : parameters) {
    list.push_back(parameter.name + (parameter.type ? " " + ToFlinkType(*parameter.type) : ""));
  }
  std::string text = name + "(" + Join(list, ", ") + ")";
  return returns.empty() ? text : text + " RETURNS " + returns.text;
}

std::string Function::Statement() const {
  std::vector<std::string> names;
  for (const FunctionParameter& parameter : parameters) {
    names.push_back(QuoteIdentifier(parameter.name));
  }
  return "CREATE OR REPLACE TEMP MACRO " + QuoteIdentifier(name) + "(" + Join(names, ", ") +
         ") AS (" + body.text + "\n)";
}

const Function* Catalog::FindFunction(std::string_view name) const {
  for (const auto& function : functions_) {
    if (EqualsIgnoreCase(function->name, name)) return function.get();
  }
  return nullptr;
}

std::vector<const Function*> Catalog::Functions() const {
  std::vector<const Function*> functions;
  for (const auto& function : functions_) functions.push_back(function.get());
  return functions;
}

std::vector<const Function*> Catalog::FunctionsIn(const std::set<std::string>& words) const {
  std::vector<const Function*> found;
  for (const auto& function : functions_) {
    std::string name = ToLower(function->name);
    bool used = words.contains(name);
    for (const std::string& word : words) used |= Calls(word, name);
    if (used) found.push_back(function.get());
  }
  return found;
}

// Whether a function of this name calls the other, by itself or through others.
bool Catalog::Calls(const std::string& caller, const std::string& callee) const {
  std::vector<std::string> open = {caller};
  std::set<std::string> seen;
  while (!open.empty()) {
    const Function* function = FindFunction(open.back());
    open.pop_back();
    if (!function) continue;
    for (const std::string& called : function->calls) {
      if (called == callee) return true;
      if (seen.insert(called).second) open.push_back(called);
    }
  }
  return false;
}

Status Catalog::AddFunction(const CreateFunction& definition) {
  const std::string& name = definition.name.last();
  const Function* before = FindFunction(name);
  if (before && definition.if_not_exists) return Status::Ok();
  if (before && !definition.or_replace) {
    return Status(Code::kAlreadyExists, "function \"" + name + "\" is already defined")
        .At(definition.name.span)
        .WithHint("its definition is at " + before->span.file + ":" +
                  std::to_string(before->span.line) +
                  "; use another name, or CREATE OR REPLACE FUNCTION");
  }
  if (IsBuiltIn(name)) {
    return Status(Code::kAlreadyExists, "function " + ToUpper(name) + " is built in")
        .At(definition.name.span)
        .WithHint("use another name");
  }
  auto function = std::make_unique<Function>();
  function->name = name;
  function->parameters = definition.parameters;
  function->flink = definition.body;
  function->returns = definition.returns;
  function->span = definition.name.span;
  if (definition.language == FunctionLanguage::kHttp) {
    MR_RETURN_IF_ERROR(Serve(definition, *function));
  } else {
    MR_ASSIGN_OR_RETURN(function->body, RewriteFunctionBody(definition));
    function->calls = CalledIn(definition.body.text);
  }
  std::string lower = ToLower(name);
  for (const std::string& called : function->calls) {
    if (called != lower && !Calls(called, lower)) continue;
    return Status(Code::kUnsupported, "function \"" + name + "\" calls itself" +
                                          (called == lower ? "" : " through \"" + called + "\""))
        .At(definition.name.span)
        .WithHint("an expression cannot be recursive");
  }
  for (auto& place : functions_) {
    if (place.get() != before) continue;
    place = std::move(function);  // where it was: others come after it and call it
    return Status::Ok();
  }
  functions_.push_back(std::move(function));
  return Status::Ok();
}

Status Catalog::RemoveFunction(const Drop& drop) {
  const Function* function = FindFunction(drop.name.last());
  if (!function) {
    if (drop.if_exists) return Status::Ok();
    std::vector<std::string> names;
    for (const Function* other : Functions()) names.push_back(other->name);
    return Status(Code::kUnknownFunction,
                  "function \"" + drop.name.ToString() + "\" does not exist")
        .At(drop.name.span)
        .WithHint(names.empty() ? "write DROP FUNCTION IF EXISTS"
                                : DidYouMean(drop.name.last(), names));
  }
  std::erase_if(functions_, [&](const auto& other) { return other.get() == function; });
  return Status::Ok();
}

Status DefineFunctions(const Catalog& catalog, duck::Planner& planner) {
  for (const Function* function : catalog.Functions()) {
    bool typed = true;
    std::vector<std::string> columns;
    for (const FunctionParameter& parameter : function->parameters) {
      typed &= parameter.type.has_value();
      if (!typed) break;
      columns.push_back("CAST(NULL AS " + parameter.type->ToString() + ") AS " +
                        QuoteIdentifier(parameter.name));
    }
    constexpr std::string_view kSelect = "SELECT ";
    if (typed) {
      const std::string from = columns.empty() ? "" : "\nFROM (SELECT " + Join(columns, ", ") + ")";
      auto bound = planner.DescribeQuery(std::string(kSelect) + function->body.text + from);
      if (!bound.ok()) {
        Status status = bound.status();
        int column = status.span().column - static_cast<int>(kSelect.size());
        return std::move(status).At(
            function->body.Locate(static_cast<size_t>(std::max(column, 1) - 1)));
      }
    }
    MR_RETURN_IF_ERROR(planner.Define(function->Statement()));
  }
  return Status::Ok();
}

Result<std::unique_ptr<duck::Planner>> NewFlinkPlanner(const Catalog& catalog) {
  MR_ASSIGN_OR_RETURN(auto planner, NewFlinkPlanner());
  MR_RETURN_IF_ERROR(DefineFunctions(catalog, *planner));
  return planner;
}

}  // namespace millrace::sql
