#include "connectors/jdbc/postgres_table.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/strings.h"
#include "connectors/jdbc/copy_encoder.h"

namespace millrace::connectors::jdbc {

namespace {

using duckdb::LogicalTypeId;

struct TargetColumn {
  std::string base_type;  // pg_type.typname: "int4", "varchar"
  std::string shown_type;
  bool is_enum = false;
  bool needs_value = false;  // NOT NULL without default
};

// Types of PostgreSQL whose input takes every value of ours.
std::vector<std::string> Accepting(const duckdb::LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::BOOLEAN:
      return {"bool"};
    case LogicalTypeId::TINYINT:
    case LogicalTypeId::UTINYINT:
    case LogicalTypeId::SMALLINT:
      return {"int2", "int4", "int8", "numeric", "float4", "float8"};
    case LogicalTypeId::USMALLINT:
    case LogicalTypeId::INTEGER:
      return {"int4", "int8", "numeric", "float8"};
    case LogicalTypeId::UINTEGER:
    case LogicalTypeId::BIGINT:
      return {"int8", "numeric"};
    case LogicalTypeId::UBIGINT:
    case LogicalTypeId::HUGEINT:
    case LogicalTypeId::UHUGEINT:
      return {"numeric"};
    case LogicalTypeId::FLOAT:
      return {"float4", "float8"};
    case LogicalTypeId::DOUBLE:
      return {"float8"};
    case LogicalTypeId::DECIMAL:
      return {"numeric"};
    case LogicalTypeId::DATE:
      return {"date", "timestamp", "timestamptz"};
    case LogicalTypeId::TIME:
      return {"time"};
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_MS:
    case LogicalTypeId::TIMESTAMP_NS:
    case LogicalTypeId::TIMESTAMP_SEC:
      return {"timestamp", "timestamptz"};
    case LogicalTypeId::TIMESTAMP_TZ:
      return {"timestamptz"};
    case LogicalTypeId::INTERVAL:
      return {"interval"};
    case LogicalTypeId::UUID:
      return {"uuid", "text", "varchar"};
    case LogicalTypeId::BLOB:
      return {"bytea"};
    case LogicalTypeId::LIST:
    case LogicalTypeId::ARRAY:
    case LogicalTypeId::STRUCT:
    case LogicalTypeId::MAP:
      return {"jsonb", "json", "text"};
    default:
      return {"text", "varchar", "bpchar", "citext", "name", "json", "jsonb", "uuid", "inet"};
  }
}

std::string CreateStatement(const TableContext& table, const std::string& target) {
  std::vector<std::string> parts;
  for (const model::Column& column : table.schema.columns) {
    parts.push_back(QuoteIdentifier(column.name) + " " + PostgresType(column.type) +
                    (column.nullable ? "" : " NOT NULL"));
  }
  if (!table.primary_key.empty()) {
    std::vector<std::string> keys;
    for (const std::string& name : table.primary_key) keys.push_back(QuoteIdentifier(name));
    parts.push_back("PRIMARY KEY (" + Join(keys, ", ") + ")");
  }
  return "CREATE TABLE IF NOT EXISTS " + target + " (" + Join(parts, ", ") + ")";
}

// Earlier versions made millrace_commits without it. ALTER TABLE waits for whoever uses the
// table, so it is asked first.
Status AddRejectedColumn(PostgresClient& client) {
  auto there = client.Execute(
      "SELECT 1 FROM pg_attribute WHERE attrelid = 'millrace_commits'::regclass AND attname = "
      "'rejected' AND NOT attisdropped");
  if (!there.ok()) return there.status();
  if (PQntuples(there->get()) > 0) return Status::Ok();
  return client.Execute("ALTER TABLE millrace_commits ADD COLUMN IF NOT EXISTS rejected text")
      .status()
      .Annotate("millrace_commits needs a column for what this database refuses");
}

Result<std::map<std::string, TargetColumn>> ReadColumns(PostgresClient& client,
                                                        const std::string& target) {
  auto rows = client.Execute(
      "SELECT a.attname, t.typname, format_type(a.atttypid, a.atttypmod), t.typtype = 'e', "
      "a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '' "
      "FROM pg_attribute a JOIN pg_type t0 ON t0.oid = a.atttypid "
      "JOIN pg_type t ON t.oid = CASE WHEN t0.typtype = 'd' THEN t0.typbasetype ELSE t0.oid END "
      "WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped",
      {target});
  if (!rows.ok()) return rows.status();
  std::map<std::string, TargetColumn> columns;
  const PGresult* result = rows->get();
  for (int r = 0; r < PQntuples(result); r++) {
    columns[PQgetvalue(result, r, 0)] = {PQgetvalue(result, r, 1), PQgetvalue(result, r, 2),
                                         PQgetvalue(result, r, 3)[0] == 't',
                                         PQgetvalue(result, r, 4)[0] == 't'};
  }
  return columns;
}

Status CheckColumns(const TableContext& table, const std::string& where,
                    const std::map<std::string, TargetColumn>& columns) {
  std::vector<std::string> names;
  for (const auto& [name, column] : columns) names.push_back(name);
  for (const model::Column& declared : table.schema.columns) {
    auto found = columns.find(declared.name);
    if (found == columns.end()) {
      return Status(Code::kFailedPrecondition, where + " has no column \"" + declared.name +
                                                   "\", which table \"" + table.name +
                                                   "\" declares")
          .WithHint(DidYouMean(declared.name, names));
    }
    const std::vector<std::string> fits = Accepting(declared.type);
    const TargetColumn& column = found->second;
    const bool text_into_enum = column.is_enum && declared.type.id() == LogicalTypeId::VARCHAR;
    if (!text_into_enum && std::find(fits.begin(), fits.end(), column.base_type) == fits.end()) {
      return Status(Code::kFailedPrecondition,
                    "column \"" + declared.name + "\" of " + where + " is " + column.shown_type +
                        ", which does not take every " + declared.type.ToString())
          .WithHint("make it " + PostgresType(declared.type) + ", or declare another type");
    }
  }
  for (const auto& [name, column] : columns) {
    const auto& declared = table.schema.columns;
    const bool known = std::any_of(declared.begin(), declared.end(),
                                   [&n = name](const model::Column& c) { return c.name == n; });
    if (!known && column.needs_value) {
      return Status(Code::kFailedPrecondition, "column \"" + name + "\" of " + where +
                                                   " needs a value, but table \"" + table.name +
                                                   "\" does not declare it")
          .WithHint("declare the column, or give it a DEFAULT");
    }
  }
  return Status::Ok();
}

Status CheckKey(PostgresClient& client, const TableContext& table, const std::string& where,
                const std::string& target) {
  auto rows = client.Execute(
      "SELECT string_agg(a.attname, E'\\n' ORDER BY a.attname) FROM pg_index i "
      "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) "
      "WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indisvalid AND i.indpred IS NULL "
      "AND i.indexprs IS NULL AND i.indnkeyatts = i.indnatts GROUP BY i.indexrelid",
      {target});
  if (!rows.ok()) return rows.status();
  std::vector<std::string> keys = table.primary_key;
  std::sort(keys.begin(), keys.end());
  for (int r = 0; r < PQntuples(rows->get()); r++) {
    std::vector<std::string> found = millrace::Split(PQgetvalue(rows->get(), r, 0), '\n');
    std::sort(found.begin(), found.end());
    if (found == keys) return Status::Ok();
  }
  std::vector<std::string> quoted;
  for (const std::string& name : table.primary_key) quoted.push_back(QuoteIdentifier(name));
  return Status(Code::kFailedPrecondition, where + " has no unique index on (" +
                                               Join(quoted, ", ") +
                                               "), the primary key of table \"" + table.name + "\"")
      .WithHint("ALTER TABLE " + target + " ADD PRIMARY KEY (" + Join(quoted, ", ") + ")");
}

}  // namespace

