#include "dbt/project_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/strings.h"
#include "dbt/builtin_macros.h"
#include "dbt/configs.h"
#include "dbt/yaml.h"
#include "env/clock.h"
#include "env/files.h"

namespace millrace::dbt {

namespace fs = std::filesystem;

namespace {

// What dbt_project.yml calls the folders, and where they are by default.
struct Folder {
  const char* kind;
  const char* key;
  std::vector<std::string> standard;
  std::vector<std::string> extensions;
};

const std::vector<Folder>& Folders() {
  static const std::vector<Folder> kFolders = {
      {"macro", "macro-paths", {"macros"}, {".sql"}},
      {"model", "model-paths", {"models"}, {".sql", ".yml", ".yaml", ".md", ".py"}},
      {"seed", "seed-paths", {"seeds"}, {".csv", ".yml", ".yaml", ".md"}},
      {"snapshot", "snapshot-paths", {"snapshots"}, {".sql", ".yml", ".yaml", ".md"}},
      {"test", "test-paths", {"tests"}, {".sql", ".yml", ".yaml"}},
      {"analysis", "analysis-paths", {"analyses"}, {".yml", ".yaml"}},
  };
  return kFolders;
}

std::vector<std::string> FilesBelow(const std::string& directory,
                                    const std::vector<std::string>& extensions) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string extension = it->path().extension().string();
    if (!it->is_regular_file(error)) continue;
    if (std::find(extensions.begin(), extensions.end(), extension) == extensions.end()) continue;
    out.push_back(it->path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string HomeProfiles() {
  const char* home = std::getenv("HOME");
  return home ? std::string(home) + "/.dbt" : "";
}

}  // namespace

Result<std::string> ProjectReader::ReadText(const std::string& path) {
  return env::ReadWholeFile(*env::FileSystem::Real(), project_.Absolute(path));
}

Status ProjectReader::ReadPackage(const std::string& directory) {
  const std::string path = directory.empty() ? "dbt_project.yml" : directory + "/dbt_project.yml";
  MR_ASSIGN_OR_RETURN(std::string text, ReadText(path));
  MR_ASSIGN_OR_RETURN(Value config, ParseYaml(text, path));
  Package package{config["name"].text(), directory, config};
  if (package.name.empty()) {
    return Status(Code::kBadOption, "a dbt project needs a name").At({path, 1, 0, 0});
  }
  project_.packages.push_back(package);
  return templates_.RenderAll(project_.packages.back().config, path);
}

Status ProjectReader::ReadProfile() {
  Profile& profile = project_.profile;
  profile.name = project_.packages.front().config["profile"].text();
  const char* from_environment = std::getenv("DBT_PROFILES_DIR");
  std::string path;
  for (const std::string& directory :
       {project_.options.profiles_directory, std::string(from_environment ? from_environment : ""),
        project_.options.directory, HomeProfiles()}) {
    if (!directory.empty() && fs::exists(directory + "/profiles.yml")) {
      path = directory + "/profiles.yml";
      break;
    }
  }
  profile.target = project_.options.target;
  if (path.empty()) {
    profile.target = profile.target.empty() ? "dev" : profile.target;
    profile.database_path = project_.Absolute(".millrace/warehouse.duckdb");
    profile.database = "warehouse";
    return Status::Ok();
  }
  MR_ASSIGN_OR_RETURN(std::string text,
                      env::ReadWholeFile(*env::FileSystem::Real(), fs::absolute(path).string()));
  MR_ASSIGN_OR_RETURN(Value all, ParseYaml(text, path));
  Value chosen = all[profile.name];
  if (chosen.is_null()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : all.map()) names.push_back(name);
    return Status(Code::kNotFound, fmt::format("there is no profile \"{}\"", profile.name))
        .WithHint(DidYouMean(profile.name, names))
        .At({path, 1, 0, 0});
  }
  if (profile.target.empty()) {
    Value target = chosen["target"];
    MR_RETURN_IF_ERROR(templates_.RenderAll(target, path));
    profile.target = target.text_or("default");
  }
  Value output = chosen["outputs"][profile.target];
  if (output.is_null()) {
    return Status(Code::kNotFound,
                  fmt::format("profile \"{}\" has no target \"{}\"", profile.name, profile.target))
        .At({path, 1, 0, 0});
  }
  MR_RETURN_IF_ERROR(templates_.RenderAll(output, path));
  profile.output = output;
  profile.type = output["type"].text();
  profile.threads = std::max(1, std::atoi(output["threads"].text_or("1").c_str()));
  if (profile.type == "postgres") {
    profile.database = output["dbname"].text_or(output["database"].text());
    profile.schema = output["schema"].text_or("public");
    if (!profile.database.empty()) return Status::Ok();
    return Status(Code::kBadOption, fmt::format("target \"{}\" names no database", profile.target))
        .WithHint("set dbname beside host, port, user, password and schema")
        .At({path, 1, 0, 0});
  }
  if (profile.type != "duckdb") {
    return Status(Code::kUnsupported,
                  fmt::format("target \"{}\" is of type \"{}\", which is not known here",
                              profile.target, profile.type))
        .WithHint("there is: duckdb, postgres; choose another output with --target")
        .At({path, 1, 0, 0});
  }
  const std::string file = output["path"].text_or(":memory:");
  profile.database_path = file == ":memory:" ? file : project_.Absolute(file);
  profile.database = file == ":memory:" ? "memory" : fs::path(file).stem().string();
  profile.database = output["database"].text_or(profile.database);
  profile.schema = output["schema"].text_or("main");
  profile.settings = output["settings"];
  profile.attach = output["attach"];
  return Status::Ok();
}

Status ProjectReader::ReadFile(const Package& package, const std::string& kind,
                               const std::string& root, const std::string& path) {
  const std::string extension = fs::path(path).extension().string();
  if (extension == ".yml" || extension == ".yaml") return ReadProperties(package, path);
  Node node;
  node.kind = kind;
  node.package = package.name;
  node.path = path;
  node.name = fs::path(path).stem().string();
  if (extension == ".csv") {
    MR_ASSIGN_OR_RETURN(std::string text, ReadText(path));
    node.checksum = Sha256Hex(text);
    return AddNode(node, "seeds");
  }
  if (kind == "test" && path.starts_with(root + "/fixtures/")) return Status::Ok();
  if (extension == ".py") {
    return Status(Code::kUnsupported, "models in Python are not run here")
        .WithHint("write it in SQL, or set enabled: false for it")
        .At({path, 1, 0, 0});
  }
  MR_ASSIGN_OR_RETURN(node.code, ReadText(path));
  node.checksum = Sha256Hex(node.code);
  const bool generic = kind == "test" && path.starts_with(root + "/generic/");
  if (kind == "macro" || generic || kind == "snapshot" || extension == ".md") {
    auto blocks =
        project_.engine->Add(package.name, path, node.code, &package == &project_.packages.front());
    MR_RETURN_IF_ERROR(blocks.status());
    for (const TemplateBlock& block : *blocks) {
      if (block.kind == "macro" || block.kind == "test") {
        const std::string name = (block.kind == "test" ? "test_" : "") + block.name;
        project_.macros["macro." + package.name + "." + name] = block.body;
      }
      if (block.kind == "docs") project_.docs[block.name] = std::string(Trim(block.body));
      if (block.kind == "materialization") {
        return Status(Code::kUnsupported, fmt::format("materialization \"{}\": projects cannot "
                                                      "bring their own here",
                                                      block.name))
            .At({path, block.line, 0, 0});
      }
      if (block.kind != "snapshot") continue;
      Node snapshot = node;
      snapshot.name = block.name;
      snapshot.line = block.line;
      snapshot.code = block.body;
      MR_RETURN_IF_ERROR(AddNode(snapshot, "snapshots"));
    }
    return Status::Ok();
  }
  return AddNode(node, kind == "test" ? "data_tests" : "models");
}

Status ProjectReader::ReadFiles(const Package& package) {
  // Macros of all kinds come first: config() in a model may call them.
  std::vector<std::pair<const Folder*, std::pair<std::string, std::string>>> files;
  for (const Folder& folder : Folders()) {
    std::vector<std::string> roots = package.config[folder.key].texts();
    if (roots.empty()) roots = folder.standard;
    for (std::string root : roots) {
      while (root.ends_with("/")) root.pop_back();
      if (!package.directory.empty()) root = package.directory + "/" + root;
      const std::string base = project_.Absolute("");
      for (const std::string& file : FilesBelow(project_.Absolute(root), folder.extensions)) {
        files.push_back({&folder, {root, file.substr(base.size())}});
      }
    }
  }
  auto rank = [](const auto& file) {
    const auto& [root, path] = file.second;
    if (file.first->kind == std::string("macro") || path.starts_with(root + "/generic/")) return 0;
    return path.ends_with(".yml") || path.ends_with(".yaml") ? 1 : 2;
  };
  std::stable_sort(files.begin(), files.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  for (const auto& [folder, file] : files) {
    if (folder->kind == std::string("macro") || rank(std::make_pair(folder, file)) != 2) {
      MR_RETURN_IF_ERROR(ReadFile(package, folder->kind, file.first, file.second));
    }
  }
  for (const auto& entry : files) {
    if (rank(entry) == 2) {
      MR_RETURN_IF_ERROR(
          ReadFile(package, entry.first->kind, entry.second.first, entry.second.second));
    }
  }
  return Status::Ok();
}

Status ProjectReader::AddNode(Node node, const std::string& section) {
  const Value& own = [&]() -> const Value& {
    for (const Package& package : project_.packages) {
      if (package.name == node.package) return package.config;
    }
    return project_.packages.front().config;
  }();
  // models/marts/orders.sql -> shop, marts, orders
  std::vector<std::string> parts = Split(node.path, '/');
  const size_t skip = node.path.starts_with("dbt_packages/") ? 3 : 1;
  node.fqn = {node.package};
  for (size_t i = skip; i + 1 < parts.size(); i++) node.fqn.push_back(parts[i]);
  node.fqn.push_back(node.name);
  if (node.id.empty()) node.id = node.kind + "." + node.package + "." + node.name;

  Value config = Value::Object();
  std::vector<std::string> sections = {section};
  if (section == "data_tests") sections = {"tests", "data_tests"};
  for (const std::string& name : sections) {
    MergeConfig(ConfigByPath(own[name], node.fqn), config);
    if (node.package != project_.name()) {
      MergeConfig(ConfigByPath(project_.packages.front().config[name], node.fqn), config);
    }
  }
  if (auto found = properties_.find(section + " " + node.name); found != properties_.end()) {
    node.properties = found->second.value;
    MergeConfig(node.properties["config"], config);
    Value tags = Value::Object({{"tags", node.properties["tags"]}});
    MergeConfig(tags, config);
  }
  MergeConfig(node.config, config);
  node.config = config;
  if (node.kind != "seed") MR_RETURN_IF_ERROR(templates_.Note(node));
  node.tags = node.config["tags"].texts();
  node.enabled = node.config["enabled"].truth_or(true);
  MR_RETURN_IF_ERROR(Place(node));
  if (!node.enabled) {
    disabled_.insert(node.id);
    return Status::Ok();
  }
  if (auto [at, added] = project_.nodes.try_emplace(node.id, node); !added) {
    return Status(Code::kAlreadyExists,
                  fmt::format("{} \"{}\" is in two files: {} and {}", node.kind, node.name,
                              at->second.path, node.path))
        .At({node.path, node.line, 0, 0});
  }
  return Status::Ok();
}

// Database, schema and alias: by the project's generate_…_name macros, or by dbt's rule.
Status ProjectReader::Place(Node& node) {
  const bool old_snapshot = node.kind == "snapshot" && node.config.has("target_schema");
  Value schema = node.config["schema"];
  if (node.kind == "test") schema = node.config["schema"].text_or("dbt_test__audit");
  node.database = node.config["database"].text_or(project_.profile.database);
  node.schema = project_.profile.schema;
  node.alias = node.config["alias"].text_or(node.name);
  if (old_snapshot) {
    node.schema = node.config["target_schema"].text();
    return Status::Ok();
  }
  // dbt's own rule, as the built-in macros have it: asking the template engine for every node takes
  // half the time that a large project needs.
  if (!HasMacro(node, "generate_schema_name")) {
    if (!schema.is_null()) node.schema += "_" + std::string(Trim(schema.text()));
  } else {
    MR_ASSIGN_OR_RETURN(
        Value given, templates_.Call("generate_schema_name", Value::List{schema, Value()}, &node));
    node.schema = std::string(Trim(given.text()));
  }
  if (!HasMacro(node, "generate_alias_name")) return Status::Ok();
  MR_ASSIGN_OR_RETURN(
      Value alias,
      templates_.Call("generate_alias_name",
                      Value::List{node.config["alias"], Value::Object({{"name", node.name}})},
                      &node));
  if (!alias.is_null()) node.alias = std::string(Trim(alias.text()));
  return Status::Ok();
}

bool ProjectReader::HasMacro(const Node& node, const std::string& name) const {
  return project_.macros.contains("macro." + node.package + "." + name) ||
         project_.macros.contains("macro." + project_.name() + "." + name);
}

Status ProjectReader::Resolve() {
  for (auto& [id, node] : project_.nodes) {
    auto add = [&node = node](const std::string& other) {
      auto& all = node.depends_on;
      if (std::find(all.begin(), all.end(), other) == all.end()) all.push_back(other);
    };
    for (const Value& ref : node.refs.list()) {
      const std::string package = ref.list().size() > 1 ? ref[0].text() : "";
      const std::string& name = ref.list().back().text();
      Node* other = project_.FindRef(package, name, node);
      if (other != nullptr) {
        add(other->id);
        continue;
      }
      std::vector<std::string> names;
      for (const auto& [other_id, candidate] : project_.nodes) names.push_back(candidate.name);
      return Status(Code::kUnknownTable,
                    fmt::format("{} \"{}\" refers to \"{}\", which is not there or not enabled",
                                node.kind, node.name, name))
          .WithHint(DidYouMean(name, names))
          .At({node.path, node.line, 0, 0});
    }
    for (const Value& ref : node.source_refs.list()) {
      Node* other = project_.FindSource(ref[0].text(), ref[1].text());
      if (other == nullptr) {
        return Status(Code::kUnknownTable,
                      fmt::format("{} \"{}\" reads source \"{}\".\"{}\", which no .yml file "
                                  "declares",
                                  node.kind, node.name, ref[0].text(), ref[1].text()))
            .At({node.path, node.line, 0, 0});
      }
      add(other->id);
    }
  }
  return Status::Ok();
}

Status ProjectReader::Read() {
  MR_RETURN_IF_ERROR(ReadPackage(""));
  project_.target_directory = project_.packages.front().config["target-path"].text_or("target");
  MR_RETURN_IF_ERROR(ReadProfile());
  std::error_code ignored;
  std::vector<std::string> installed;
  for (const auto& entry : fs::directory_iterator(project_.Absolute("dbt_packages"), ignored)) {
    installed.push_back("dbt_packages/" + entry.path().filename().string());
  }
  std::sort(installed.begin(), installed.end());
  for (const std::string& directory : installed) {
    if (!fs::exists(project_.Absolute(directory + "/dbt_project.yml"))) continue;
    MR_RETURN_IF_ERROR(ReadPackage(directory));
  }
  MR_RETURN_IF_ERROR(
      project_.engine->Add("dbt", "built-in macros", BuiltinMacros(project_.profile.type), false)
          .status());
  // Packages first: the project's own macros and models may use theirs.
  for (size_t i = project_.packages.size(); i-- > 0;) {
    MR_RETURN_IF_ERROR(ReadFiles(project_.packages[i]));
  }
  for (const auto& [kind, entry] : in_order_) {
    if (kind == "snapshots" && entry.value.has("relation")) MR_RETURN_IF_ERROR(AddSnapshot(entry));
  }
  for (const auto& [kind, entry] : in_order_) {
    MR_RETURN_IF_ERROR(kind == "unit_tests" ? AddUnitTest(entry) : AddTests(entry, kind));
  }
  return Resolve();
}

Result<std::unique_ptr<Project>> Project::Load(const ProjectOptions& options) {
  auto project = std::make_unique<Project>();
  project->options = options;
  if (!fs::exists(project->Absolute("dbt_project.yml"))) {
    return Status(Code::kNotFound, fmt::format("\"{}\" has no dbt_project.yml", options.directory))
        .WithHint("name the project's directory with --project-dir");
  }
  Project* raw = project.get();
  project->engine = std::make_unique<JinjaEngine>(
      [raw](const std::string& name, const Value& args, const Value& kwargs) -> Result<Value> {
        if (raw->host) return raw->host(name, args, kwargs);
        return Status(Code::kInternal, "a template was rendered after its project's work ended");
      });
  const std::string seed = fmt::format("{} {}", env::Clock::System()->WallMicros(),
                                       env::Clock::System()->MonotonicMicros());
  std::string id = Md5Hex(seed);
  for (size_t at : {8, 13, 18, 23}) id.insert(at, "-");
  project->invocation_id = id;
  MR_RETURN_IF_ERROR(ProjectReader(*project).Read());
  if (!options.state_directory.empty()) {
    MR_ASSIGN_OR_RETURN(project->past, PastState::Load(project->Absolute(options.state_directory)));
  }
  return project;
}

std::string Project::Absolute(const std::string& path) const {
  if (path.starts_with("/")) return path;
  return fs::absolute(options.directory).lexically_normal().string() +
         (options.directory.ends_with("/") ? "" : "/") + path;
}

Node* Project::Find(const std::string& id) {
  auto found = nodes.find(id);
  return found == nodes.end() ? nullptr : &found->second;
}

Node* Project::FindRef(const std::string& package, const std::string& ref, const Node& asking) {
  std::vector<std::string> places = {package};
  if (package.empty()) {
    places = {asking.package, name()};
    for (const Package& other : packages) places.push_back(other.name);
  }
  for (const std::string& place : places) {
    for (const char* kind : {"model.", "seed.", "snapshot."}) {
      if (Node* node = Find(kind + place + "." + ref)) return node;
    }
  }
  return nullptr;
}

Node* Project::FindSource(const std::string& group, const std::string& table) {
  for (const Package& package : packages) {
    if (Node* node = Find("source." + package.name + "." + group + "." + table)) return node;
  }
  return nullptr;
}

const Value* Project::FindVar(const std::string& package, const std::string& var) const {
  if (options.vars.has(var)) return &options.vars[var];
  // The project's word on a package's variable, the project's, then the package's own.
  const Value& root = packages.front().config["vars"];
  if (root[package].is_map() && root[package].has(var)) return &root[package][var];
  if (root.has(var)) return &root[var];
  for (const Package& other : packages) {
    if (other.name != package) continue;
    const Value& vars = other.config["vars"];
    if (vars[package].is_map() && vars[package].has(var)) return &vars[package][var];
    if (vars.has(var)) return &vars[var];
  }
  return nullptr;
}

}  // namespace millrace::dbt
