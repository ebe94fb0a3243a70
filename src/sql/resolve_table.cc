#include <duckdb.hpp>

#include "base/strings.h"
#include "sql/catalog.h"
#include "sql/cursor.h"
#include "sql/interval.h"

namespace millrace::sql {
namespace {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;

std::vector<std::string> ColumnNames(const CreateTable& definition) {
  std::vector<std::string> names;
  for (const ColumnDefinition& column : definition.columns) names.push_back(column.name);
  return names;
}

const ColumnDefinition* FindColumn(const CreateTable& definition, std::string_view name) {
  for (const ColumnDefinition& column : definition.columns) {
    if (column.name == name) return &column;
  }
  for (const ColumnDefinition& column : definition.columns) {
    if (EqualsIgnoreCase(column.name, name)) return &column;
  }
  return nullptr;
}

Status UnknownColumn(const CreateTable& definition, const std::string& name, SourceSpan span) {
  return Status(Code::kUnknownColumn, "column \"" + name + "\" does not exist in table \"" +
                                          definition.name.last() + "\"")
      .At(std::move(span))
      .WithHint(DidYouMean(name, ColumnNames(definition)));
}

class TableResolver {
 public:
  explicit TableResolver(const CreateTable& definition) : definition_(definition) {}

  Result<Table> Run() {
    table_.name = definition_.name.last();
    table_.temporary = definition_.temporary;
    table_.options = definition_.options;
    table_.comment = definition_.comment;
    table_.span = definition_.name.span;
    if (definition_.columns.empty()) {
      return Status(Code::kBind, "table \"" + table_.name + "\" has no columns")
          .At(table_.span)
          .WithHint("list them: CREATE TABLE " + table_.name + " (id BIGINT, …) WITH (…)");
    }
    MR_RETURN_IF_ERROR(Columns());
    MR_RETURN_IF_ERROR(Watermarks());
    MR_RETURN_IF_ERROR(PrimaryKey());
    MR_RETURN_IF_ERROR(Checks());
    for (const std::string& name : definition_.partitioned_by) {
      const ColumnDefinition* column = FindColumn(definition_, name);
      if (!column) return UnknownColumn(definition_, name, definition_.partitioned_by_span);
      table_.partitioned_by.push_back(column->name);
    }
    return std::move(table_);
  }

 private:
  Status Columns() {
    for (size_t i = 0; i < definition_.columns.size(); i++) {
      const ColumnDefinition& column = definition_.columns[i];
      for (size_t k = 0; k < i; k++) {
        if (!EqualsIgnoreCase(definition_.columns[k].name, column.name)) continue;
        return Status(Code::kBind, "column \"" + column.name + "\" is defined twice in table \"" +
                                       table_.name + "\"")
            .At(column.span)
            .WithHint("names must differ in more than upper and lower case");
      }
      table_.column_names.push_back(column.name);
      switch (column.kind) {
        case ColumnKind::kPhysical:
          table_.schema.columns.push_back({column.name, column.type, column.nullable});
          break;
        case ColumnKind::kMetadata:
          table_.metadata.push_back({column.name, i, column.metadata_key, column.type,
                                     column.is_virtual, column.span});
          break;
        case ColumnKind::kComputed: {
          MR_ASSIGN_OR_RETURN(Rewritten expression, RewriteExpression(column.expression));
          table_.computed.push_back({column.name, i, column.expression, std::move(expression)});
          break;
        }
      }
    }
    return Status::Ok();
  }

  Status Watermarks() {
    if (!definition_.watermark) return Status::Ok();
    const WatermarkDefinition& given = *definition_.watermark;
    const ColumnDefinition* column = FindColumn(definition_, given.column.front());
    if (!column) return UnknownColumn(definition_, given.column.front(), given.column_span);
    MR_RETURN_IF_ERROR(WatermarkType(given, *column));
    Watermark watermark;
    watermark.column = given.column;
    watermark.column.front() = column->name;
    watermark.flink = given.expression;
    watermark.span = given.span;
    MR_ASSIGN_OR_RETURN(watermark.delay_us, Delay(given));
    MR_ASSIGN_OR_RETURN(watermark.expression, RewriteExpression(given.expression));
    table_.watermark = std::move(watermark);
    return Status::Ok();
  }

