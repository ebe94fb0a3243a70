#include "dbt/artifacts.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>

#include "base/strings.h"
#include "base/version.h"
#include "dbt/model_versions.h"
#include "env/clock.h"
#include "env/files.h"

namespace millrace::dbt {

namespace {

std::string Timestamp(int64_t micros) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(static_cast<std::time_t>(micros / 1'000'000)), micros % 1'000'000);
}

// Without a database where the target has none.
Value FullPath(const Node& node) {
  const std::string database = node.database.empty() ? "" : QuoteIdentifier(node.database) + ".";
  return database + QuoteIdentifier(node.schema) + "." + QuoteIdentifier(node.alias);
}

Value NodeEntry(const Node& node) {
  const bool test = node.kind == "test";
  Value columns = Value::Object();
  for (const Value& column : node.properties["columns"].list()) {
    columns.Set(column["name"].text(),
                Value::Object({{"name", column["name"]},
                               {"description", column["description"].text()},
                               {"meta", column["meta"].is_map() ? column["meta"] : Value::Object()},
                               {"data_type", column["data_type"]},
                               {"tags", Value(column["tags"].texts())}}));
  }
  Value config = node.config;
  config.Set("enabled", true);
  config.Set("materialized", node.materialized());
  Value refs = Value::List{};
  for (const Value& ref : node.refs.list()) {
    const Reference asked(ref);
    refs.Append(Value::Object({{"name", asked.name},
                               {"package", asked.package.empty() ? Value() : Value(asked.package)},
                               {"version", ref[2]}}));
  }
  Value entry = Value::Object(
      {{"database", node.database},
       {"schema", node.schema},
       {"name", node.name},
       {"resource_type", node.kind},
       {"package_name", node.package},
       {"path", node.path.substr(std::min(node.path.size(), node.path.find('/') + 1))},
       {"original_file_path", node.path},
       {"unique_id", node.id},
       {"fqn", node.fqn},
       {"alias", node.alias},
       {"checksum", Value::Object({{"name", node.checksum.empty() ? "none" : "sha256"},
                                   {"checksum", node.checksum}})},
       {"config", config},
       {"tags", node.tags},
       {"description", node.properties["description"].text()},
       {"columns", columns},
       {"meta", node.config["meta"].is_map() ? node.config["meta"] : Value::Object()},
       {"raw_code", node.code},
       {"language", "sql"},
       {"refs", refs},
       {"sources", node.source_refs},
       {"metrics", Value::List{}},
       {"depends_on", Value::Object({{"macros", node.macros}, {"nodes", node.depends_on}})},
       {"relation_name", test || node.materialized() == "ephemeral" ? Value() : FullPath(node)}});
  if (node.kind == "model") {
    entry.Set("version", node.properties["version"]);
    entry.Set("latest_version", node.properties["latest_version"]);
  }
  if (!node.compiled.empty()) {
    entry.Set("compiled", true);
    entry.Set("compiled_code", node.compiled);
  }
  if (test && !node.test_name.empty()) {
    entry.Set("column_name", node.column.empty() ? Value() : Value(node.column));
    entry.Set("test_metadata",
              Value::Object({{"name", node.test_name}, {"kwargs", Value::Object()}}));
  }
  return entry;
}

Value SourceEntry(const Node& node) {
  Value entry = NodeEntry(node);
  entry.Set("source_name", node.source_name);
  entry.Set("identifier", node.alias);
  entry.Set("source_description", "");
  entry.Set("loader", "");
  return entry;
}

Value UnitTestEntry(const Node& node) {
  const Value rows = UnitTestRows(node);
  return Value::Object(
      {{"name", node.name},
       {"model", node.tested},
       {"resource_type", "unit_test"},
       {"package_name", node.package},
       {"path", node.path.substr(std::min(node.path.size(), node.path.find('/') + 1))},
       {"original_file_path", node.path},
       {"unique_id", node.id},
       {"fqn", node.fqn},
       {"given", rows["given"]},
       {"expect", rows["expect"]},
       {"overrides", node.properties["overrides"]},
       {"description", node.properties["description"].text()},
       {"config", node.config},
       {"depends_on", Value::Object({{"macros", Value::List{}}, {"nodes", node.depends_on}})}});
}

