#include "dbt/spark_adapter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "dbt/hive_client.h"
#include "env/clock.h"

namespace millrace::dbt {

namespace {

constexpr size_t kInsertedRowsMax = 5000;  // by one statement
constexpr size_t kInsertedBytesMax = 4U << 20;

Status Unsupported(const std::string& what, const std::string& hint) {
  return Status(Code::kUnsupported, what + " is not supported on Spark here").WithHint(hint);
}

std::string Quoted(const std::string& name) {
  return QuoteWith("`", name);
}

// A backslash escapes, and two quotes are none.
std::string Literal(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string FormatOf(const Node& node) {
  return ToLower(node.config["file_format"].text_or("parquet"));
}

bool IsDelta(const Node& node) {
  return FormatOf(node) == "delta";
}

// "label (a, b)", or "" when the node has no such config.
std::string Clause(const Node& node, const char* config, const std::string& label) {
  const std::vector<std::string> parts = node.config[config].texts();
  return parts.empty() ? "" : " " + label + " (" + Join(parts, ", ") + ")";
}

// "label ('a' = 'b')"
std::string Pairs(const Node& node, const char* config, const std::string& label) {
  std::vector<std::string> pairs;
  for (const auto& [name, value] : node.config[config].map()) {
    pairs.push_back(Literal(name) + " = " + Literal(value.text()));
  }
  return pairs.empty() ? "" : " " + label + " (" + Join(pairs, ", ") + ")";
}

// The format and what belongs to it, from the configs that dbt-spark has.
std::string Storage(const Node& node) {
  std::string out = " USING " + FormatOf(node);
  out += Pairs(node, "options", "OPTIONS") + Pairs(node, "tblproperties", "TBLPROPERTIES");
  out += Clause(node, "partition_by", "PARTITIONED BY");
  if (node.config.has("clustered_by") && node.config.has("buckets")) {
    out += Clause(node, "clustered_by", "CLUSTERED BY") + " INTO " + node.config["buckets"].text() +
           " BUCKETS";
  }
  if (node.config.has("location_root")) {
    out += " LOCATION " + Literal(node.config["location_root"].text() + "/" + node.alias);
  }
  return out + " ";
}

class SparkSession : public Session {
 public:
  // `files`: a DuckDB that reads CSV files.
  SparkSession(HiveClient& client, duck::Warehouse* files) : client_(client), files_(files) {}

  Status Run(const std::string& sql) override { return client_.Ask(sql).status(); }

  Result<int64_t> Count(const std::string& sql) override {
    MR_RETURN_IF_ERROR(Run(sql));
    return int64_t{-1};
  }

  Result<Rows> Query(const std::string& sql) override { return client_.Ask(sql); }

  // After them an empty line, or one of what they partition by, "# Partition Information".
  Result<std::vector<Column>> ColumnsOf(const std::string& table) override {
    return Described("DESCRIBE TABLE " + table);
  }

  Result<std::vector<Column>> ColumnsOfQuery(const std::string& sql) override {
    return Described("DESCRIBE QUERY\n" + sql);
  }

  Result<int64_t> LoadCsv(const std::string& table, const std::string& path,
                          const std::string& delimiter) override {
    MR_ASSIGN_OR_RETURN(std::vector<Column> columns, ColumnsOf(table));
    MR_ASSIGN_OR_RETURN(
        duck::QueryResult read,
        files_->Query(fmt::format("SELECT * FROM read_csv({}, delim = {}, header = true, "
                                  "all_varchar = true)",
                                  QuoteLiteral(path), QuoteLiteral(delimiter))));
    std::string values;
    size_t rows = 0;
    for (size_t row = 0; row < read.row_count(); row++) {
      std::vector<std::string> cells;
      for (size_t i = 0; i < columns.size(); i++) {
        const duckdb::Value cell = read.Get(row, i);
        cells.push_back(cell.IsNull() ? "NULL" : Literal(cell.ToString()));
      }
      values += (rows++ == 0 ? "(" : ", (") + Join(cells, ", ") + ")";
      if (rows < kInsertedRowsMax && values.size() < kInsertedBytesMax &&
          row + 1 < read.row_count()) {
        continue;
      }
      MR_RETURN_IF_ERROR(Insert(table, columns, values));
      values.clear();
      rows = 0;
    }
    return static_cast<int64_t>(read.row_count());
  }

 private:
  Result<std::vector<Column>> Described(const std::string& statement) {
    MR_ASSIGN_OR_RETURN(Rows answer, Query(statement));
    std::vector<Column> columns = DescribedColumns(answer);
    columns.erase(std::find_if(columns.begin(), columns.end(),
                               [](const Column& column) {
                                 return column.name.empty() || column.name.starts_with("# ");
                               }),
                  columns.end());
    return columns;
  }

  // Texts become the columns' types; one that cannot is an error, and not the NULL that CAST makes.
  Status Insert(const std::string& table, const std::vector<Column>& columns,
                const std::string& values) {
    std::vector<std::string> names, casts;
    for (size_t i = 0; i < columns.size(); i++) {
      const std::string name = fmt::format("c{}", i);
      names.push_back(name);
      casts.push_back(
          fmt::format("if({0} IS NOT NULL AND CAST({0} AS {1}) IS NULL, "
                      "CAST(raise_error(concat({2}, {0}, {3})) "
                      "AS {1}), CAST({0} AS {1}))",
                      name, columns[i].type, Literal("column " + columns[i].name + ": \""),
                      Literal("\" is no " + columns[i].type)));
    }
    return Run(fmt::format("INSERT INTO {} SELECT {} FROM VALUES {} AS v ({})", table,
                           Join(casts, ", "), values, Join(names, ", ")));
  }

  HiveClient& client_;
  duck::Warehouse* files_;
};

// What is there under a name.
struct Relation {
  std::string kind;      // as Adapter::Existing says
  std::string provider;  // "parquet", "delta", "" of a view
};

class SparkAdapter : public Adapter {
 public:
  SparkAdapter(const HiveSettings& settings, std::string schema)
      : settings_(settings), writer_(settings), reader_(settings), schema_(std::move(schema)) {}

  Status Connect() { return writer_.Ask("SELECT 1").status(); }

  std::string type() const override { return "spark"; }

  Result<std::unique_ptr<Session>> Reader() override {
    return std::unique_ptr<Session>(std::make_unique<SparkSession>(reader_, nullptr));
  }

  void Interrupt() override {
    writer_.Interrupt();
    reader_.Interrupt();
  }

  std::string Quote(const std::string& name) const override { return Quoted(name); }
  std::string TextType() const override { return "string"; }

  Result<std::string> Existing(Session& session, const Node& node) override {
    MR_ASSIGN_OR_RETURN(Relation found, Find(session, TableName(node)));
    return found.kind;
  }

  Result<Rows> Lookup(const std::string& schema, const std::string& name) override {
    SparkSession session(reader_, nullptr);
    MR_ASSIGN_OR_RETURN(Relation found, Find(session, Quoted(schema) + "." + Quoted(name)));
    Rows out;
    out.columns = {"database", "schema", "name", "kind"};
    if (!found.kind.empty()) out.rows.push_back(Value::List{"", schema, name, found.kind});
    return out;
  }

  Result<bool> HasSchema(const std::string& name) override {
    auto found = Query("DESCRIBE SCHEMA " + Quoted(name));
    if (found.ok()) return true;
    if (found.status().code() == Code::kUnknownTable) return false;
    return found.status();
  }

  // A view of the session: the query runs where it is read from.
  std::string Temporary(const std::string& name) const override { return Quoted(name); }

  Result<int64_t> CreateTemporary(Session& session, const std::string& name,
                                  const std::string& sql) override {
    MR_RETURN_IF_ERROR(
        session.Run("CREATE OR REPLACE TEMPORARY VIEW " + Temporary(name) + " AS (" + sql + "\n)"));
    return int64_t{-1};
  }

  Result<int64_t> Replace(Session& session, const Node& node, const std::string& /*existing*/,
                          const Definition& definition) override {
    MR_ASSIGN_OR_RETURN(Relation old, Find(session, TableName(node)));
    if (definition.kind == "VIEW") return ReplaceByView(session, node, old, definition);
    const bool in_place = IsDelta(node) && (old.kind.empty() || old.provider == "delta");
    if (in_place && !definition.query.empty()) {
      return session.Count("CREATE OR REPLACE TABLE " + TableName(node) + Storage(node) +
                           definition.Text());
    }
    if (node.config.has("location_root")) {
      return Unsupported(
          "location_root, where a table is made beside the old one,",
          "it works with file_format: delta, without a contract, and where no view or "
          "table of another format is in the way");
    }
    return ReplaceFromBeside(session, node, old, definition);
  }

  std::string IncrementalStrategy(const Node& node) const override {
    return node.config["incremental_strategy"].text_or("append");
  }

  // The partitions that the rows are in, or all that is there where there are none.
  Status Overwrite(Session& session, const Node& node, const std::string& target,
                   const std::string& columns, const std::string& staged) override {
    const bool parts = !node.config["partition_by"].texts().empty();
    MR_RETURN_IF_ERROR(session.Run(std::string("SET spark.sql.sources.partitionOverwriteMode = ") +
                                   (parts ? "dynamic" : "static")));
    return session.Run(fmt::format("INSERT OVERWRITE TABLE {} ({}) SELECT {} FROM {}", target,
                                   columns, columns, staged));
  }

  Status Check(const Node& node) const override {
    if (node.kind == "test") return Status::Ok();
    if (node.kind == "unit_test") {
      return Unsupported("a unit test", "run it on a target of type duckdb or postgres");
    }
    const std::vector<std::string> formats = {"parquet", "orc", "json", "csv", "text", "delta"};
    if (std::find(formats.begin(), formats.end(), FormatOf(node)) == formats.end()) {
      return Unsupported(fmt::format("file_format \"{}\"", FormatOf(node)),
                         "there is: " + Join(formats, ", "));
    }
    if (node.config.has("location_root") && !IsDelta(node)) {
      return Unsupported(
          "location_root with file_format: " + FormatOf(node),
          "write file_format: delta: Spark makes no other table anew where files lie");
    }
    for (const char* config : {"incremental_predicates", "predicates", "persist_constraints"}) {
      if (!node.config[config].truth()) continue;
      return Unsupported(fmt::format("the config {}", config), "take it out of the model");
    }
    if (node.kind == "snapshot") return CheckSnapshot(node);
    return node.materialized() == "incremental" ? CheckIncremental(node) : Status::Ok();
  }

  bool MergesVersions() const override { return true; }

  std::string Hash(const std::string& text) const override { return "md5(" + text + ")"; }

  std::string Differs(const std::string& a, const std::string& b) const override {
    return fmt::format("(NOT ({} <=> {}))", a, b);
  }

  std::string ValidTo(const std::string& from, const std::string& until) const override {
    const std::string none = fmt::format("nullif({0}, {0})", from);
    return until == "NULL" ? none : fmt::format("coalesce({}, {})", none, until);
  }

  // A declared constraint would have to be added to the table after it is there.
  bool Holds(const std::string& /*constraint*/) const override { return false; }

  std::string TimestampLiteral(int64_t micros) const override {
    return fmt::format("timestamp_micros({})", micros);
  }

  std::string MicrosOf(const std::string& expression) const override {
    return "unix_micros(CAST(" + expression + " AS timestamp))";
  }

  // As dbt-spark has them.
  std::string SeedType(const std::string& type) const override {
    if (type == "VARCHAR") return "string";
    return type == "INTEGER" ? "bigint" : ToLower(type);
  }

 protected:
  Result<std::unique_ptr<Adapter>> Connected() const override {
    auto adapter = std::make_unique<SparkAdapter>(settings_, schema_);
    MR_RETURN_IF_ERROR(adapter->Connect());
    return std::unique_ptr<Adapter>(std::move(adapter));
  }

  Status Attempt(const Body& body) override {
    MR_ASSIGN_OR_RETURN(duck::Warehouse * files, FileReader());
    SparkSession session(writer_, files);
    return body(session);
  }

 private:

  static Status CheckSnapshot(const Node& node) {
    if (!IsDelta(node)) {
      return Status(
                 Code::kUnsupported,
                 fmt::format("a snapshot needs file_format: delta on Spark, not {}: the versions "
                             "are merged",
                             FormatOf(node)))
          .WithHint("set file_format: delta in its config, where the server has Delta Lake");
    }
    if (node.config["hard_deletes"].text() == "new_record") {
      return Unsupported("hard_deletes: new_record", "there is: ignore, invalidate");
    }
    return Status::Ok();
  }

  Status CheckIncremental(const Node& node) const {
    const std::string strategy = IncrementalStrategy(node);
    if (strategy == "append" || strategy == "insert_overwrite") return Status::Ok();
    if (strategy != "merge") {
      return Unsupported(fmt::format("incremental_strategy \"{}\"", strategy),
                         "there is: append, insert_overwrite, merge");
    }
    if (IsDelta(node)) return Status::Ok();
    return Status(
               Code::kUnsupported,
               fmt::format("incremental_strategy \"merge\" needs file_format: delta on Spark, not "
                           "{}",
                           FormatOf(node)))
        .WithHint("set file_format: delta in the config, where the server has Delta Lake");
  }

  // Kind and format, out of what DESCRIBE says after the columns.
  static Result<Relation> Find(Session& session, const std::string& name) {
    auto described = session.Query("DESCRIBE TABLE EXTENDED " + name);
    if (described.status().code() == Code::kUnknownTable) return Relation{};
    MR_RETURN_IF_ERROR(described.status());
    Relation out{"BASE TABLE", ""};
    bool behind = false;
    for (const Value& row : described->rows) {
      const std::string key = row[size_t{0}].text(), value = row[size_t{1}].text();
      behind |= key == "# Detailed Table Information";
      if (behind && key == "Type" && value == "VIEW") out.kind = "VIEW";
      if (behind && key == "Provider") out.provider = ToLower(value);
    }
    return out;
  }

  static Status Drop(Session& session, const std::string& name, const Relation& old) {
    if (old.kind.empty()) return Status::Ok();
    return session.Run(std::string("DROP ") + (old.kind == "VIEW" ? "VIEW" : "TABLE") +
                       " IF EXISTS " + name);
  }

  Result<int64_t> ReplaceByView(Session& session, const Node& node, const Relation& old,
                                const Definition& definition) {
    const std::string name = TableName(node);
    if (old.kind == "BASE TABLE") {
      // A query that is no good leaves the table.
      MR_RETURN_IF_ERROR(session.ColumnsOfQuery(definition.query).status());
      MR_RETURN_IF_ERROR(Drop(session, name, old));
    }
    MR_RETURN_IF_ERROR(session.Run("CREATE OR REPLACE VIEW " + name + " " + definition.Text()));
    return int64_t{-1};
  }

  Result<int64_t> ReplaceFromBeside(Session& session, const Node& node, const Relation& old,
                                    const Definition& definition) {
    const std::string name = TableName(node);
    MR_RETURN_IF_ERROR(DropBesides(session, node));
    Node made = node;
    made.alias += fmt::format("{}{}", kBeside, env::Clock::System()->WallMicros());
    const std::string beside = TableName(made);
    int64_t rows = -1;
    const auto make = [&]() -> Status {
      const std::string create = "CREATE TABLE " + beside;
      MR_RETURN_IF_ERROR(session.Run(definition.query.empty()
                                         ? create + " " + definition.Text() + Storage(node)
                                         : create + Storage(node) + definition.Text()));
      if (definition.fill) {
        MR_ASSIGN_OR_RETURN(rows, definition.fill(beside));
      }
      return Drop(session, name, old);
    };
    Status status = make();
    if (!status.ok()) {
      (void)Drop(session, beside, {"BASE TABLE", ""});  // the first error is the one to tell
      return status;
    }
    MR_RETURN_IF_ERROR(session.Run(fmt::format("ALTER TABLE {} RENAME TO {}", beside, name)));
    return rows;
  }

  // What killed runs left.
  Status DropBesides(Session& session, const Node& node) {
    MR_ASSIGN_OR_RETURN(Rows left,
                        session.Query(fmt::format("SHOW TABLES IN {} LIKE {}", SchemaName(node),
                                                  Literal(node.alias + kBeside + "*"))));
    for (const Value& row : left.rows) {  // namespace, name, isTemporary
      Node old = node;
      old.alias = row[size_t{1}].text();
      MR_RETURN_IF_ERROR(Drop(session, TableName(old), {"BASE TABLE", ""}));
    }
    return Status::Ok();
  }

  static constexpr const char* kBeside = "__millrace_new_";

  const HiveSettings settings_;
  HiveClient writer_, reader_;
  std::string schema_;
};

// Refuses what would have to be ignored.
Status CheckOutput(const Value& output) {
  const std::string method = output["method"].text_or("thrift");
  if (method != "thrift") {
    return Unsupported("method: " + method + " in profiles.yml",
                       "write thrift, and host and port of a Spark Thrift server");
  }
  for (const char* name : {"cluster", "endpoint", "token", "driver", "organization", "use_ssl",
                           "kerberos_service_name", "query_timeout", "connection_string_suffix"}) {
    if (!output[name].truth()) continue;
    return Unsupported(fmt::format("{} in profiles.yml", name), "take it out of the target");
  }
  for (const char* name : {"host", "schema"}) {
    if (output[name].truth()) continue;
    return Status(Code::kBadOption, fmt::format("the target needs {} in profiles.yml", name));
  }
  if (output.has("database") && output["database"].text() != output["schema"].text()) {
    return Status(Code::kBadOption, "database in profiles.yml differs from schema")
        .WithHint("on Spark a schema is a database: leave it out");
  }
  const std::string auth = output["auth"].text_or("NONE");
  for (const char* known : {"NONE", "NOSASL", "LDAP", "CUSTOM"}) {
    if (EqualsIgnoreCase(auth, known)) return Status::Ok();
  }
  return Unsupported("auth: " + auth + " in profiles.yml", "there is: NONE, NOSASL, LDAP, CUSTOM");
}

}  // namespace

Result<std::unique_ptr<Adapter>> OpenSpark(const Project& project) {
  const Value& output = project.profile.output;
  MR_RETURN_IF_ERROR(CheckOutput(output));
  HiveSettings settings;
  settings.host = output["host"].text();
  settings.port = output["port"].text_or("10000");
  settings.user = output["user"].text_or("millrace");
  // Where nobody checks it there must be one all the same.
  settings.password = output["password"].text_or("x");
  settings.sasl = !EqualsIgnoreCase(output["auth"].text(), "NOSASL");
  settings.connect_timeout_ms =
      1000 *
      std::max<int64_t>(1, output.has("connect_timeout") ? output["connect_timeout"].whole() : 10);
  const std::string schema = Quoted(project.profile.schema);
  for (const auto& [name, value] : output["server_side_parameters"].map()) {
    settings.first_statements.push_back(fmt::format("SET {} = {}", name, value.text()));
  }
  // As dbt-spark, so that SQL means the same with Spark 3 and 4, and with either of us.
  settings.first_statements.emplace_back("SET spark.sql.ansi.enabled = false");
  settings.first_statements.push_back("CREATE SCHEMA IF NOT EXISTS " + schema);
  settings.first_statements.push_back("USE " + schema);
  auto adapter = std::make_unique<SparkAdapter>(settings, project.profile.schema);
  MR_RETURN_IF_ERROR(adapter->Connect());
  return std::unique_ptr<Adapter>(std::move(adapter));
}

}  // namespace millrace::dbt
