#include "connectors/iceberg/table_columns.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/strings.h"

namespace millrace::connectors::iceberg {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;

namespace {

// Whether every value of `from` is one of `to`.
bool Holds(const LogicalType& to, const LogicalType& from) {
  if (to == from) return true;
  switch (from.id()) {
    case LogicalTypeId::TINYINT:
    case LogicalTypeId::SMALLINT:
    case LogicalTypeId::INTEGER:
      return to == LogicalType::BIGINT || to == LogicalType::INTEGER;
    case LogicalTypeId::FLOAT:
      return to == LogicalType::DOUBLE;
    case LogicalTypeId::DECIMAL:
      return to.id() == LogicalTypeId::DECIMAL &&
             duckdb::DecimalType::GetScale(to) == duckdb::DecimalType::GetScale(from) &&
             duckdb::DecimalType::GetWidth(to) >= duckdb::DecimalType::GetWidth(from);
    default:
      return false;
  }
}

Result<IcebergType> TypeFor(const model::Column& column, int& last_id) {
  auto type = IcebergTypeOf(column.type, last_id);
  if (!type.ok()) return type.status().Annotate("column \"" + column.name + "\"");
  return type;
}

}  // namespace

Result<MatchedColumns> MatchColumns(const model::Schema& declared, const TableMetadata& table) {
  MatchedColumns matched;
  int last_id = table.last_column_id;
  for (const model::Column& column : declared.columns) {
    const IcebergField* there = FindField(table.schema, column.name);
    if (!there) {
      const int id = ++last_id;
      MR_ASSIGN_OR_RETURN(IcebergType type, TypeFor(column, last_id));
      // Rows that are there have no value for it.
      matched.missing.push_back({id, column.name, false, std::move(type)});
      matched.written.push_back(matched.missing.back());
      continue;
    }
    const LogicalType type = DuckTypeOf(there->type);
    if (!Holds(type, column.type)) {
      return Status(Code::kFailedPrecondition,
                    fmt::format("column \"{}\" of the Iceberg table has the type {}, the table "
                                "declares {}",
                                there->name, type.ToString(), column.type.ToString()))
          .WithHint("declare that type, or give 'catalog-table' another name");
    }
    matched.written.push_back(*there);
  }
  for (const IcebergField& field : table.schema) {
    if (!field.required || declared.Find(field.name) >= 0) continue;
    return Status(Code::kFailedPrecondition, "column \"" + field.name +
                                                 "\" of the Iceberg table is required, and the "
                                                 "table does not declare it")
        .WithHint("add it to CREATE TABLE");
  }
  return matched;
}

std::string SchemaWith(const TableMetadata& table, const IcebergSchema& added) {
  simdjson::dom::parser parser;
  simdjson::dom::element json, identifiers;
  simdjson::dom::array fields;
  std::vector<std::string> texts;
  // Member by member as the catalog has them: descriptions and defaults stay.
  if (!parser.parse(table.schema_json).get(json) && !json["fields"].get(fields)) {
    for (const auto field : fields) texts.push_back(simdjson::minify(field));
  }
  for (const IcebergField& field : added) texts.push_back(FieldJson(field));
  const bool has_identifiers = !json["identifier-field-ids"].get(identifiers);
  return fmt::format(R"({{"type":"struct","identifier-field-ids":{},"fields":[{}]}})",
                     has_identifiers ? std::string(simdjson::minify(identifiers)) : "[]",
                     Join(texts, ","));
}

Status DescribeNewTable(const model::Schema& declared,
                        const std::vector<std::string>& partitioned_by, IcebergSchema& schema,
                        PartitionSpec& spec) {
  int last_id = static_cast<int>(declared.size());
  for (size_t c = 0; c < declared.size(); c++) {
    const model::Column& column = declared.columns[c];
    MR_ASSIGN_OR_RETURN(IcebergType type, TypeFor(column, last_id));
    schema.push_back({static_cast<int>(c) + 1, column.name, !column.nullable, std::move(type)});
  }
  constexpr int kFirstPartitionId = 1000;
  for (const std::string& name : partitioned_by) {
    const IcebergField& source = schema[static_cast<size_t>(declared.Find(name))];
    spec.fields.push_back({source.id, kFirstPartitionId + static_cast<int>(spec.fields.size()),
                           source.name, "identity"});
  }
  return Status::Ok();
}

}  // namespace millrace::connectors::iceberg
