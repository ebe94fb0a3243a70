#include "project/added_columns.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/strings.h"
#include "sql/types.h"

namespace millrace::project {

namespace {

Status Damaged() {
  return Status(Code::kCorruption, "the columns added to tables (drift.json) cannot be read")
      .WithHint("delete the file: what records still have is found again");
}

}  // namespace

Result<AddedColumns> AddedColumns::Parse(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array columns;
  if (parser.parse(json).get(root) || root["columns"].get(columns)) return Damaged();
  AddedColumns added;
  for (simdjson::dom::element one : columns) {
    AddedColumn& column = added.columns.emplace_back();
    for (auto [name, text] :
         {std::pair("table", &column.table), std::pair("column", &column.column),
          std::pair("type", &column.type), std::pair("topic", &column.topic)}) {
      std::string_view value;
      if (one[name].get(value)) return Damaged();
      *text = value;
    }
    if (one["offset"].get(column.offset) || one["found_ms"].get(column.found_ms)) return Damaged();
  }
  return added;
}

std::string AddedColumns::ToJson() const {
  std::vector<std::string> lines;
  for (const AddedColumn& column : columns) {
    lines.push_back(
        fmt::format(R"({{"table":{},"column":{},"type":{},"topic":{},"offset":{},"found_ms":{}}})",
                    JsonQuote(column.table), JsonQuote(column.column), JsonQuote(column.type),
                    JsonQuote(column.topic), column.offset, column.found_ms));
  }
  return "{\"columns\": [\n" + Join(lines, ",\n") + "\n]}\n";
}

Status AddedColumns::AppendTo(sql::CreateTable& definition) const {
  for (const AddedColumn& added : columns) {
    if (added.table != definition.name.last()) continue;
    const bool declared = std::any_of(
        definition.columns.begin(), definition.columns.end(),
        [&](const auto& column) { return EqualsIgnoreCase(column.name, added.column); });
    if (declared) continue;
    sql::ColumnDefinition column;
    column.name = added.column;
    column.span = definition.name.span;
    column.type_text.text = added.type;
    column.type_text.span = definition.name.span;
    MR_ASSIGN_OR_RETURN(sql::SqlType type, sql::ParseTypeText(added.type));
    column.type = type.type;
    definition.columns.push_back(std::move(column));
  }
  return Status::Ok();
}

AddedColumn* AddedColumns::Find(const std::string& table, const std::string& column) {
  for (AddedColumn& added : columns) {
    if (added.table == table && added.column == column) return &added;
  }
  return nullptr;
}

}  // namespace millrace::project
