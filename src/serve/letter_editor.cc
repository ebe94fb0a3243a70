#include "serve/letter_editor.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <duckdb/parser/parser.hpp>
#include <duckdb/parser/statement/update_statement.hpp>

#include "base/strings.h"
#include "duck/door.h"
#include "duck/query_result.h"
#include "duck/warehouse.h"
#include "serve/json_object.h"

namespace millrace::serve {

namespace {

using duckdb::LogicalType;
using duckdb::Value;

// A JSON value as SQL sees it; NULL is of `null_type`.
Value SqlValue(const std::string& json, const LogicalType& null_type) {
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  if (parser.parse(json).get(element)) return Value(json);  // a number too long for a DOUBLE
  switch (element.type()) {
    case simdjson::dom::element_type::INT64:
      return Value::BIGINT(int64_t(element));
    case simdjson::dom::element_type::UINT64:
      return Value::UBIGINT(uint64_t(element));
    case simdjson::dom::element_type::DOUBLE:
      return Value::DOUBLE(double(element));
    case simdjson::dom::element_type::BOOL:
      return Value::BOOLEAN(bool(element));
    case simdjson::dom::element_type::STRING:
      return Value(std::string(std::string_view(element)));
    case simdjson::dom::element_type::NULL_VALUE:
      return Value(null_type);
    default:
      return Value(json);
  }
}

LogicalType ColumnType(const model::Schema* schema, const std::string& name) {
  int column = schema ? schema->Find(name) : -1;
  return column < 0 ? LogicalType(LogicalType::VARCHAR)
                    : schema->columns[static_cast<size_t>(column)].type;
}

Status BadAssignments(const std::string& text, const std::string& why) {
  return Status(Code::kSyntax, fmt::format("\"{}\" is not a list of assignments: {}", text, why))
      .WithHint("write it as behind SET in an UPDATE: quantity = abs(quantity), currency = 'EUR'");
}

}  // namespace

Result<LetterEditor> LetterEditor::ForAssignments(const std::string& assignments,
                                                  duck::Warehouse& warehouse) {
  LetterEditor editor;
  editor.connection_ = warehouse.Connect();
  return duck::AtTheDoor([&]() -> Result<LetterEditor> {
    duckdb::Parser parser;
    try {
      parser.ParseQuery("UPDATE letter SET " + assignments);
    } catch (const std::exception& e) {
      return BadAssignments(assignments, duckdb::ErrorData(e).RawMessage());
    }
    if (parser.statements.size() != 1 ||
        parser.statements[0]->type != duckdb::StatementType::UPDATE_STATEMENT) {
      return BadAssignments(assignments, "it holds another statement");
    }
    auto& update = parser.statements[0]->Cast<duckdb::UpdateStatement>();
    if (update.set_info->condition || update.from_table || !update.returning_list.empty()) {
      return BadAssignments(assignments, "WHERE, FROM and RETURNING have no place here");
    }
    for (size_t i = 0; i < update.set_info->columns.size(); i++) {
      editor.assignments_.emplace_back(update.set_info->columns[i],
                                       update.set_info->expressions[i]->ToString());
    }
    return std::move(editor);
  });
}

Result<LetterEditor> LetterEditor::ForPatch(const std::string& patch) {
  LetterEditor editor;
  if (Result<JsonObject> parsed = JsonObject::Parse(patch); !parsed.ok()) {
    return std::move(parsed).status().Annotate("the patch");
  }
  editor.patch_ = patch;
  return editor;
}

LetterEditor LetterEditor::ForValue(const std::string& value) {
  LetterEditor editor;
  editor.replaces_ = true;
  editor.value_ = value;
  return editor;
}

Result<std::string> LetterEditor::Apply(const std::string& value, const model::Schema* schema) {
  if (replaces_) return value_;
  if (!patch_.empty()) return MergePatch(value, patch_);
  return Assign(value, schema);
}

Status LetterEditor::CheckNames(const JsonObject& object, const model::Schema* schema) const {
  std::vector<std::string> names;
  for (const auto& field : object.fields()) names.push_back(field.first);
  if (schema) {
    for (const std::string& name : schema->Names()) names.push_back(name);
  }
  for (const auto& assignment : assignments_) {
    const std::string& name = assignment.first;
    if (!schema || std::find(names.begin(), names.end(), name) != names.end()) continue;
    return Status(Code::kUnknownColumn,
                  fmt::format("\"{}\" is neither a field of the letter nor a column", name))
        .WithHint(DidYouMean(name, names));
  }
  return Status::Ok();
}

Result<std::string> LetterEditor::Assign(const std::string& value, const model::Schema* schema) {
  MR_ASSIGN_OR_RETURN(JsonObject object, JsonObject::Parse(value));
  MR_RETURN_IF_ERROR(CheckNames(object, schema));
  std::vector<std::string> names;
  duckdb::vector<Value> values;
  for (const auto& [name, json] : object.fields()) {
    names.push_back(name);
    values.push_back(SqlValue(json, ColumnType(schema, name)));
  }
  for (size_t c = 0; schema && c < schema->size(); c++) {
    const model::Column& column = schema->columns[c];
    if (std::find(names.begin(), names.end(), column.name) != names.end()) continue;
    names.push_back(column.name);
    values.push_back(Value(column.type));
  }
  std::string sql, inner;
  for (const auto& [name, expression] : assignments_) {
    sql += fmt::format("{}({})", sql.empty() ? "SELECT " : ", ", expression);
  }
  for (size_t i = 0; i < names.size(); i++) {
    inner += fmt::format("{}CAST(${} AS {}) AS {}", i ? ", " : "", i + 1,
                         values[i].type().ToString(), QuoteIdentifier(names[i]));
  }
  sql += fmt::format(" FROM (SELECT {}) letter", inner.empty() ? "1" : inner);
  return duck::AtTheDoor([&]() -> Result<std::string> {
    std::shared_ptr<duckdb::PreparedStatement>& statement = statements_[sql];
    if (!statement) statement = connection_->Prepare(sql);
    if (statement->HasError()) return duck::FromDuckError(statement->GetErrorObject());
    auto result = statement->Execute(values, false);
    if (result->HasError()) return duck::FromDuckError(result->GetErrorObject());
    auto row = result->Fetch();
    if (!row || row->size() != 1) {
      return Status(Code::kInvalidArgument, "the expressions do not make one row");
    }
    for (size_t i = 0; i < assignments_.size(); i++) {
      std::string json;
      duck::AppendJson(row->GetValue(i, 0), json);
      object.Set(assignments_[i].first, std::move(json));
    }
    return object.ToString();
  });
}

}  // namespace millrace::serve
