// The command line's shape: every command with its options, help and examples (CLI11), and the way
// from argv to the function that carries it out.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <system_error>

#include "base/strings.h"
#include "cli/app_batch.h"
#include "cli/app_changes.h"
#include "cli/app_dlq.h"
#include "cli/app_lineage.h"
#include "cli/app_schema.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/dbt.h"
#include "cli/docs_serve.h"
#include "cli/schema_import.h"
#include "cli/terminal.h"
#include "dbt/project.h"
#include "sql/statement_list.h"

namespace millrace::cli {

namespace {

constexpr const char* kStart = "Start";
constexpr const char* kRunGroup = "Run";
constexpr const char* kModels = "Models (dbt projects)";
constexpr const char* kLook = "Look inside";

constexpr const char* kFooter = R"(Examples:
  millrace init shop && millrace dev shop      a first project, running, with its page
  millrace sql shop -c "SELECT * FROM page_view_counts LIMIT 5"
  millrace topics -C shop produce page-views < events.jsonl
  millrace run report.sql                      the statements of one file

A project is a directory with millrace.yml, sql/*.sql and dashboards/*.yml. Its data lives in
.millrace/; deleting that starts it over.

Exit codes: 0 fine; 1 something for you to mend (faults, bad SQL, unknown topic); 2 the command
line; 3 a server or the disk; 4 a bug of Millrace.

`millrace COMMAND --help` tells more about each command.)";

// Everything the commands take; filled while argv is parsed.
struct AllOptions {
  InitOptions init;
  ValidateOptions validate;
  TestOptions test;
  DevOptions dev;
  RunOptions run;
  BatchOptions batch;
  DbtOptions dbt;
  DocsServeOptions docs_serve;
  SqlOptions sql;
  TopicsOptions topics;
  DlqOptions dlq;
  SchemaImportOptions schema_import;
  SchemaOptions schema;
  StatusOptions status;
  LedgerOptions ledger;
  ReconcileOptions reconcile;
  VerifyOptions verify;
  ReprocessOptions reprocess;
  LineageOptions lineage;
  TraceOptions trace;
  PlanOptions plan;
  ExplainOptions explain;
  ConnectorsOptions connectors;
  FunctionsOptions functions;
};

using Command = std::function<int()>;

class CommandLine {
 public:
  CommandLine() {
    app_.name("millrace");
    app_.set_version_flag("--version", std::string("millrace ") + kVersion);
    app_.add_option("--data-dir", data_directory_,
                    "Where log, state and warehouse live; default: .millrace in the project")
        ->type_name("DIR")
        ->envname("MILLRACE_DATA_DIR");
    app_.require_subcommand(1);
    app_.footer(kFooter);
    app_.get_formatter()->column_width(34);
    AddStart();
    AddRunning();
    AddDbtCommands();
    auto add = [this](const char* name, const char* summary, const char* footer, Command command) {
      return Add(kRunGroup, name, summary, footer, std::move(command));
    };
    AddBatchCommand(add, options_.batch);
    AddChangeCommands(add, options_.plan, options_.reprocess);
    AddTopics();
    AddDlqCommands(
        app_.add_subcommand("dlq", "Dead letters: look, edit, replay, discard")->group(kLook),
        options_.dlq, [this](Command command) { chosen_ = std::move(command); });
    AddLooking();
    AddLineageCommands(
        [this](const char* name, const char* summary, const char* footer, Command command) {
          return Add(kLook, name, summary, footer, std::move(command));
        },
        options_.lineage, options_.trace);
  }

  int Run(int argc, const char* const* argv);

 private:
  CLI::App* Add(const char* group, const char* name, const char* summary, const char* footer,
                Command command) {
    CLI::App* sub = app_.add_subcommand(name, summary)->group(group);
    sub->footer(footer);
    sub->fallthrough();
    sub->callback([this, command = std::move(command)] { chosen_ = command; });
    return sub;
  }

  CLI::App* AddTopic(CLI::App* topics, const char* name, const char* summary, const char* footer,
                     Command command) {
    CLI::App* sub = topics->add_subcommand(name, summary)->fallthrough();
    sub->footer(footer);
    sub->callback([this, command = std::move(command)] { chosen_ = command; });
    return sub;
  }

  CLI::App* AddDbt(const char* name, const char* summary, const char* footer);
  void AddDbtOptions(CLI::App* sub);
  void AddDbtSelection(CLI::App* sub);

  static void AddTarget(CLI::App* sub, std::string& target) {
    sub->add_option("-t,--target", target, "Target of millrace.yml; default: the one it names")
        ->type_name("NAME");
  }

  static void AddLogLevel(CLI::App* sub, std::string& level) {
    sub->add_option("--log-level", level, "debug, info, warn, error or off")
        ->type_name("LEVEL")
        ->capture_default_str();
  }

  void AddStart();
  void AddRunning();
  void AddDbtCommands();
  void AddTopics();
  void AddProduce(CLI::App* topics);
  void AddConsume(CLI::App* topics);
  void AddMirror(CLI::App* topics);
  void AddLooking();
  int Complain(const CLI::ParseError& error, int argc, const char* const* argv);

  CLI::App app_{
      "Millrace: a whole data pipeline in one program: events in, streaming SQL, results "
      "and a live page out."};
  AllOptions options_;
  std::string data_directory_;
  Command chosen_;
};

void CommandLine::AddStart() {
  CLI::App* init = Add(kStart, "init", "Write a small working project",
                       "Example:\n  millrace init shop && millrace dev shop\n\n"
                       "Writes nothing when one of its files is there already.",
                       [this] { return RunInit(options_.init); });
  init->add_option("dir", options_.init.directory, "Where; made when missing")
      ->type_name("DIR")
      ->capture_default_str();

  CLI::App* validate =
      Add(kStart, "validate", "Find every fault of a project, without running it",
          "Examples:\n  millrace validate\n  millrace validate shop --target prod\n"
          "  millrace validate job.sql\n\n"
          "Says at the end what was checked, and what only the running project can find out.",
          [this] { return RunValidate(options_.validate); });
  validate->add_option("path", options_.validate.path, "A project or an .sql file")
      ->type_name("DIR|FILE")
      ->capture_default_str();
  AddTarget(validate, options_.validate.target);

  CLI::App* test =
      Add(kStart, "test", "Run the unit tests of a project's SQL: tests/*.yml",
          "Examples:\n  millrace test\n  millrace test shop --only 'per minute'\n"
          "  millrace test --thorough\n\n"
          "A test gives rows with their event times, watermarks and crashes, and expects tables,\n"
          "changelogs and dead letters:\n\n"
          "  tests:\n"
          "    - name: counts views\n"
          "      steps:\n"
          "        - rows: {page_views: [{url: /a, event_time: \"2026-03-01 10:00:01\"}]}\n"
          "        - crash\n"
          "        - watermark: {page_views: \"2026-03-01 10:01:00\"}\n"
          "      expect:\n"
          "        tables: {page_view_counts: [{url: /a, views: 1}]}\n\n"
          "Runs the project's own jobs over a log of their own; touches no data of the project.\n"
          "Exit code 1 when a test fails. docs/testing-your-sql.md tells more.\n"
          "A directory with dbt_project.yml: runs that project's tests, too; with --select only\n"
          "those.",
          [this] {
            const std::string& directory = options_.test.directory;
            if (!IsDbtProject(directory)) return RunTest(options_.test);
            if (HasSqlTests(directory) && options_.dbt.select.empty()) {
              if (const int code = RunTest(options_.test); code != kExitOk) return code;
            }
            options_.dbt.command = "test";
            options_.dbt.directory = options_.test.directory;
            return RunDbt(options_.dbt);
          });
  test->add_option("dir", options_.test.directory, "The project")
      ->type_name("DIR")
      ->capture_default_str();
  test->add_option("--only", options_.test.only, "Only tests with this in their name")
      ->type_name("TEXT");
  test->add_flag("--thorough", options_.test.thorough,
                 "Each test again with an epoch per record, and with a crash after every step");
  test->add_option("-t,--target", options_.dbt.target, "Of a dbt project: target of profiles.yml")
      ->type_name("NAME");
  AddDbtSelection(test);

  CLI::App* schema =
      app_.add_subcommand("schema", "Schemas of topics, and tables from other schemas")
          ->group(kStart);
  schema->require_subcommand(1);
  CLI::App* import = AddTopic(
      schema, "import", "Print the CREATE TABLE that a JSON Schema amounts to",
      "Example:\n  millrace schema import order.json --table orders > sql/orders.sql\n\n"
      "Bounds, lengths, patterns and enums become CHECKs; what is not carried over is named in\n"
      "comments at the end.",
      [this] { return RunSchemaImport(options_.schema_import); });
  import->add_option("file", options_.schema_import.file, "The schema")
      ->type_name("FILE.json")
      ->required();
  import->add_option("--table", options_.schema_import.table, "Name of table and topic")
      ->type_name("NAME")
      ->required();
  AddSchemaCommands(schema, options_.schema,
                    [this](Command command) { chosen_ = std::move(command); });
}

void CommandLine::AddRunning() {
  CLI::App* dev = Add(
      kRunGroup, "dev", "Run a project: collector, log, jobs, warehouse and page in one process",
      "Examples:\n  millrace dev\n  millrace dev shop --port 0 --log-file\n\n"
      "Ctrl-C (SIGINT) or SIGTERM stops it: events that were acknowledged are in the log,\n"
      "jobs commit and write a checkpoint, and the next start goes on from there.",
      [this] { return RunDev(options_.dev); });
  dev->add_option("dir", options_.dev.directory, "The project")
      ->type_name("DIR")
      ->capture_default_str();
  AddTarget(dev, options_.dev.target);
  dev->add_option("-p,--port", options_.dev.port,
                  "Port of page and API; 0: a free one; default: millrace.yml")
      ->type_name("N")
      ->check(CLI::Range(0, 65535));
  dev->add_option("--host", options_.dev.host,
                  "Address to listen on; default: millrace.yml, 127.0.0.1")
      ->type_name("ADDRESS");
  dev->add_option("--kafka-listen", options_.dev.kafka_listen,
                  "Where Kafka clients find the log; default: millrace.yml, else nowhere")
      ->type_name("HOST:PORT");
  dev->add_option("--seconds", options_.dev.seconds, "End by itself after this long")
      ->type_name("N");
  AddLogLevel(dev, options_.dev.log_level);
  dev->add_flag("--log-file", options_.dev.log_file, "Log to .millrace/dev.log instead of stderr");

  CLI::App* run = Add(
      kRunGroup, "run", "Run the statements of a file or project until they end",
      "Examples:\n  millrace run report.sql\n  millrace run shop --target prod\n"
      "  millrace run clicks.sql -n 20        the first 20 rows of its SELECT\n\n"
      "INSERT jobs end with their sources; without an end, Ctrl-C stops them with a checkpoint.\n"
      "Then each SELECT prints its rows. EXPLAIN, SHOW and DESCRIBE answer first. State lives\n"
      "in .millrace/ beside the file: a second run goes on where the first one ended.\n\n"
      "A directory with dbt_project.yml: builds its models; see `millrace build --help`.",
      [this] {
        if (!IsDbtProject(options_.run.path)) return RunRun(options_.run);
        options_.dbt.command = "run";
        options_.dbt.directory = options_.run.path;
        options_.dbt.target = options_.run.target;
        return RunDbt(options_.dbt);
      });
  run->footer(run->get_footer() + "\n\nStatements begin with " +
              Join(sql::StatementFirstWords(), ", ") +
              ":\ndocs/reference/sql.md tells what each takes.");
  options_.run.path = ".";
  run->add_option("path", options_.run.path, "An .sql file or a project; default: .")
      ->type_name("FILE|DIR");
  run->add_option("--kafka-listen", options_.run.kafka_listen,
                  "Where Kafka clients find the log meanwhile; default: millrace.yml, else nowhere")
      ->type_name("HOST:PORT");
  AddTarget(run, options_.run.target);
  run->add_option("-n,--rows", options_.run.rows_max, "End each SELECT after this many rows")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  AddLogLevel(run, options_.run.log_level);
  AddDbtSelection(run);
}

void CommandLine::AddDbtSelection(CLI::App* sub) {
  sub->add_option("-s,--select", options_.dbt.select,
                  "Nodes of a dbt project: orders, +orders, tag:daily, path:models/marts")
      ->type_name("NODES");
  sub->add_option("--exclude", options_.dbt.exclude, "Nodes to leave out")->type_name("NODES");
  sub->add_option("--vars", options_.dbt.vars, "Variables of a dbt project, as YAML: '{days: 7}'")
      ->type_name("YAML");
  sub->add_option("--profiles-dir", options_.dbt.profiles_directory, "Where profiles.yml lies")
      ->type_name("DIR");
  sub->add_flag("--full-refresh", options_.dbt.full_refresh,
                "Make incremental models anew from nothing");
  sub->add_flag("--fail-fast", options_.dbt.fail_fast,
                "Stop at the first node that fails, and break off what runs beside it");
  sub->add_option("--threads", options_.dbt.threads,
                  "How many nodes run at once [the profile's threads, or 1]")
      ->type_name("N")
      ->check(CLI::Range(1, dbt::kThreadsMax));
  sub->add_option("--state", options_.dbt.state,
                  "Artifacts of an earlier run, for state:modified, result:error, --defer")
      ->type_name("DIR");
  sub->add_flag("--defer", options_.dbt.defer,
                "Read what is not built now, and not there, where --state has it");
  sub->add_flag("--favor-state", options_.dbt.favor_state, "With --defer: even if it is there");
  sub->add_option("--event-time-start", options_.dbt.event_time_start,
                  "Microbatch models: build their batches from here on")
      ->type_name("TIME");
  sub->add_option("--event-time-end", options_.dbt.event_time_end, "… up to here")
      ->type_name("TIME");
  sub->add_flag("--store-failures", options_.dbt.store_failures,
                "Keep the rows that fail a test in a table of its name");
}

CLI::App* CommandLine::AddDbt(const char* name, const char* summary, const char* footer) {
  CLI::App* sub = Add(kModels, name, summary, footer, [this, name] {
    options_.dbt.command = name;
    return RunDbt(options_.dbt);
  });
  AddDbtOptions(sub);
  return sub;
}

void CommandLine::AddDbtOptions(CLI::App* sub) {
  sub->add_option("dir,--project-dir", options_.dbt.directory, "A directory with dbt_project.yml")
      ->type_name("DIR")
      ->capture_default_str();
  sub->add_option("-t,--target", options_.dbt.target, "Target of profiles.yml")->type_name("NAME");
  AddDbtSelection(sub);
}

void CommandLine::AddDbtCommands() {
  AddDbt("build", "Seeds, models, snapshots and tests of a dbt project, in their order",
         "Examples:\n  millrace build shop\n  millrace build shop --select +orders\n"
         "  millrace build --full-refresh --vars '{days: 7}'\n\n"
         "Runs in DuckDB: the file of profiles.yml, or .millrace/warehouse.duckdb. Every model is\n"
         "one transaction. Writes target/manifest.json, run_results.json and compiled/.");
  AddDbt("seed", "Load the CSV files of a dbt project", "Example:\n  millrace seed shop");
  AddDbt("snapshot", "Note new versions of rows in a dbt project's snapshots",
         "Example:\n  millrace snapshot shop");
  AddDbt("compile", "Write the SQL of a dbt project to target/compiled, and run nothing",
         "Example:\n  millrace compile shop -s orders");
  AddDbt("retry",
         "Run what the last run of a dbt project left undone: failed, skipped, not reached",
         "Example:\n  millrace retry shop\n\nAlso after the process was killed.");
  CLI::App* docs = app_.add_subcommand("docs", "A page about a dbt project")->group(kModels);
  docs->require_subcommand(1);
  AddDbtOptions(
      AddTopic(docs, "generate", "Write target/index.html, with the lineage of all columns",
               "Example:\n  millrace docs generate shop\n\n"
               "Also writes manifest.json, catalog.json and column_lineage.json. The page "
               "needs no server.",
               [this] {
                 options_.dbt.command = "docs";
                 return RunDbt(options_.dbt);
               }));
  CLI::App* serve = AddTopic(docs, "serve", "Show that page at http://127.0.0.1:8080",
                             "Example:\n  millrace docs serve shop --port 8090",
                             [this] { return RunDocsServe(options_.docs_serve); });
  serve->add_option("dir,--project-dir", options_.docs_serve.directory, "The dbt project");
  serve->add_option("-p,--port", options_.docs_serve.port, "0: a free one")
      ->check(CLI::Range(0, 65535));
  serve->add_option("--host", options_.docs_serve.host, "Address to listen on");
  serve->add_flag("--no-browser", options_.docs_serve.no_browser,
                  "As dbt has it: none is opened in any case");
  CLI::App* ls = AddDbt("ls", "List the nodes of a dbt project",
                        "Example:\n  millrace ls shop -s +orders --output name");
  ls->add_option("--downstream-of", options_.dbt.downstream_of,
                 "The columns that depend on this one, by the models' queries")
      ->type_name("MODEL.COLUMN");
  ls->add_option("--output", options_.dbt.format, "selector, name, path or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"selector", "name", "path", "json"}))
      ->capture_default_str();
}

void CommandLine::AddTopics() {
  CLI::App* topics =
      app_.add_subcommand("topics", "List, make, fill and read the topics of the log")
          ->group(kLook);
  topics->require_subcommand(1);
  topics->footer(
      "Beside a running `millrace dev` of the project these go over HTTP, otherwise to its log.");
  topics->add_option("-C,--project", options_.topics.directory, "The project")
      ->type_name("DIR")
      ->capture_default_str();
  AddTarget(topics, options_.topics.target);

  CLI::App* list = AddTopic(topics, "list", "All topics", "Example:\n  millrace topics list",
                            [this] { return RunTopicsList(options_.topics); });
  list->add_flag("--all", options_.topics.all, "Those that Millrace keeps for itself, too");
  CLI::App* describe = AddTopic(topics, "describe", "Partitions and offsets of a topic",
                                "Example:\n  millrace topics describe page-views",
                                [this] { return RunTopicsDescribe(options_.topics); });
  CLI::App* create =
      AddTopic(topics, "create", "Make a topic",
               "Example:\n  millrace topics create clicks --partitions 4 --retention '30 d'",
               [this] { return RunTopicsCreate(options_.topics); });
  create->add_option("--partitions", options_.topics.partitions, "How many")
      ->type_name("N")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  create
      ->add_option("--retention", options_.topics.retention,
                   "How long records are kept; -1: for ever; default: 7 d")
      ->type_name("TIME");
  CLI::App* remove = AddTopic(topics, "delete", "Delete a topic and its records",
                              "Example:\n  millrace topics delete clicks",
                              [this] { return RunTopicsDelete(options_.topics); });
  for (CLI::App* sub : {describe, create, remove}) {
    sub->add_option("topic", options_.topics.topic, "Its name")->type_name("NAME")->required();
  }
  AddProduce(topics);
  AddConsume(topics);
  AddMirror(topics);
}

void CommandLine::AddProduce(CLI::App* topics) {
  TopicsOptions& to = options_.topics;
  CLI::App* produce = AddTopic(
      topics, "produce", "Write lines to a topic, one record each",
      "Examples:\n  millrace topics produce page-views events.jsonl\n"
      "  echo '{\"user_id\": 7}' | millrace topics produce page-views --key-field user_id\n"
      "  printf 'k1:v1\\nk2:v2\\n' | millrace topics produce clicks --key-separator :\n\n"
      "Lines are written as they are. With --validate each must fit the topic's table; those that\n"
      "do not are named, go to the dead letters, and make the exit code 1. Validated events get\n"
      "the key column of the table, and are written in its format: Avro, Protobuf, JSON Schema.",
      [this] { return RunTopicsProduce(options_.topics); });
  produce->add_option("topic", to.topic, "Its name")->type_name("NAME")->required();
  produce->add_option("file", to.file, "Where the lines are; default: stdin")->type_name("FILE");
  CLI::Option* field =
      produce->add_option("--key-field", to.key_field, "Field of each JSON line that is its key")
          ->type_name("F");
  CLI::Option* separator =
      produce->add_option("--key-separator", to.key_separator, "Lines are key, this text, value")
          ->type_name("S");
  CLI::Option* partition =
      produce->add_option("--partition", to.partition, "Write to this partition; default: by key")
          ->type_name("P")
          ->check(CLI::NonNegativeNumber);
  CLI::Option* validate =
      produce->add_flag("--validate", to.validate, "Only lines that fit the topic's table");
  field->excludes(separator);
  validate->excludes(field)->excludes(separator)->excludes(partition);
}

void CommandLine::AddMirror(CLI::App* topics) {
  TopicsOptions& to = options_.topics;
  CLI::App* mirror = AddTopic(
      topics, "mirror", "Copy a topic between the log and a Kafka cluster, each record once",
      "Examples:\n  millrace topics mirror orders --from kafka:9092           into the log\n"
      "  millrace topics mirror orders --to kafka:9092 --follow    out of it, until Ctrl-C\n"
      "  millrace topics mirror orders --from a:9092 --to b:9092   between two clusters\n\n"
      "Partitions, keys, times and headers stay; the header millrace.source.offset says where a\n"
      "record was. How far it came is committed with the records, so that it can be stopped,\n"
      "killed and started again. The copy is made with as many partitions when it is not there.",
      [this] { return RunTopicsMirror(options_.topics); });
  mirror->add_option("topic", to.topic, "Its name")->type_name("NAME")->required();
  mirror->add_option("--from", to.from, "Brokers to read from; default: the project's log")
      ->type_name("HOST:PORT,…");
  mirror->add_option("--to", to.to, "Brokers to write to; default: the project's log")
      ->type_name("HOST:PORT,…");
  mirror->add_option("--as", to.as, "Name of the copy; default: the same")->type_name("NAME");
  mirror->add_flag("-f,--follow", to.follow, "Go on with new records as they come");
  mirror
      ->add_option("-X,--setting", to.settings,
                   "Setting of the cluster's clients, as 'properties.*' of a table; repeatable")
      ->type_name("NAME=VALUE");
}

void CommandLine::AddConsume(CLI::App* topics) {
  TopicsOptions& to = options_.topics;
  CLI::App* consume = AddTopic(
      topics, "consume", "Print records of a topic",
      "Examples:\n  millrace topics consume page-views                    the 10 newest\n"
      "  millrace topics consume page-views --from-beginning   all that are kept\n"
      "  millrace topics consume page-views --follow           new ones, until Ctrl-C\n"
      "  millrace topics consume page-views --format '%p %o %k %s\\n'\n\n"
      "Formats as kcat's: %t topic, %p partition, %o offset, %T time in ms, %k key, %s value,\n"
      "%K and %S their lengths, %% a percent sign. Partitions are merged by time.",
      [this] { return RunTopicsConsume(options_.topics); });
  consume->add_option("topic", to.topic, "Its name")->type_name("NAME")->required();
  consume->add_flag("--from-beginning", to.from_beginning, "Begin with the oldest record");
  consume
      ->add_option("-n,--count", to.count,
                   "This many records: the newest, or the first with the other options")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  consume->add_option("--partition", to.partition, "Only this one")
      ->type_name("P")
      ->check(CLI::NonNegativeNumber);
  consume->add_flag("-f,--follow", to.follow, "Go on with new records as they come");
  consume->add_option("--format", to.format, "How to print a record")
      ->type_name("FORMAT")
      ->capture_default_str();
}

void CommandLine::AddLooking() {
  CLI::App* sql = Add(
      kLook, "sql", "Ask the warehouse, the topics and millrace.* tables in SQL",
      "Examples:\n  millrace sql -c \"SELECT * FROM page_view_counts ORDER BY 1 DESC LIMIT 5\"\n"
      "  millrace sql -c \"SELECT count(*) FROM page_views\"        a topic, by its table\n"
      "  millrace sql -c \"FROM millrace.jobs\" --format json\n"
      "  millrace sql shop < questions.sql\n"
      "  millrace sql                                            asks for statements\n\n"
      "DuckDB's SQL, to read. Works beside a running `millrace dev`. millrace.jobs, .sources,\n"
      ".topics and .dead_letters tell about the pipeline. Formats: table; csv, where NULL is an\n"
      "empty cell; json, one object per line.",
      [this] { return RunSql(options_.sql); });
  sql->add_option("dir", options_.sql.directory, "The project")
      ->type_name("DIR")
      ->capture_default_str();
  sql->add_option("-c,--command", options_.sql.sql, "Statements; default: from stdin")
      ->type_name("SQL");
  sql->add_option("--format", options_.sql.format, "table, csv or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"table", "csv", "json"}))
      ->capture_default_str();
  AddTarget(sql, options_.sql.target);

  CLI::App* status =
      Add(kLook, "status", "What the jobs of a running dev are doing",
          "Example:\n  millrace status shop\n\nExit code 1 when no `millrace dev` runs there.",
          [this] { return RunStatus(options_.status); });
  status->add_option("dir", options_.status.directory, "The project")
      ->type_name("DIR")
      ->capture_default_str();
  status->add_flag("--json", options_.status.json, "The whole pipeline as JSON");

  CLI::App* ledger = Add(
      kLook, "ledger", "What became of every row that a job read, and whether it adds up",
      "Examples:\n  millrace ledger\n  millrace ledger page_view_counts\n"
      "  millrace ledger shop page_view_counts --entries 10    the newest ten, one a second\n\n"
      "Per stage: rows in = taken + filtered + late + failed + dropped + unchanged, and what one\n"
      "stage emits comes in at the next. Exit code 1 when something is missing; it then says in\n"
      "which stage, epoch and offsets. More in SQL: millrace.ledger, millrace.ledger_offsets (the\n"
      "epoch that read an offset) and millrace.ledger_gaps. See docs/reference/ledger.md.",
      [this] { return RunLedger(options_.ledger); });
  ledger->add_option("dir", options_.ledger.directory, "The project; what is no path is a job")
      ->type_name("DIR|JOB")
      ->capture_default_str();
  ledger->add_option("job", options_.ledger.job, "One of its jobs; default: all")->type_name("JOB");
  ledger->add_option("--entries", options_.ledger.entries, "List the newest entries instead")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  ledger->add_option("--format", options_.ledger.format, "table, csv or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"table", "csv", "json"}))
      ->capture_default_str();
  AddTarget(ledger, options_.ledger.target);

  CLI::App* reconcile = Add(
      kLook, "reconcile", "Ask whether destinations hold what their sources hold",
      "Examples:\n  millrace reconcile\n  millrace reconcile orders\n"
      "  millrace reconcile shop orders --json\n\n"
      "Asks the checks of reconcile/*.yml now, whatever their interval; a running `millrace dev`\n"
      "asks each when it is due. Results: millrace.reconciliations. Exit code 1 when one differs "
      "by\n"
      "more than it may. See docs/reference/reconcile.md.",
      [this] { return RunReconcile(options_.reconcile); });
  reconcile
      ->add_option("dir", options_.reconcile.directory, "The project; what is no path is a check")
      ->type_name("DIR|NAME")
      ->capture_default_str();
  reconcile->add_option("name", options_.reconcile.name, "One of its checks; default: all")
      ->type_name("NAME");
  reconcile->add_flag("--json", options_.reconcile.json, "One object per line");
  AddTarget(reconcile, options_.reconcile.target);

  CLI::App* verify = Add(
      kLook, "verify", "Compute a job's results again as a batch, and compare row by row",
      "Examples:\n  millrace verify page_view_counts\n"
      "  millrace verify revenue shop --json\n\n"
      "For a job over topics into a 'jdbc' table, beside a running `millrace dev` or without: the\n"
      "job is held up for a moment at the end of an epoch, and goes on. What it had read by then "
      "is\n"
      "computed once more by DuckDB over the stored input, and compared with the rows\n"
      "that the table holds, as far as they are final. Prints a receipt, or the rows that\n"
      "differ (\"expected\" is the batch, \"got\" the table) with exit code 1. Queries that have\n"
      "no equal as a batch are refused with the reason.",
      [this] { return RunVerify(options_.verify); });
  verify->add_option("job", options_.verify.job, "Which one")->type_name("JOB")->required();
  verify->add_option("dir", options_.verify.directory, "The project")
      ->type_name("DIR")
      ->capture_default_str();
  verify->add_option("--limit", options_.verify.lines_max, "Lines of differences at most")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verify->add_flag("--json", options_.verify.json, "As one JSON object");
  AddTarget(verify, options_.verify.target);

  CLI::App* explain =
      Add(kLook, "explain", "The plan of jobs: operators, state, what frees it, delivery",
          "Examples:\n  millrace explain                     all jobs of the project\n"
          "  millrace explain page_view_counts    one of them\n"
          "  millrace explain shop -c \"SELECT url, count(*) FROM page_views GROUP BY url\"",
          [this] { return RunExplain(options_.explain); });
  explain->add_option("path", options_.explain.first, "A project or an .sql file; default: .")
      ->type_name("DIR|FILE");
  explain->add_option("job", options_.explain.second, "One of its jobs; default: all")
      ->type_name("JOB");
  explain
      ->add_option("-c,--command", options_.explain.sql,
                   "A SELECT or INSERT over the project's tables")
      ->type_name("SQL");
  AddTarget(explain, options_.explain.target);

  CLI::App* connectors = Add(kLook, "connectors", "The connectors and their options",
                             "Examples:\n  millrace connectors\n  millrace connectors kafka",
                             [this] { return RunConnectors(options_.connectors); });
  connectors->add_option("name", options_.connectors.name, "One of them")->type_name("NAME");
  connectors->add_flag("--markdown", options_.connectors.markdown, "As a page of the reference");
  CLI::App* functions = Add(kLook, "functions", "The functions of SQL, each with an example",
                            "Examples:\n  millrace functions\n  millrace functions split_index",
                            [this] { return RunFunctions(options_.functions); });
  functions->add_option("name", options_.functions.name, "One of them")->type_name("NAME");
  functions->add_flag("--markdown", options_.functions.markdown, "As part of the reference");
}

int CommandLine::Complain(const CLI::ParseError& error, int argc, const char* const* argv) {
  // --help and --version come as errors too.
  if (error.get_exit_code() == 0) return app_.exit(error);
  std::string hint = "millrace --help";
  std::string message = error.what();
  if (argc > 1 && argv[1][0] != '-') {
    std::vector<std::string> names;
    for (const CLI::App* sub : app_.get_subcommands({})) names.push_back(sub->get_name());
    std::string command = argv[1];
    if (std::find(names.begin(), names.end(), command) != names.end()) {
      hint = "millrace " + command + " --help";
    } else {
      message = fmt::format("there is no command \"{}\"", command);
      hint = DidYouMean(command, names);
    }
  }
  fmt::print(stderr, "error: {}\n  hint: {}\n", message, hint);
  return kExitUsage;
}

int CommandLine::Run(int argc, const char* const* argv) {
  if (argc < 2) {
    fmt::print(stderr, "{}", app_.help());
    return kExitUsage;
  }
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return Complain(error, argc, argv);
  }
  if (!data_directory_.empty()) setenv("MILLRACE_DATA_DIR", data_directory_.c_str(), 1);
  return chosen_();
}

}  // namespace

int Main(int argc, const char* const* argv) {
  try {
    // Whatever is logged by commands without a setting of their own.
    Status logging = SetUpLogging("warn", "");
    if (!logging.ok()) return Fail(logging);
    return CommandLine().Run(argc, argv);
  } catch (const std::system_error& e) {
    // Whoever read our output has seen enough: `millrace … | head`.
    if (e.code() == std::errc::broken_pipe) return kExitOk;
    return Fail(Status(Code::kInternal, e.what()));
  } catch (const std::exception& e) {
    return Fail(
        Status(Code::kInternal, e.what()).WithHint("this is a bug of Millrace, please report it"));
  }
}

}  // namespace millrace::cli
