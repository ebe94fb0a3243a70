#include "dbt/postgres_adapter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/strings.h"
#include "connectors/jdbc/postgres_client.h"
#include "env/files.h"

namespace millrace::dbt {

namespace {

using connectors::jdbc::ConnectionSettings;
using connectors::jdbc::PgResult;
using connectors::jdbc::PostgresClient;

// Types that templates see as numbers and booleans, by their OID (pg_type.dat).
enum TypeOid : unsigned {
  kBool = 16,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kFloat4 = 700,
  kFloat8 = 701,
  kNumeric = 1700
};

Value FromPostgres(const PGresult* result, int row, int column) {
  if (PQgetisnull(result, row, column) != 0) return Value();
  const std::string text = PQgetvalue(result, row, column);
  switch (PQftype(result, column)) {
    case kBool:
      return Value(text == "t");
    case kInt2:
    case kInt4:
    case kInt8:
      return Value(static_cast<int64_t>(std::strtoll(text.c_str(), nullptr, 10)));
    case kNumeric:
      // A sum of integers is a NUMERIC.
      if (text.size() < 19 && text.find_first_not_of("-0123456789") == std::string::npos) {
        return Value(static_cast<int64_t>(std::strtoll(text.c_str(), nullptr, 10)));
      }
      [[fallthrough]];
    case kFloat4:
    case kFloat8:
      return Value(std::strtod(text.c_str(), nullptr));
    default:
      return Value(text);
  }
}

Rows FromPostgres(const PGresult* result) {
  Rows out;
  for (int c = 0; c < PQnfields(result); c++) out.columns.emplace_back(PQfname(result, c));
  for (int r = 0; r < PQntuples(result); r++) {
    Value row = Value::List{};
    for (int c = 0; c < PQnfields(result); c++) row.Append(FromPostgres(result, r, c));
    out.rows.push_back(std::move(row));
  }
  return out;
}

class PostgresSession : public Session {
 public:
  explicit PostgresSession(PostgresClient& client) : client_(client) {}

  Status Run(const std::string& sql) override { return client_.Execute(sql).status(); }

  Result<int64_t> Count(const std::string& sql) override {
    MR_ASSIGN_OR_RETURN(PgResult result, client_.Execute(sql));
    return std::strtoll(PQcmdTuples(result.get()), nullptr, 10);
  }

  Result<Rows> Query(const std::string& sql) override {
    MR_ASSIGN_OR_RETURN(PgResult result, client_.Execute(sql));
    return FromPostgres(result.get());
  }

  Result<std::vector<Column>> ColumnsOf(const std::string& table) override {
    MR_ASSIGN_OR_RETURN(
        Rows answer, Query(fmt::format(
                         "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE "
                         "attrelid = {}::regclass AND attnum > 0 AND NOT attisdropped ORDER BY "
                         "attnum",
                         QuoteLiteral(table))));
    std::vector<Column> out;
    for (const Value& row : answer.rows) {
      out.push_back({row[size_t{0}].text(), row[size_t{1}].text()});
    }
    return out;
  }

  Result<std::vector<Column>> ColumnsOfQuery(const std::string& sql) override {
    MR_RETURN_IF_ERROR(
        Run("CREATE TEMP TABLE millrace_described AS (\n" + sql + "\n) WITH NO DATA"));
    auto columns = ColumnsOf("pg_temp.millrace_described");
    MR_RETURN_IF_ERROR(Run("DROP TABLE pg_temp.millrace_described"));
    return columns;
  }

  Result<int64_t> LoadCsv(const std::string& table, const std::string& path,
                          const std::string& delimiter) override {
    MR_ASSIGN_OR_RETURN(std::string bytes, env::ReadWholeFile(*env::FileSystem::Real(), path));
    MR_RETURN_IF_ERROR(
        client_.CopyIn(fmt::format("COPY {} FROM STDIN (FORMAT csv, HEADER true, DELIMITER {})",
                                   table, QuoteLiteral(delimiter)),
                       bytes));
    MR_ASSIGN_OR_RETURN(Rows answer, Query("SELECT count(*) FROM " + table));
    return answer.rows[0][size_t{0}].whole();
  }

 private:
  PostgresClient& client_;
};

class PostgresAdapter : public Adapter {
 public:
  PostgresAdapter(const ConnectionSettings& settings, std::string role)
      : settings_(settings), writer_(settings), reader_(settings), role_(std::move(role)) {}

  Status Connect() { return Connect(writer_); }

  std::string type() const override { return "postgres"; }

  // Connected with its first use: many projects never need it, and a server has only so many.
  Result<std::unique_ptr<Session>> Reader() override {
    if (!reader_.connected()) MR_RETURN_IF_ERROR(Connect(reader_));
    return std::unique_ptr<Session>(std::make_unique<PostgresSession>(reader_));
  }

  void Interrupt() override {
    writer_.Cancel();
    reader_.Cancel();
  }

  std::string Temporary(const std::string& name) const override {
    return "pg_temp." + QuoteIdentifier(name);
  }

  Result<int64_t> CreateTemporary(Session& session, const std::string& name,
                                  const std::string& sql) override {
    MR_RETURN_IF_ERROR(session.Run("DROP TABLE IF EXISTS " + Temporary(name)));
    return session.Count("CREATE TEMP TABLE " + QuoteIdentifier(name) + " ON COMMIT DROP AS (" +
                         sql + "\n)");
  }

