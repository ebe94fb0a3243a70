// Look-ups in PostgreSQL: one query for a whole batch of keys, which are sent as arrays.
#include "base/strings.h"
#include "connectors/jdbc/jdbc.h"
#include "connectors/jdbc/postgres_client.h"
#include "connectors/jdbc/postgres_table.h"
#include "connectors/text_rows.h"

namespace millrace::connectors::jdbc {

namespace {

// One element of an array's text form (PostgreSQL documentation, "Array Input and Output Syntax").
void AppendElement(const std::string& text, std::string& array) {
  array += array.size() > 1 ? ",\"" : "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') array += '\\';
    array += c;
  }
  array += '"';
}

class PostgresLookup : public Lookup {
 public:
  PostgresLookup(const TableContext& table, const LookupQuery& query, ConnectionSettings settings)
      : schema_(table.schema),
        query_(query),
        name_(table.options.GetString("table-name")),
        timeout_ms_(table.options.GetMicros("lookup.timeout") / 1000),
        client_(std::move(settings)),
        rows_(table.schema, query.columns) {}

  Status Open() override { return Prepare(); }

  Status Ask(duckdb::DataChunk& keys, LookupOutput& out) override {
    if (!client_.connected()) MR_RETURN_IF_ERROR(Prepare());
    std::vector<std::string> arrays(query_.keys.size() + 1, "{");
    for (duckdb::idx_t row = 0; row < keys.size(); row++) {
      std::vector<std::string> texts;
      bool sayable = true;  // no text of PostgreSQL holds the character NUL
      for (size_t k = 0; k < query_.keys.size(); k++) {
        texts.push_back(keys.GetValue(k, row).ToString());
        sayable &= texts.back().find('\0') == std::string::npos;
      }
      if (!sayable) continue;
      AppendElement(std::to_string(row), arrays[0]);
      for (size_t k = 0; k < texts.size(); k++) AppendElement(texts[k], arrays[k + 1]);
    }
    for (std::string& array : arrays) array += '}';
    auto result = client_.Execute(question_, arrays);
    if (!result.ok()) {
      return std::move(result).status().Annotate("lookup in PostgreSQL table \"" + name_ + "\"");
    }
    std::vector<std::optional<std::string_view>> values(query_.columns.size());
    for (int r = 0; r < PQntuples(result->get()); r++) {
      for (size_t c = 0; c < values.size(); c++) {
        const int column = static_cast<int>(c) + 1;
        values[c].reset();
        if (PQgetisnull(result->get(), r, column)) continue;
        values[c] = {PQgetvalue(result->get(), r, column),
                     static_cast<size_t>(PQgetlength(result->get(), r, column))};
      }
      rows_.Add(static_cast<uint32_t>(std::stoul(PQgetvalue(result->get(), r, 0))), values, out);
    }
    rows_.Flush(out);
    return Status::Ok();
  }

 private:
  Status Prepare() {
    MR_RETURN_IF_ERROR(client_.Connect());
    MR_RETURN_IF_ERROR(
        client_.Execute("SET statement_timeout = " + std::to_string(timeout_ms_)).status());
    if (!question_.empty()) return Status::Ok();
    const std::string target = QuotedTarget(name_);
    auto types = client_.Execute(
        "SELECT attname, format_type(atttypid, -1) FROM pg_attribute WHERE attrelid = "
        "$1::regclass AND attnum > 0 AND NOT attisdropped",
        {target});
    if (!types.ok()) {
      return std::move(types).status().Annotate("cannot look up in PostgreSQL table \"" + name_ +
                                                "\"");
    }
    std::map<std::string, std::string> type_of;
    std::vector<std::string> names;
    for (int r = 0; r < PQntuples(types->get()); r++) {
      names.push_back(PQgetvalue(types->get(), r, 0));
      type_of[names.back()] = PQgetvalue(types->get(), r, 1);
    }
    std::vector<std::string> columns = {"k.n"};
    std::vector<std::string> arrays = {"$1::int8[]"};
    std::vector<std::string> aliases = {"n"};
    std::vector<std::string> conditions;
    for (const auto* wanted : {&query_.keys, &query_.columns}) {
      for (size_t c : *wanted) {
        const std::string& name = schema_.columns[c].name;
        if (type_of.count(name) > 0) continue;
        return Status(Code::kFailedPrecondition,
                      "PostgreSQL table \"" + name_ + "\" has no column \"" + name + "\"")
            .WithHint(DidYouMean(name, names));
      }
    }
    for (size_t k = 0; k < query_.keys.size(); k++) {
      const std::string& name = schema_.columns[query_.keys[k]].name;
      arrays.push_back("$" + std::to_string(k + 2) + "::" + type_of[name] + "[]");
      aliases.push_back("k" + std::to_string(k));
      conditions.push_back("t." + QuoteIdentifier(name) + " = k.k" + std::to_string(k));
    }
    for (size_t c : query_.columns)
      columns.push_back("t." + QuoteIdentifier(schema_.columns[c].name));
    question_ = "SELECT " + Join(columns, ", ") + " FROM unnest(" + Join(arrays, ", ") + ") AS k(" +
                Join(aliases, ", ") + ") JOIN " + target + " AS t ON " + Join(conditions, " AND ");
    return Status::Ok();
  }

  model::Schema schema_;
  LookupQuery query_;
  std::string name_;
  int64_t timeout_ms_;
  PostgresClient client_;
  TextRows rows_;
  std::string question_;
};

}  // namespace

Result<std::unique_ptr<Lookup>> NewPostgresLookup(const TableContext& table,
                                                  const LookupQuery& query) {
  for (const auto* wanted : {&query.keys, &query.columns}) {
    for (size_t c : *wanted) {
      const model::Column& column = table.schema.columns[c];
      if (column.type.id() != duckdb::LogicalTypeId::BLOB && !column.type.IsNested()) continue;
      return Status(Code::kUnsupported, "column \"" + column.name + "\" of table \"" + table.name +
                                            "\" is " + column.type.ToString() +
                                            ", which cannot be looked up in PostgreSQL")
          .WithHint("declare it STRING, and convert it in the query");
    }
  }
  const Options& options = table.options;
  MR_ASSIGN_OR_RETURN(ConnectionSettings settings,
                      ParseJdbcUrl(options.GetString("url"), options.GetString("username"),
                                   options.GetString("password"),
                                   options.GetMicros("connection.max-retry-timeout")));
  // A server that is gone without a word is noticed, too.
  settings.parameters.emplace_back("tcp_user_timeout",
                                   std::to_string(options.GetMicros("lookup.timeout") / 1000));
  return std::unique_ptr<Lookup>(new PostgresLookup(table, query, std::move(settings)));
}

}  // namespace millrace::connectors::jdbc
