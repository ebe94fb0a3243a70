// Project: a directory with millrace.yml and sql/*.sql, read and checked, nothing started.
//
//   millrace.yml   name, target, targets, topics, serve (all optional)
//   sql/*.sql      read in the order of their names; together they are one script
//   dashboards/*.yml
//   dbt_project.yml  models (project/stream_models.h): those that are streams become tables and
//   jobs .millrace/     run-time data (log/, state/, warehouse.duckdb)
//
// millrace.yml:
//   name: clickstream
//   target: dev                     # the default target
//   targets:
//     dev: {}                       # 'kafka' tables in the embedded log, 'jdbc' tables in the
//     warehouse prod:
//       embedded: [kafka]           # connectors that stay embedded; default for dev: [kafka, jdbc]
//       options:                    # override WITH options of every table with that connector
//         jdbc: {url: "jdbc:postgresql://db:5432/metrics", password: "${env:METRICS_PASSWORD}"}
//         kafka: {properties.bootstrap.servers: "broker-1:9092"}  # where not embedded
//   topics:                         # settings of embedded topics; others get the defaults
//     page-views: {partitions: 4, retention: 30 d, retention-bytes: 10 GB, key: user_id}
//     orders: {strict: true}      # takes only records of its subject in the schema registry
//     clicks: {parquet: true}     # closed segments also as Parquet; or {keep: 400 d}
//   expectations:                   # CHECKs of tables whose SQL is not yours to change
//     orders:
//       quantity_positive: quantity > 0          # else a dead letter
//       price_plausible: {check: total_price < 100000, on-violation: warn}
//   serve: {http: "127.0.0.1:8080", body-max: 1 MB}
//   kafka: {listen: "127.0.0.1:9092"}  # the log for Kafka clients: project/kafka_settings.h
//   warehouse: {memory-limit: 512 MB, threads: 2}
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "job/compiled_job.h"
#include "log/log.h"
#include "project/added_columns.h"
#include "project/kafka_settings.h"
#include "project/stream_models.h"
#include "sql/catalog.h"
#include "sql/statement.h"

namespace millrace::project {

// Whether closed segments are also kept as Parquet (project/history/history_keeper.h).
struct HistorySettings {
  bool on = false;
  // How old records get there, whatever the topic's retention; -1: for ever; none: a file goes with
  // its segment.
  std::optional<int64_t> keep_ms;
};

struct TopicSettings {
  log::TopicConfig config;
  HistorySettings history;
  std::string key;      // column whose value keys collected events; "": the table's 'key.fields'
  bool strict = false;  // takes only records of its subject (registry/record_check.h)
};

// As 'properties.bootstrap.servers': the embedded log, whatever the target.
constexpr const char* kEmbeddedServers = "embedded";

struct Target {
  std::vector<std::string> embedded;
  std::map<std::string, std::map<std::string, std::string>> options;  // by connector
};

struct ProjectConfig {
  std::string name;
  std::string target = "dev";
  std::map<std::string, Target> targets;
  std::map<std::string, TopicSettings> topics;
  // Constraints added to tables, by the table's name.
  std::map<std::string, std::vector<sql::CheckConstraint>> expectations;
  std::string http_host = "127.0.0.1";
  int http_port = 8080;
  int64_t body_bytes_max = 1 << 20;
  KafkaSettings kafka;
  int64_t warehouse_memory_bytes = 512LL << 20;
  int warehouse_threads = 2;
};

// A statement that makes a job, and the settings in force where it stands.
struct JobStatement {
  sql::Insert insert;
  std::string sql;  // as written
  job::JobSettings settings;
};

class Project {
 public:
  // Reads a project directory, or a single .sql file (then its directory is the project's, without
  // millrace.yml). Every fault is appended to `faults`; a project with faults may still be looked
  // at, not run. `target` "": the one of millrace.yml.
  static std::unique_ptr<Project> Load(const std::string& path, const std::string& target,
                                       std::vector<Status>& faults);

  // Adds the statements of a further script, after those that were read; `path` is for messages.
  void AddScript(const std::string& text, const std::string& path, std::vector<Status>& faults);

  // Leaves only the jobs of these names.
  void KeepJobs(const std::set<std::string>& names);

  // Compiles every job and checks every table: all faults, each with its place.
  std::vector<Status> Validate() const;

  // How the chosen target carries out a table: `kafka` -> embedded log, `jdbc` -> warehouse on dev.
  Result<job::Binding> Bind(const sql::Table& table) const;
  bool IsEmbedded(const std::string& connector) const;
  // Whether the table is a topic of the embedded log: on a target that embeds 'kafka', or where its
  // 'properties.bootstrap.servers' is "embedded".
  bool IsInLog(const sql::Table& table) const;

  Result<std::unique_ptr<job::CompiledJob>> Compile(const JobStatement& statement) const;

  const ProjectConfig& config() const { return config_; }
  const sql::Catalog& catalog() const { return catalog_; }
  // The same with the columns that tables got from their records. A job's query sees them where it
  // cannot be bound without them; so what was written before they came stays as it was.
  const sql::Catalog& grown_catalog() const { return added_.columns.empty() ? catalog_ : grown_; }
  const AddedColumns& added_columns() const { return added_; }
  static constexpr const char* kAddedColumnsFile = "drift.json";
  const std::vector<JobStatement>& jobs() const { return jobs_; }  // names are made unique
  const std::vector<sql::Statement>& others() const {
    return others_;
  }  // SELECT, EXPLAIN, SHOW, DESCRIBE
  const std::string& directory() const { return directory_; }
  // The files that it was read from, by path below a project's directory, with their text.
  const std::map<std::string, std::string>& files() const { return files_; }
  // Where log, state and warehouse live: $MILLRACE_DATA_DIR, else `.millrace` in the project.
  std::string data_directory() const;
  // Where state and warehouse live: each target but "dev" has its own; the log is shared.
  std::string target_directory() const;
  // What the scripts' SETs amount to at their end: for statements given by hand.
  const job::JobSettings& settings() const { return settings_; }

 private:
  Project() = default;
  void LoadConfig(const std::string& target, std::vector<Status>& faults);
  void LoadScript(const std::string& path, std::vector<Status>& faults);
  void LoadStreamModels(std::vector<Status>& faults);
  // Says where in a model's template an error is that points into what was made from it.
  Status Placed(Status status) const;
  void Reset(const std::string& key);
  void AddTable(sql::CreateTable definition, std::vector<Status>& faults);
  void LoadAddedColumns(std::vector<Status>& faults);
  void AddGrown(const sql::CreateTable& definition, std::vector<Status>& faults);
  Result<sql::Insert> TakeQueryOf(sql::CreateTable& definition) const;
  Result<std::unique_ptr<job::CompiledJob>> CompileIn(const sql::Catalog& catalog,
                                                      const JobStatement& statement) const;

  std::string directory_;
  std::map<std::string, std::string> files_;
  std::map<std::string, StreamModel> stream_models_;  // by the path in messages
  ProjectConfig config_;
  sql::Catalog catalog_;
  job::JobSettings settings_;
  std::map<std::string, std::string> set_;  // by SET, and not reset: what settings_ is made of
  std::vector<JobStatement> jobs_;
  std::vector<sql::Statement> others_;
  AddedColumns added_;
  sql::Catalog grown_;  // where there are any
};

// Replaces ${env:NAME} and ${file:path} in a value. Error kNotFound names the reference, never a
// value.
Result<std::string> ResolveReferences(const std::string& value);

}  // namespace millrace::project