  Result<int64_t> Replace(Session& session, const Node& node, const std::string& existing,
                          const Definition& definition) override {
    const std::string& kind = definition.kind;
    Node made = node;
    made.alias = NameBeside(node, "dbt_tmp");
    const std::string name = QualifiedName(made);
    const std::string what = kind == "TABLE" && node.config["unlogged"].truth() ? "UNLOGGED " : "";
    MR_ASSIGN_OR_RETURN(int64_t rows, session.Count(fmt::format("CREATE {}{} {} {}", what, kind,
                                                                name, definition.Text())));
    if (!existing.empty()) {
      // Another node's CASCADE may have taken it along meanwhile.
      MR_RETURN_IF_ERROR(
          session.Run(fmt::format("DROP {} IF EXISTS {} CASCADE",
                                  existing == "VIEW" ? "VIEW" : "TABLE", QualifiedName(node))));
    }
    MR_RETURN_IF_ERROR(session.Run(
        fmt::format("ALTER {} {} RENAME TO {}", kind, name, QuoteIdentifier(node.alias))));
    if (kind == "TABLE") MR_RETURN_IF_ERROR(CreateIndexes(session, node));
    return definition.fill ? definition.fill(QualifiedName(node)) : rows;
  }

  std::string TimestampLiteral(int64_t micros) const override {
    return fmt::format("(TIMESTAMP 'epoch' + {} * INTERVAL '1 microsecond')", micros);
  }

  std::string MicrosOf(const std::string& expression) const override {
    return "CAST(extract(epoch FROM CAST(" + expression + " AS timestamp)) * 1000000 AS bigint)";
  }

  std::string SeedType(const std::string& type) const override {
    if (type == "DOUBLE") return "float8";
    if (type == "VARCHAR") return "text";
    if (type == "TIMESTAMP") return "timestamp without time zone";
    return ToLower(type);
  }

 protected:
  Result<std::unique_ptr<Adapter>> Connected() const override {
    auto adapter = std::make_unique<PostgresAdapter>(settings_, role_);
    MR_RETURN_IF_ERROR(adapter->Connect());
    return std::unique_ptr<Adapter>(std::move(adapter));
  }

  Status Attempt(const Body& body) override {
    PostgresSession session(writer_);
    MR_RETURN_IF_ERROR(session.Run("BEGIN"));
    Status status = body(session);
    if (status.ok()) return session.Run("COMMIT");
    // A lost connection has rolled back by itself; the first error is the one to tell.
    (void)session.Run("ROLLBACK");
    return status;
  }

  // Two nodes whose CASCADEs meet may wait for each other; two that make the same schema get a
  // unique violation in the catalog.
  bool IsConflict(const Status& status) const override {
    for (const char* words : {"(40P01)", "(40001)", "tuple concurrently", "constraint \"pg_"}) {
      if (status.message().find(words) != std::string::npos) return true;
    }
    return false;
  }

 private:
  Status Connect(PostgresClient& client) {
    MR_RETURN_IF_ERROR(client.Connect());
    // When this process dies its statement ends soon, and with it its locks (PostgreSQL 14).
    MR_RETURN_IF_ERROR(
        client
            .Execute("SELECT set_config(name, '1s', false) FROM pg_settings WHERE name = "
                     "'client_connection_check_interval'")
            .status());
    if (role_.empty()) return Status::Ok();
    return client.Execute("SET ROLE " + QuoteIdentifier(role_)).status();
  }

  // indexes: [{columns: [a, b], unique: true, type: btree}]
  Status CreateIndexes(Session& session, const Node& node) {
    for (const Value& index : node.config["indexes"].list()) {
      std::vector<std::string> columns;
      for (const std::string& column : index["columns"].texts()) {
        columns.push_back(QuoteIdentifier(column));
      }
      const std::string method =
          index.has("type") ? "USING " + QuoteIdentifier(index["type"].text()) + " " : "";
      MR_RETURN_IF_ERROR(session.Run(
          fmt::format("CREATE {}INDEX ON {} {}({})", index["unique"].truth() ? "UNIQUE " : "",
                      QualifiedName(node), method, Join(columns, ", "))));
    }
    return Status::Ok();
  }

  ConnectionSettings settings_;
  PostgresClient writer_, reader_;
  std::string role_;
};

}  // namespace

Result<std::unique_ptr<Adapter>> OpenPostgres(const Project& project) {
  const Value& output = project.profile.output;
  ConnectionSettings settings;
  auto set = [&](const char* name, const std::string& value) {
    if (!value.empty()) settings.parameters.emplace_back(name, value);
  };
  set("host", output["host"].text_or("localhost"));
  set("port", output["port"].text_or("5432"));
  set("user", output["user"].text());
  set("password", output["password"].text_or(output["pass"].text()));
  set("dbname", project.profile.database);
  set("sslmode", output["sslmode"].text());
  set("sslrootcert", output["sslrootcert"].text());
  set("sslcert", output["sslcert"].text());
  set("sslkey", output["sslkey"].text());
  set("keepalives_idle", output["keepalives_idle"].text());
  set("connect_timeout", output["connect_timeout"].text_or("10"));
  set("application_name", "millrace");
  if (output.has("search_path")) set("options", "-csearch_path=" + output["search_path"].text());
  settings.shown = fmt::format("{}:{}/{}", output["host"].text_or("localhost"),
                               output["port"].text_or("5432"), project.profile.database);
  auto adapter = std::make_unique<PostgresAdapter>(settings, output["role"].text());
  MR_RETURN_IF_ERROR(adapter->Connect());
  return std::unique_ptr<Adapter>(std::move(adapter));
}

}  // namespace millrace::dbt
