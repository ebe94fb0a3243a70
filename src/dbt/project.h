// Project: a directory with dbt_project.yml, read and understood; nothing is run yet.
//
// Contract
//   reading  dbt_project.yml, profiles.yml (--profiles-dir, DBT_PROFILES_DIR, the project, ~/.dbt),
//            models, seeds, snapshots, tests, macros and .yml files, and the packages that lie in
//            dbt_packages/. Without profiles.yml: DuckDB in .millrace/warehouse.duckdb.
//   errors   the first one, with file and line.
// Source: https://docs.getdbt.com/reference (dbt 1.11).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dbt/jinja_engine.h"
#include "dbt/node.h"
#include "dbt/past_state.h"

namespace millrace::dbt {

// Each node that runs has a connection of its own.
constexpr int kThreadsMax = 256;

struct ProjectOptions {
  std::string directory = ".";
  std::string profiles_directory;
  std::string target;
  Value vars = Value::Object();  // of the command line; they win
  bool full_refresh = false;
  int threads = 0;  // nodes at once, 1 to kThreadsMax; 0: what the profile says, or else 1
  // Tables of the pipeline that the project is a part of: a source whose table has one of these
  // names is that table.
  std::set<std::string> streams = {};
  bool store_failures = false;  // of tests that do not say
  std::string state_directory;  // artifacts of an earlier run, from the project's directory
  bool defer = false;           // what is not built now may be read where the state has it
  bool favor_state = false;     // and is, even if it is here, too
  // Of microbatch models: "2024-01-01", "" for what the model says.
  std::string event_time_start, event_time_end;
  Value retry_batches = Value::Object();  // by id: [[from, to]] to build instead of any others
};

// One entry of profiles.yml.
struct Profile {
  std::string name;
  std::string target;
  std::string type = "duckdb";  // or "postgres", "clickhouse", "spark"
  std::string database_path;    // duckdb: ":memory:" or a file
  std::string database;         // its name in SQL; clickhouse, spark: "", nothing is above the schema
  std::string schema = "main";
  std::string quote_character;  // around names in SQL; "" for double quotes
  Value settings;   // of DuckDB, by name
  Value attach;     // [{path, alias, type, read_only}]
  int threads = 1;  // how many nodes run at once
  Value output;     // as written; may hold a password
};

struct Package {
  std::string name;
  std::string directory;
  Value config;  // dbt_project.yml
};

class Project {
 public:
  static Result<std::unique_ptr<Project>> Load(const ProjectOptions& options);

  const std::string& name() const { return packages.front().name; }
  // A path of messages and artifacts: relative to the project.
  std::string Absolute(const std::string& path) const;
  Node* Find(const std::string& id);
  // By dbt's rule: the given package, or else the asking node's, the project, any other.
  // Null when there is none, or only a disabled one.
  Node* FindRef(const std::string& package, const std::string& name, const Node& asking);
  Node* FindSource(const std::string& group, const std::string& table);
  // The value of `var(name)` for a package; null if unset.
  const Value* FindVar(const std::string& package, const std::string& name) const;

  ProjectOptions options;
  std::vector<Package> packages;  // the project itself first
  Profile profile;
  std::map<std::string, Node> nodes;  // by id
  std::map<std::string, std::string> docs;
  std::map<std::string, std::string> macros;  // of projects: "macro.shop.cents" -> its text
  std::shared_ptr<const PastState> past;      // of --state; null without
  Value exposures = Value::List{};
  std::string invocation_id;
  std::string target_directory;

  // Answers templates; set by Templates (templates.h) for as long as it lives.
  std::function<Result<Value>(const std::string&, const Value&, const Value&)> host;
  std::unique_ptr<JinjaEngine> engine;

 private:
  friend class ProjectReader;
};

}  // namespace millrace::dbt
