#include "dbt/clickhouse_adapter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "dbt/clickhouse_client.h"
#include "env/files.h"

namespace millrace::dbt {

namespace {

Status Unsupported(const std::string& what, const std::string& hint) {
  return Status(Code::kUnsupported, what + " is not supported on ClickHouse here").WithHint(hint);
}

// Where a node's relation is made, and a model's rows are changed, before it is seen.
std::string Beside(const Node& node) {
  return QuoteIdentifier(node.schema) + "." + QuoteIdentifier(node.alias + "__millrace_new");
}

// "label (a, b)", or "" when the node has no such config.
std::string Clause(const Node& node, const char* config, const std::string& label) {
  const std::vector<std::string> parts = node.config[config].texts();
  return parts.empty() ? "" : " " + label + " (" + Join(parts, ", ") + ")";
}

std::string EngineOf(const Node& node) {
  return node.config["engine"].text_or("MergeTree()");
}

// The engine and what belongs to it, from the configs that dbt-clickhouse has.
std::string Storage(const Node& node) {
  const std::string engine = EngineOf(node);
  std::string out = " ENGINE = " + engine;
  if (engine.find("MergeTree") != std::string::npos) {
    const std::string order = Clause(node, "order_by", "ORDER BY");
    out += order.empty() ? " ORDER BY tuple()" : order;
  }
  if (node.config.has("primary_key")) out += " PRIMARY KEY " + node.config["primary_key"].text();
  out += Clause(node, "partition_by", "PARTITION BY");
  if (node.config.has("ttl")) out += " TTL " + node.config["ttl"].text();
  std::vector<std::string> settings;
  for (const auto& [name, value] : node.config["settings"].map()) {
    settings.push_back(name + " = " +
                       (value.is_text() ? QuoteLiteral(value.text()) : value.text()));
  }
  return settings.empty() ? out : out + " SETTINGS " + Join(settings, ", ");
}

class ClickHouseSession : public Session {
 public:
  explicit ClickHouseSession(ClickHouseClient& client) : client_(client) {}

  Status Run(const std::string& sql) override {
    if (ToLower(std::string(Trim(sql)).substr(0, 4)) == "set ") {
      return Unsupported("SET",
                         "there is no session: write custom_settings in profiles.yml, or "
                         "SETTINGS in the statement");
    }
    return client_.Ask(sql).status();
  }

  Result<int64_t> Count(const std::string& sql) override {
    MR_RETURN_IF_ERROR(Run(sql));
    return int64_t{-1};
  }

  Result<Rows> Query(const std::string& sql) override {
    MR_ASSIGN_OR_RETURN(Value answer, client_.Ask(sql));
    Rows out;
    for (const Value& column : answer["meta"].list()) {
      out.columns.push_back(column["name"].text());
    }
    out.rows = answer["data"].list();
    return out;
  }

  Result<std::vector<Column>> ColumnsOf(const std::string& table) override {
    MR_ASSIGN_OR_RETURN(Rows answer, Query("DESCRIBE TABLE " + table));
    return DescribedColumns(answer);
  }

  Result<std::vector<Column>> ColumnsOfQuery(const std::string& sql) override {
    return ColumnsOf("(\n" + sql + "\n)");
  }

  Result<int64_t> LoadCsv(const std::string& table, const std::string& path,
                          const std::string& delimiter) override {
    MR_ASSIGN_OR_RETURN(std::string bytes, env::ReadWholeFile(*env::FileSystem::Real(), path));
    MR_RETURN_IF_ERROR(client_.Insert(
        fmt::format("INSERT INTO {} SETTINGS input_format_csv_skip_first_lines = 1, "
                    "input_format_csv_skip_trailing_empty_lines = 1, format_csv_delimiter = {}, "
                    "date_time_input_format = 'best_effort' FORMAT CSV",
                    table, QuoteLiteral(delimiter)),
        bytes));
    return RowsOf(table);
  }

  Result<int64_t> RowsOf(const std::string& table) {
    MR_ASSIGN_OR_RETURN(Rows answer, Query("SELECT count() FROM " + table));
    return answer.rows[0][size_t{0}].whole();
  }

 private:
  ClickHouseClient& client_;
};

class ClickHouseAdapter : public Adapter {
 public:
  ClickHouseAdapter(const ClickHouseSettings& settings, std::string schema)
      : settings_(settings), writer_(settings), reader_(settings), schema_(std::move(schema)) {}

  Status Connect() {
    MR_RETURN_IF_ERROR(
        writer_.Ask("CREATE DATABASE IF NOT EXISTS " + QuoteIdentifier(schema_)).status());
    writer_.UseDatabase(schema_);
    reader_.UseDatabase(schema_);
    return Status::Ok();
  }

  std::string type() const override { return "clickhouse"; }

  Result<std::unique_ptr<Session>> Reader() override {
    return std::unique_ptr<Session>(std::make_unique<ClickHouseSession>(reader_));
  }

