#include "project/create_table_as.h"

#include <fmt/format.h>

#include <utility>

#include "base/strings.h"
#include "sql/types.h"

namespace millrace::project {

Result<sql::Insert> TakeQuery(const sql::Catalog& catalog, const job::JobSettings& settings,
                              sql::CreateTable& definition) {
  if (!definition.columns.empty()) {
    const sql::ColumnDefinition& first = definition.columns.front();
    return Status(Code::kUnsupported,
                  fmt::format("column \"{}\" cannot be declared beside AS SELECT", first.name))
        .At(first.span)
        .WithHint(
            "leave columns out: the query gives their names and types; a PRIMARY KEY, "
            "WATERMARK or CHECK may stay");
  }
  sql::Insert insert;
  insert.target = definition.name;
  insert.query = std::exchange(definition.query, {});
  insert.span = insert.query.span;
  MR_ASSIGN_OR_RETURN(model::Schema schema, job::DescribeQuery(catalog, insert.query, settings));
  for (const model::Column& from : schema.columns) {
    sql::ColumnDefinition column;
    column.name = from.name;
    column.span = insert.query.span;
    column.type_text.text = sql::ToFlinkType(from.type);
    column.type_text.span = insert.query.span;
    MR_ASSIGN_OR_RETURN(sql::SqlType type, sql::ParseTypeText(column.type_text.text));
    column.type = type.type;
    definition.columns.push_back(std::move(column));
  }
  return insert;
}

}  // namespace millrace::project