  // A computed column's type is known only to the binder, which then says the same.
  Status WatermarkType(const WatermarkDefinition& given, const ColumnDefinition& column) const {
    if (column.kind == ColumnKind::kComputed) return Status::Ok();
    LogicalType type = column.type;
    for (size_t part = 1; part < given.column.size(); part++) {
      LogicalType found = LogicalType::INVALID;
      std::vector<std::string> fields;
      if (type.id() == LogicalTypeId::STRUCT) {
        for (const auto& [name, child] : duckdb::StructType::GetChildTypes(type)) {
          fields.push_back(name);
          if (EqualsIgnoreCase(name, given.column[part])) found = child;
        }
      }
      if (found.id() == LogicalTypeId::INVALID) {
        Status status = Status(Code::kUnknownColumn, "column \"" + Join(given.column, ".") +
                                                         "\" has no field \"" +
                                                         given.column[part] + "\"")
                            .At(given.column_span);
        if (fields.empty()) return status;
        return std::move(status).WithHint(DidYouMean(given.column[part], fields));
      }
      type = found;
    }
    if (type.id() == LogicalTypeId::TIMESTAMP || type.id() == LogicalTypeId::TIMESTAMP_TZ) {
      return Status::Ok();
    }
    const std::string name = Join(given.column, ".");
    std::string convert = type.id() == LogicalTypeId::VARCHAR
                              ? "AS TO_TIMESTAMP(" + name + ")"
                              : "AS TO_TIMESTAMP_LTZ(" + name + ", 3)";
    return Status(Code::kType, "the watermark's column \"" + name + "\" must be TIMESTAMP(3) or "
                                   "TIMESTAMP_LTZ(3)")
        .At(given.column_span)
        .WithHint("add a computed column to the table, e.g. event_ts " + convert +
                  ", and put the watermark on it");
  }

  // `column` or `column - INTERVAL …`; nothing for any other expression.
  static Result<std::optional<int64_t>> Delay(const WatermarkDefinition& given) {
    std::optional<int64_t> none;
    Lexed lexed = Lex(given.expression.text, given.expression.span);
    MR_RETURN_IF_ERROR(lexed.status);
    TokenCursor cursor(given.expression.text, lexed.tokens, given.expression.span.file);
    if (cursor.Peek().Is("SOURCE_WATERMARK") && cursor.Peek(1).IsOperator("(")) {
      return Status(Code::kUnsupported, "SOURCE_WATERMARK() is not supported")
          .At(cursor.Span())
          .WithHint("name the delay: WATERMARK FOR " + Join(given.column, ".") + " AS " +
                    Join(given.column, ".") + " - INTERVAL '5' SECOND");
    }
    for (size_t part = 0; part < given.column.size(); part++) {
      if (part > 0 && !cursor.AcceptOperator(".")) return none;
      if (!cursor.Peek().IsName()) return none;
      if (!EqualsIgnoreCase(cursor.Next().NameText(), given.column[part])) return none;
    }
    if (cursor.AtEnd()) return std::optional<int64_t>(0);
    if (!cursor.AcceptOperator("-") || !AtIntervalLiteral(cursor)) return none;
    MR_ASSIGN_OR_RETURN(IntervalLiteral interval, ParseInterval(cursor));
    if (!cursor.AtEnd() || interval.months != 0 || interval.micros < 0) return none;
    return std::optional<int64_t>(interval.micros);
  }

  Status PrimaryKey() {
    for (const std::string& name : definition_.primary_key) {
      const ColumnDefinition* column = FindColumn(definition_, name);
      if (!column) return UnknownColumn(definition_, name, definition_.primary_key_span);
      if (column->kind == ColumnKind::kComputed) {
        return Status(Code::kBind, "column \"" + name + "\" of the primary key is computed")
            .At(definition_.primary_key_span)
            .WithHint("a key is made of columns that are stored");
      }
      for (const std::string& other : table_.primary_key) {
        if (other != column->name) continue;
        return Status(Code::kBind, "column \"" + name + "\" occurs twice in the primary key")
            .At(definition_.primary_key_span)
            .WithHint("name it once");
      }
      table_.primary_key.push_back(column->name);
      // As in Flink, a key's columns are NOT NULL without saying so.
      int index = table_.schema.Find(column->name);
      if (index >= 0) table_.schema.columns[static_cast<size_t>(index)].nullable = false;
    }
    return Status::Ok();
  }

  Status Checks() {
    for (const CheckConstraint& given : definition_.constraints) {
      Check check;
      check.name = given.name;
      check.flink = given.expression;
      check.action = given.action;
      check.enforced = given.enforced;
      check.span = given.span;
      MR_ASSIGN_OR_RETURN(check.expression, RewriteExpression(given.expression));
      table_.checks.push_back(std::move(check));
    }
    return Status::Ok();
  }

  const CreateTable& definition_;
  Table table_;
};

}  // namespace

Result<Table> ResolveTable(const CreateTable& definition) {
  return TableResolver(definition).Run();
}

std::string Table::Option(const std::string& key) const {
  auto it = options.find(key);
  return it == options.end() ? "" : it->second.value;
}

std::map<std::string, std::string> Table::OptionValues() const {
  std::map<std::string, std::string> values;
  for (const auto& [key, option] : options) values.emplace(key, option.value);
  return values;
}

std::string Table::SelectList() const {
  std::vector<std::string> items;
  for (size_t i = 0; i < column_names.size(); i++) {
    std::string item = QuoteIdentifier(column_names[i]);
    for (const ComputedColumn& column : computed) {
      if (column.position == i) item = "(" + column.expression.text + ") AS " + item;
    }
    items.push_back(std::move(item));
  }
  return Join(items, ", ");
}

}  // namespace millrace::sql