  std::string SchemaKind() const override { return "DATABASE"; }

  std::string Relations() const override {
    return "(SELECT '' AS database, there.database AS schema, there.name AS name, "
           "if(there.engine LIKE '%View', 'VIEW', 'BASE TABLE') AS kind FROM system.tables AS "
           "there)";
  }

  // A table like any other: a temporary one would need a session.
  std::string Temporary(const std::string& name) const override {
    return QuoteIdentifier(schema_) + "." + QuoteIdentifier(name);
  }

  Result<int64_t> CreateTemporary(Session& session, const std::string& name,
                                  const std::string& sql) override {
    const std::string table = Temporary(name);
    MR_RETURN_IF_ERROR(Drop(session, table));
    MR_RETURN_IF_ERROR(session.Run("CREATE TABLE " + table +
                                   " ENGINE = MergeTree ORDER BY tuple() AS (" + sql + "\n)"));
    return static_cast<ClickHouseSession&>(session).RowsOf(table);
  }

  Result<int64_t> Replace(Session& session, const Node& node, const std::string& existing,
                          const Definition& definition) override {
    const std::string beside = Beside(node);
    MR_RETURN_IF_ERROR(Drop(session, beside));
    Status made = Make(session, node, beside, definition);
    if (made.ok()) made = Place(session, node, existing.empty());
    if (!made.ok()) {
      (void)Drop(session, beside);  // the first error is the one to tell
      return made;
    }
    if (definition.kind == "VIEW") return int64_t{-1};
    return static_cast<ClickHouseSession&>(session).RowsOf(QualifiedName(node));
  }

  Result<std::string> BeginChange(Session& session, const Node& node) override {
    const std::string beside = Beside(node), table = QualifiedName(node);
    MR_RETURN_IF_ERROR(Drop(session, beside));
    if (EngineOf(node).find("MergeTree") != std::string::npos) {
      MR_RETURN_IF_ERROR(session.Run(fmt::format("CREATE TABLE {} CLONE AS {}", beside, table)));
    } else {
      MR_RETURN_IF_ERROR(session.Run(fmt::format("CREATE TABLE {} AS {}", beside, table)));
      MR_RETURN_IF_ERROR(
          session.Run(fmt::format("INSERT INTO {} SELECT * FROM {}", beside, table)));
    }
    return beside;
  }

  Status Publish(Session& session, const Node& node) override {
    return Place(session, node, false);
  }

  Status DeleteMatching(Session& session, const std::string& table, const std::string& staged,
                        const std::vector<std::string>& keys) override {
    std::vector<std::string> theirs;
    for (const std::string& key : keys) theirs.push_back("staged." + key);
    return session.Run(fmt::format("DELETE FROM {} WHERE ({}) IN (SELECT {} FROM {} AS staged)",
                                   table, Join(keys, ", "), Join(theirs, ", "), staged));
  }

  Status Check(const Node& node) const override {
    if (node.config["hard_deletes"].text() == "new_record") {
      return Unsupported("hard_deletes: new_record", "there is: ignore, invalidate");
    }
    if (node.kind == "unit_test") {
      return Unsupported("a unit test", "run it on a target of type duckdb or postgres");
    }
    for (const char* config : {"query_settings", "projections", "indexes", "sharding_key",
                               "sql_security", "predicates", "incremental_predicates"}) {
      if (!node.config[config].truth()) continue;
      return Unsupported(fmt::format("the config {}", config), "take it out of the model");
    }
    const std::string strategy = node.config["incremental_strategy"].text_or("append");
    const std::vector<std::string> known = {"append", "delete+insert", "delete_insert", "legacy"};
    if (node.materialized() == "incremental" &&
        std::find(known.begin(), known.end(), strategy) == known.end()) {
      return Unsupported(fmt::format("incremental_strategy \"{}\"", strategy),
                         "there is: " + Join(known, ", "));
    }
    return Status::Ok();
  }

  bool CanUpdate() const override { return false; }

  // As dbt-clickhouse, so that a snapshot can go on with either.
  std::string Hash(const std::string& text) const override { return "halfMD5(" + text + ")"; }

  std::string Differs(const std::string& a, const std::string& b) const override {
    return fmt::format("(ifNull({0} != {1}, 0) OR isNull({0}) != isNull({1}))", a, b);
  }

  std::string ValidTo(const std::string& from, const std::string& until) const override {
    if (until == "NULL") return fmt::format("nullIf({0}, {0})", from);
    return "CAST(" + until + " AS Nullable(DateTime))";
  }

  bool Holds(const std::string& constraint) const override {
    return constraint == "check" || constraint == "custom" || constraint == "not_null";
  }

  std::string AnyValue(const std::string& type_name) const override {
    return "defaultValueOfTypeName(" + QuoteLiteral(type_name) + ")";
  }

  std::string TimestampLiteral(int64_t micros) const override {
    return fmt::format("toDateTime({})", micros / 1'000'000);
  }