Value ResultEntry(const NodeResult& result) {
  const Node& node = *result.node;
  Value response = Value::Object({{"_message", result.outcome.message}});
  if (result.outcome.rows >= 0) response.Set("rows_affected", result.outcome.rows);
  Value timing = Value::List{};
  timing.Append(Value::Object({{"name", "execute"},
                               {"started_at", Timestamp(result.started_us)},
                               {"completed_at", Timestamp(result.finished_us)}}));
  const Outcome& outcome = result.outcome;
  const std::string message = result.error.ok() ? outcome.message : result.error.ToString();
  Value entry = Value::Object(
      {{"status", outcome.status},
       {"timing", outcome.status == "skipped" ? Value(Value::List{}) : timing},
       {"thread_id", result.thread == 0 ? "main" : fmt::format("Thread-{}", result.thread)},
       {"execution_time", static_cast<double>(result.finished_us - result.started_us) / 1e6},
       {"adapter_response", response},
       {"message", message.empty() ? Value() : Value(message)},
       {"failures", outcome.failures < 0 ? Value() : Value(outcome.failures)},
       {"unique_id", node.id},
       {"compiled", !node.compiled.empty()},
       {"compiled_code", node.compiled.empty() ? Value() : Value(node.compiled)},
       {"relation_name", node.kind == "test" ? Value() : FullPath(node)}});
  if (!outcome.batches.is_null()) entry.Set("batch_results", outcome.batches);
  return entry;
}

}  // namespace

Value Manifest(const Project& project) {
  Value nodes = Value::Object(), sources = Value::Object(), unit_tests = Value::Object();
  Value parents = Value::Object(), children = Value::Object();
  for (const auto& [id, node] : project.nodes) {
    if (node.kind == "unit_test") {
      unit_tests.map().emplace_back(id, UnitTestEntry(node));
    } else {
      (node.kind == "source" ? sources : nodes)
          .map()
          .emplace_back(id, node.kind == "source" ? SourceEntry(node) : NodeEntry(node));
    }
    parents.map().emplace_back(id, node.depends_on);
    children.map().emplace_back(id, Value::List{});
  }
  for (const auto& [id, node] : project.nodes) {
    for (const std::string& parent : node.depends_on) {
      auto& all = children.map();
      auto at =
          std::lower_bound(all.begin(), all.end(), parent,
                           [](const auto& e, const std::string& key) { return e.first < key; });
      if (at != all.end() && at->first == parent) at->second.Append(id);
    }
  }
  Value macros = Value::Object();
  for (const auto& [id, text] : project.macros) {
    const std::vector<std::string> parts = Split(id, '.');
    macros.map().emplace_back(id, Value::Object({{"unique_id", id},
                                                 {"resource_type", "macro"},
                                                 {"package_name", parts[1]},
                                                 {"name", parts.back()},
                                                 {"macro_sql", text}}));
  }
  Value docs = Value::Object();
  for (const auto& [name, text] : project.docs) {
    docs.Set("doc." + project.name() + "." + name,
             Value::Object({{"name", name}, {"block_contents", text}}));
  }
  Value metadata = ArtifactMetadata(project, "manifest/v12");
  metadata.Set("adapter_type", "duckdb");
  metadata.Set("project_name", project.name());
  Value out = Value::Object({{"metadata", metadata},
                             {"nodes", nodes},
                             {"sources", sources},
                             {"macros", macros},
                             {"docs", docs},
                             {"parent_map", parents},
                             {"child_map", children}});
  for (const char* key : {"exposures", "metrics", "groups", "selectors", "disabled", "group_map",
                          "saved_queries", "semantic_models"}) {
    out.Set(key, Value::Object());
  }
  out.Set("unit_tests", unit_tests);
  Value exposures = Value::Object();
  for (const Value& exposure : project.exposures.list()) {
    exposures.Set("exposure." + project.name() + "." + exposure["name"].text(), exposure);
  }
  out.Set("exposures", exposures);
  return out;
}