std::string QuotedTarget(const std::string& table_name) {
  const size_t dot = table_name.find('.');
  if (dot == std::string::npos) return QuoteIdentifier(table_name);
  return QuoteIdentifier(table_name.substr(0, dot)) + "." +
         QuoteIdentifier(table_name.substr(dot + 1));
}

Status CreateIfMissing(PostgresClient& client, const std::string& sql) {
  // unique_violation, duplicate_table, duplicate_object (the table's row type)
  constexpr std::array<std::string_view, 3> kCollided = {"(23505)", "(42P07)", "(42710)"};
  Status status = client.Execute(sql).status();
  for (int i = 0; i < 3 && !status.ok(); i++) {
    const bool collided =
        std::any_of(kCollided.begin(), kCollided.end(), [&](std::string_view state) {
          return status.message().find(state) != std::string::npos;
        });
    if (!collided) break;
    status = client.Execute(sql).status();
  }
  return status;
}

Status PrepareTarget(PostgresClient& client, const TableContext& table) {
  const std::string name = table.options.GetString("table-name");
  const std::string target = QuotedTarget(name);
  const std::string where = "PostgreSQL table \"" + name + "\"";
  MR_RETURN_IF_ERROR(CreateIfMissing(
      client,
      "CREATE TABLE IF NOT EXISTS millrace_commits (job text NOT NULL, sink text NOT NULL, "
      "epoch bigint NOT NULL, rejected text, PRIMARY KEY (job, sink))"));
  MR_RETURN_IF_ERROR(AddRejectedColumn(client));
  auto there = client.Execute("SELECT to_regclass($1) IS NOT NULL", {target});
  if (!there.ok()) return there.status();
  if (PQgetvalue(there->get(), 0, 0)[0] == 'f') {
    Status created = CreateIfMissing(client, CreateStatement(table, target));
    if (!created.ok()) return std::move(created).Annotate("cannot create " + where);
  }
  auto columns = ReadColumns(client, target);
  if (!columns.ok()) return columns.status();
  MR_RETURN_IF_ERROR(CheckColumns(table, where, *columns));
  return table.primary_key.empty() ? Status::Ok() : CheckKey(client, table, where, target);
}

}  // namespace millrace::connectors::jdbc