  std::string MicrosOf(const std::string& expression) const override {
    return "toUnixTimestamp64Micro(toDateTime64(" + expression + ", 6, 'UTC'))";
  }

  // As dbt-clickhouse has them, but for whole numbers that need 64 bits.
  std::string SeedType(const std::string& type) const override {
    if (type == "INTEGER") return "Int32";
    if (type == "BIGINT") return "Int64";
    if (type == "DOUBLE") return "Float32";
    if (type == "DATE") return "Date";
    if (type == "TIMESTAMP") return "DateTime";
    return type == "BOOLEAN" ? "Bool" : "String";
  }

 protected:
  Result<std::unique_ptr<Adapter>> Connected() const override {
    auto adapter = std::make_unique<ClickHouseAdapter>(settings_, schema_);
    MR_RETURN_IF_ERROR(adapter->Connect());
    return std::unique_ptr<Adapter>(std::move(adapter));
  }

  Status Attempt(const Body& body) override {
    ClickHouseSession session(writer_);
    return body(session);
  }

 private:
  // SYNC: the name and the files are free when it is done, whoever was still writing.
  static Status Drop(Session& session, const std::string& name) {
    return session.Run("DROP TABLE IF EXISTS " + name + " SYNC");
  }

  static Status Make(Session& session, const Node& node, const std::string& name,
                     const Definition& definition) {
    if (definition.kind == "VIEW")
      return session.Run("CREATE VIEW " + name + " " + definition.Text());
    const std::string storage = Storage(node);
    if (!definition.query.empty()) {
      return session.Run("CREATE TABLE " + name + storage + " " + definition.Text());
    }
    MR_RETURN_IF_ERROR(session.Run("CREATE TABLE " + name + " " + definition.Text() + storage));
    return definition.fill ? definition.fill(name).status() : Status::Ok();
  }

  // What was made beside becomes the node's relation, and what was that goes.
  static Status Place(Session& session, const Node& node, bool is_first) {
    const std::string beside = Beside(node), name = QualifiedName(node);
    if (is_first) return session.Run(fmt::format("RENAME TABLE {} TO {}", beside, name));
    MR_RETURN_IF_ERROR(session.Run(fmt::format("EXCHANGE TABLES {} AND {}", beside, name)));
    return Drop(session, beside);
  }

  ClickHouseSettings settings_;
  ClickHouseClient writer_, reader_;
  std::string schema_;
};

// Refuses what would have to be ignored.
Status CheckOutput(const Value& output) {
  for (const char* name : {"cluster", "cluster_mode", "database_engine", "client_cert",
                           "client_cert_key", "server_host_name"}) {
    if (!output[name].truth()) continue;
    return Unsupported(fmt::format("{} in profiles.yml", name), "take it out of the target");
  }
  if (!output["verify"].truth_or(true)) {
    return Unsupported("verify: false in profiles.yml",
                       "have this machine trust the server's certificate");
  }
  if (output["driver"].text_or("http") != "http") {
    return Unsupported("driver: " + output["driver"].text() + " in profiles.yml",
                       "write http, and the port of the HTTP interface");
  }
  const std::string port = output["port"].text();
  if (port != "9000" && port != "9440") return Status::Ok();
  return Unsupported("the native protocol, port " + port + " in profiles.yml,",
                     "write the port of the HTTP interface: 8123, or 8443 with secure: true");
}

}  // namespace

Result<std::unique_ptr<Adapter>> OpenClickHouse(const Project& project) {
  const Value& output = project.profile.output;
  MR_RETURN_IF_ERROR(CheckOutput(output));
  const bool secure = output["secure"].truth();
  ClickHouseSettings settings;
  settings.url =
      fmt::format("{}://{}:{}", secure ? "https" : "http", output["host"].text_or("localhost"),
                  output["port"].text_or(secure ? "8443" : "8123"));
  settings.user = output["user"].text_or("default");
  settings.password = output["password"].text();
  settings.timeout_ms = 1000 * std::max<int64_t>(1, output.has("send_receive_timeout")
                                                        ? output["send_receive_timeout"].whole()
                                                        : 3600);
  settings.server_settings = {{"output_format_json_quote_64bit_integers", "0"},
                              {"mutations_sync", "2"},
                              {"allow_nondeterministic_mutations", "1"}};
  for (const auto& [name, value] : output["custom_settings"].map()) {
    settings.server_settings.emplace_back(name, value.text());
  }
  MR_RETURN_IF_ERROR(connectors::http::CheckSettings(
      {.url = settings.url,
       .headers = {{"user", settings.user}, {"password", settings.password}}}));
  auto adapter = std::make_unique<ClickHouseAdapter>(settings, project.profile.schema);
  MR_RETURN_IF_ERROR(adapter->Connect());
  return std::unique_ptr<Adapter>(std::move(adapter));
}

}  // namespace millrace::dbt