// What tools that read artifacts know by this version is dbt's schema, which ours follows.
Value ArtifactMetadata(const Project& project, const char* schema) {
  return Value::Object(
      {{"dbt_schema_version", fmt::format("https://schemas.getdbt.com/dbt/{}.json", schema)},
       {"dbt_version", "1.11.0"},
       {"generated_at", Timestamp(env::Clock::System()->WallMicros())},
       {"invocation_id", project.invocation_id},
       {"env", Value::Object({{"MILLRACE_VERSION", kVersion}})}});
}

Status WriteArtifact(const Project& project, const std::string& name, const std::string& text) {
  env::FileSystem& files = *env::FileSystem::Real();
  const std::string path = project.Absolute(project.target_directory + "/" + name);
  MR_RETURN_IF_ERROR(files.CreateDirectories(env::ParentDirectory(path)));
  return env::ReplaceFile(files, path, text);
}

Status WriteManifest(const Project& project) {
  return WriteArtifact(project, "manifest.json", Manifest(project).ToJson());
}

Value UnitTestRows(const Node& unit_test) {
  auto rows = [](const Value& fixture) {
    const bool sql = fixture.has("sql");
    return Value::Object({{"rows", sql ? fixture["sql"] : fixture["rows"]},
                          {"format", sql ? "sql" : "dict"},
                          {"fixture", Value()}});
  };
  Value given = Value::List{};
  for (const Value& input : unit_test.properties["given"].list()) {
    Value entry = rows(input);
    entry.Set("input", input["input"]);
    given.Append(entry);
  }
  return Value::Object({{"given", given}, {"expect", rows(unit_test.properties["expect"])}});
}

Value RunArguments(const Project& project, const std::string& command) {
  const ProjectOptions& options = project.options;
  return Value::Object({{"which", command},
                        {"vars", options.vars},
                        {"target", options.target},
                        {"profiles_dir", options.profiles_directory},
                        {"full_refresh", options.full_refresh},
                        {"threads", options.threads > 0 ? Value(options.threads) : Value()},
                        {"store_failures", options.store_failures},
                        {"state", options.state_directory},
                        {"defer", options.defer},
                        {"favor_state", options.favor_state}});
}

Status WriteArtifacts(const Project& project, const std::string& command,
                      const std::vector<NodeResult>& results, int64_t elapsed_us) {
  Value entries = Value::List{};
  for (const NodeResult& result : results) entries.Append(ResultEntry(result));
  Value run = Value::Object({{"metadata", ArtifactMetadata(project, "run-results/v6")},
                             {"results", entries},
                             {"elapsed_time", static_cast<double>(elapsed_us) / 1e6},
                             {"args", RunArguments(project, command)}});
  MR_RETURN_IF_ERROR(WriteManifest(project));
  return WriteArtifact(project, "run_results.json", run.ToJson());
}

Status WriteCompiled(const Project& project, const Node& node) {
  // Not synced: whoever needs it makes it anew.
  std::string path = node.path;
  if (node.kind == "test" && !node.test_name.empty()) path += "/" + node.name + ".sql";
  const std::filesystem::path file(
      project.Absolute(project.target_directory + "/compiled/" + node.package + "/" + path));
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  std::unique_ptr<FILE, int (*)(FILE*)> out(std::fopen(file.c_str(), "w"), &std::fclose);
  if (!out || std::fwrite(node.compiled.data(), 1, node.compiled.size(), out.get()) !=
                  node.compiled.size()) {
    return Status(Code::kIo, fmt::format("cannot write \"{}\"", file.string()));
  }
  return Status::Ok();
}

}  // namespace millrace::dbt
