#include "dbt/project_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/strings.h"
#include "dbt/builtin_macros.h"
#include "dbt/configs.h"
#include "dbt/model_versions.h"
#include "dbt/same.h"
#include "dbt/yaml.h"
#include "env/clock.h"
#include "env/files.h"

namespace millrace::dbt {

namespace fs = std::filesystem;

namespace {

// As a package: the engine lists the file's blocks and leaves its macros out.
constexpr const char* kNoMacros = "";

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

// What a profile says of `threads`.
Result<int> ThreadsOf(const Value& given, const std::string& path) {
  if (given.is_null()) return 1;
  const std::string text = given.text();
  const bool digits =
      !text.empty() && text.size() < 6 && text.find_first_not_of("0123456789") == std::string::npos;
  const int threads = digits ? std::atoi(text.c_str()) : 0;
  if (threads >= 1 && threads <= kThreadsMax) return threads;
  return Status(Code::kBadOption,
                fmt::format("threads is \"{}\", and not a number from 1 to {}", text, kThreadsMax))
      .WithHint("it says how many nodes run at once")
      .At({path, 1, 0, 0});
}

std::vector<std::string> FilesBelow(const std::string& directory,
                                    const std::vector<std::string>& extensions) {
  std::vector<std::string> out;
  std::error_code error, dangling;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string extension = it->path().extension().string();
    if (!it->is_regular_file(dangling)) continue;
    if (std::find(extensions.begin(), extensions.end(), extension) == extensions.end()) continue;
    out.push_back(it->path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Without "." and "..", without a slash at its end.
std::string Whole(const std::string& directory) {
  std::string whole = fs::absolute(directory).lexically_normal().string();
  while (whole.ends_with("/")) whole.pop_back();
  return whole;
}

std::string HomeProfiles() {
  const char* home = std::getenv("HOME");
  return home ? std::string(home) + "/.dbt" : "";
}

}  // namespace

ProjectReader::ProjectReader(Project& project, ReadMemory& memory)
    : project_(project),
      memory_(memory),
      base_(Whole(project.options.directory) + "/"),
      templates_(project) {}

std::string ProjectReader::Absolute(const std::string& path) const {
  return path.starts_with("/") ? path : base_ + path;
}

Result<std::string> ProjectReader::ReadText(const std::string& path) {
  const std::string absolute = Absolute(path);
  MR_ASSIGN_OR_RETURN(const auto* file, memory_.Read(absolute));
  if (file->text) return *file->text;
  return env::ReadWholeFile(*env::FileSystem::Real(), absolute);
}

Status ProjectReader::ReadPackage(const std::string& directory) {
  const std::string path = directory.empty() ? "dbt_project.yml" : directory + "/dbt_project.yml";
  memory_.directories_.insert(env::ParentDirectory(Absolute(path)));
  MR_ASSIGN_OR_RETURN(const Value* config, memory_.ReadYaml(Absolute(path), path));
  Package package{(*config)["name"].text(), directory, *config};
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
    if (directory.empty()) continue;
    memory_.directories_.insert(Whole(directory));
    if (fs::exists(directory + "/profiles.yml")) {
      path = directory + "/profiles.yml";
      break;
    }
  }
  profile.target = project_.options.target;
  if (path.empty()) {
    profile.threads = std::max(1, project_.options.threads);
    profile.target = profile.target.empty() ? "dev" : profile.target;
    profile.database_path = Absolute(".millrace/warehouse.duckdb");
    profile.database = "warehouse";
    return Status::Ok();
  }
  MR_ASSIGN_OR_RETURN(const Value* all,
                      memory_.ReadYaml(Whole(env::ParentDirectory(path)) + "/profiles.yml", path));
  Value chosen = (*all)[profile.name];
  if (chosen.is_null()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : all->map()) names.push_back(name);
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
  MR_ASSIGN_OR_RETURN(profile.threads, ThreadsOf(output["threads"], path));
  if (project_.options.threads > 0) profile.threads = project_.options.threads;
  if (profile.type == "postgres") {
    profile.database = output["dbname"].text_or(output["database"].text());
    profile.schema = output["schema"].text_or("public");
    if (!profile.database.empty()) return Status::Ok();
    return Status(Code::kBadOption, fmt::format("target \"{}\" names no database", profile.target))
        .WithHint("set dbname beside host, port, user, password and schema")
        .At({path, 1, 0, 0});
  }
  if (profile.type == "clickhouse") {
    profile.schema = output["schema"].text_or("default");
    return Status::Ok();  // a schema is a database there, and nothing is above it
  }
  if (profile.type == "spark") {
    profile.schema = output["schema"].text_or("default");
    profile.quote_character = "`";
    return Status::Ok();
  }
  if (profile.type != "duckdb") {
    return Status(Code::kUnsupported,
                  fmt::format("target \"{}\" is of type \"{}\", which is not known here",
                              profile.target, profile.type))
        .WithHint("there is: duckdb, postgres, clickhouse, spark; choose another output with --target")
        .At({path, 1, 0, 0});
  }
  const std::string file = output["path"].text_or(":memory:");
  profile.database_path = file == ":memory:" ? file : Absolute(file);
  profile.database = file == ":memory:" ? "memory" : fs::path(file).stem().string();
  profile.database = output["database"].text_or(profile.database);
  profile.schema = output["schema"].text_or("main");
  profile.settings = output["settings"];
  profile.attach = output["attach"];
  return Status::Ok();
}

void ProjectReader::FindFiles(const Package& package) {
  using Part = Found::Part;
  const size_t first = files_.size();
  for (const Folder& folder : Folders()) {
    std::vector<std::string> roots = package.config[folder.key].texts();
    if (roots.empty()) roots = folder.standard;
    for (std::string root : roots) {
      while (root.ends_with("/")) root.pop_back();
      if (!package.directory.empty()) root = package.directory + "/" + root;
      const std::string kind = folder.kind;
      memory_.trees_.insert(Absolute(root));
      for (const std::string& file : FilesBelow(Absolute(root), folder.extensions)) {
        const std::string path = file.substr(base_.size());
        const bool yaml = path.ends_with(".yml") || path.ends_with(".yaml");
        const bool generic = kind == "test" && !yaml && path.starts_with(root + "/generic/");
        const Part part = kind == "macro" || generic ? Part::kMacros
                          : path.ends_with(".md")    ? Part::kDocs
                          : yaml                     ? Part::kProperties
                                                     : Part::kNodes;
        files_.push_back({part, &package, kind, root, path});
      }
    }
  }
  std::stable_sort(files_.begin() + static_cast<std::ptrdiff_t>(first), files_.end(),
                   [](const Found& a, const Found& b) { return a.part < b.part; });
}

// All macros before any template: config() in a model may call them.
Status ProjectReader::ReadMacros() {
  ReadMemory::Checksums checksums = {{"", project_.profile.type}};
  for (const Found& file : files_) {
    if (file.part != Found::Part::kMacros) continue;
    MR_ASSIGN_OR_RETURN(const auto* text, memory_.Read(Absolute(file.path)));
    checksums.push_back({file.package->name + " " + file.path, text->checksum});
  }
  if (checksums != memory_.macro_files_) {
    memory_.macro_files_.clear();
    memory_.notes_.clear();
    auto engine = memory_.NewEngine();
    const std::string builtin = BuiltinMacros(project_.profile.type);
    MR_RETURN_IF_ERROR(engine->Add("dbt", "built-in macros", builtin, false).status());
    for (const Found& file : files_) {
      if (file.part == Found::Part::kMacros) MR_RETURN_IF_ERROR(ReadMacros(file, *engine));
    }
    memory_.engine_ = std::move(engine);
    memory_.macros_ = project_.macros;
    memory_.macro_files_ = std::move(checksums);
  }
  project_.macros = memory_.macros_;
  project_.engine = std::move(memory_.engine_);  // ReadMemory::Load takes it back
  return Status::Ok();
}

Status ProjectReader::ReadMacros(const Found& file, JinjaEngine& engine) {
  const std::string& package = file.package->name;
  MR_ASSIGN_OR_RETURN(std::string text, ReadText(file.path));
  MR_ASSIGN_OR_RETURN(auto blocks,
                      engine.Add(package, file.path, text, package == project_.name()));
  for (const TemplateBlock& block : blocks) {
    if (block.kind == "macro" || block.kind == "test") {
      const std::string name = (block.kind == "test" ? "test_" : "") + block.name;
      project_.macros["macro." + package + "." + name] = block.body;
    }
    if (block.kind == "materialization") {
      return Status(Code::kUnsupported,
                    fmt::format("materialization \"{}\": projects cannot bring their own here",
                                block.name))
          .At({file.path, block.line, 0, 0});
    }
  }
  return Status::Ok();
}

Status ProjectReader::ReadDocs() {
  for (const Found& file : files_) {
    if (file.part != Found::Part::kDocs) continue;
    MR_ASSIGN_OR_RETURN(std::string text, ReadText(file.path));
    MR_ASSIGN_OR_RETURN(auto blocks, project_.engine->Add(kNoMacros, file.path, text, false));
    for (const TemplateBlock& block : blocks) {
      if (block.kind == "docs") project_.docs[block.name] = std::string(Trim(block.body));
    }
  }
  return Status::Ok();
}

Status ProjectReader::ReadNodes(const Found& file) {
  const std::string extension = fs::path(file.path).extension().string();
  const bool fixture = file.kind == "test" && file.path.starts_with(file.root + "/fixtures/");
  if (fixture) return Status::Ok();
  if (extension == ".py") {
    return Status(Code::kUnsupported, "models in Python are not run here")
        .WithHint("write it in SQL, or set enabled: false for it")
        .At({file.path, 1, 0, 0});
  }
  Node node;
  node.kind = file.kind;
  node.package = file.package->name;
  node.path = file.path;
  node.name = fs::path(file.path).stem().string();
  MR_ASSIGN_OR_RETURN(const auto* text, memory_.Read(Absolute(file.path)));
  node.checksum = text->checksum;
  if (extension != ".csv") node.code = *text->text;
  if (file.kind != "snapshot") {
    const char* section = extension == ".csv"   ? "seeds"
                          : file.kind == "test" ? "data_tests"
                                                : "models";
    return AddFile(std::move(node), section, text->number);
  }
  MR_ASSIGN_OR_RETURN(auto blocks, project_.engine->Add(kNoMacros, file.path, node.code, false));
  for (const TemplateBlock& block : blocks) {
    if (block.kind != "snapshot") continue;
    Node snapshot = node;
    snapshot.name = block.name;
    snapshot.line = block.line;
    snapshot.code = block.body;
    MR_RETURN_IF_ERROR(AddNode(std::move(snapshot), "snapshots"));
  }
  return Status::Ok();
}

Status ProjectReader::AddFile(Node node, const std::string& section, int64_t number) {
  const auto found = properties_.find(section + " " + node.name);
  const Property entry = found == properties_.end() ? Property() : found->second;
  ReadMemory::Made& made = memory_.of_files_[node.path];
  if (made.file == number && made.entry == entry.value && made.entry_file == entry.file) {
    MR_ASSIGN_OR_RETURN(bool kept, KeepAgain(made, node.path));
    if (kept) return Status::Ok();
  }
  made = {};
  added_.clear();
  MR_RETURN_IF_ERROR(AddNode(std::move(node), section));
  const bool is_made = entry.value != nullptr && entry.file == 0;  // anew each time
  if (!is_made) made = {number, entry.value, entry.file, added_};
  return Status::Ok();
}

Result<bool> ProjectReader::KeepAgain(const ReadMemory::Made& made, const std::string& path) {
  std::vector<const Node*> nodes;
  for (const std::string& id : made.ids) {
    auto note = memory_.notes_.find(id);
    if (note == memory_.notes_.end() || note->second.asked.path != path) return false;
    const Node& node = note->second.answer;
    if (!Same(PlacesOf(node.source_refs), note->second.sources)) return false;
    nodes.push_back(&node);
  }
  for (const Node* node : nodes) MR_RETURN_IF_ERROR(Keep(*node));
  return true;
}

Status ProjectReader::AddNode(Node node, const std::string& section) {
  const Value& own = [&]() -> const Value& {
    for (const Package& package : project_.packages) {
      if (package.name == node.package) return package.config;
    }
    return project_.packages.front().config;
  }();
  static const Value kNone;
  const auto found = properties_.find(section + " " + node.name);
  const Value& entry = found == properties_.end() ? kNone : *found->second.value;
  const std::string version = node.kind == "model" ? entry["version"].text() : "";
  if (!version.empty()) node.name = entry["name"].text();
  // models/marts/orders.sql -> shop, marts, orders
  std::vector<std::string> parts = Split(node.path, '/');
  const size_t skip = node.path.starts_with("dbt_packages/") ? 3 : 1;
  node.fqn = {node.package};
  for (size_t i = skip; i + 1 < parts.size(); i++) node.fqn.push_back(parts[i]);
  node.fqn.push_back(node.name);
  if (!version.empty()) node.fqn.push_back("v" + version);
  if (node.id.empty()) node.id = node.kind + "." + Join(std::vector{node.package, node.name}, ".");
  if (!version.empty()) node.id += ".v" + version;

  Value config = Value::Object();
  std::vector<std::string> sections = {section};
  if (section == "data_tests") sections = {"tests", "data_tests"};
  for (const std::string& name : sections) {
    MergeConfig(ConfigByPath(own[name], node.fqn), config);
    if (node.package != project_.name()) {
      MergeConfig(ConfigByPath(project_.packages.front().config[name], node.fqn), config);
    }
  }
  if (found != properties_.end()) {
    node.properties = entry;
    MergeConfig(node.properties["config"], config);
    Value tags = Value::Object({{"tags", node.properties["tags"]}});
    MergeConfig(tags, config);
  }
  MergeConfig(node.config, config);
  node.config = std::move(config);
  MR_RETURN_IF_ERROR(Note(node));
  added_.push_back(node.id);
  return Keep(std::move(node));
}

Status ProjectReader::Keep(Node node) {
  if (!node.enabled) {
    disabled_.insert(node.id);
    return Status::Ok();
  }
  if (auto at = project_.nodes.find(node.id); at != project_.nodes.end()) {
    return Status(Code::kAlreadyExists,
                  fmt::format("{} \"{}\" is in two files: {} and {}", node.kind, node.name,
                              at->second.path, node.path))
        .At({node.path, node.line, 0, 0});
  }
  std::string id = node.id;
  project_.nodes.emplace(std::move(id), std::move(node));
  return Status::Ok();
}

Value ProjectReader::PlacesOf(const Value& source_refs) {
  Value places = Value::List{};
  for (const Value& ref : source_refs.list()) {
    const Node* source = project_.FindSource(ref[0].text(), ref[1].text());
    places.Append(source == nullptr ? Value() : RelationOf(*source));
  }
  return places;
}

Status ProjectReader::Note(Node& node) {
  const ReadMemory::Note* known = memory_.FindNote(node);
  if (known != nullptr && Same(PlacesOf(known->answer.source_refs), known->sources)) {
    node = known->answer;
    return Status::Ok();
  }
  Node asked = node;
  memory_.rendered_++;
  if (node.kind != "seed") MR_RETURN_IF_ERROR(templates_.Note(node));
  node.tags = node.config["tags"].texts();
  node.enabled = node.config["enabled"].truth_or(true);
  MR_RETURN_IF_ERROR(Place(node));
  memory_.notes_[node.id] = {std::move(asked), PlacesOf(node.source_refs), node};
  return Status::Ok();
}

// Database, schema and alias: by the project's generate_…_name macros, or by dbt's rule.
Status ProjectReader::Place(Node& node) {
  const bool old_snapshot = node.kind == "snapshot" && node.config.has("target_schema");
  Value schema = node.config["schema"];
  if (node.kind == "test") schema = node.config["schema"].text_or("dbt_test__audit");
  node.database = node.config["database"].text_or(project_.profile.database);
  node.schema = project_.profile.schema;
  std::string version = VersionOf(node);
  std::replace(version.begin(), version.end(), '.', '_');
  node.alias = node.config["alias"].text_or(node.name + (version.empty() ? "" : "_v" + version));
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
                      Value::List{node.config["alias"],
                                  Value::Object({{"name", node.name},
                                                 {"version", node.properties["version"]}})},
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
    auto add = [&node](const std::string& other) {
      auto& all = node.depends_on;
      if (std::find(all.begin(), all.end(), other) == all.end()) all.push_back(other);
    };
    for (const Value& ref : node.refs.list()) {
      const Reference asked(ref);
      const std::string name = asked.place();
      Node* other = project_.FindRef(asked.package, name, node);
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

// The project's own dbt_project.yml, the profile, and what lies in dbt_packages/.
Status ProjectReader::ReadPackages() {
  // Knows no macros: a project's configs are read before its macros.
  project_.engine = memory_.NewEngine();
  MR_RETURN_IF_ERROR(ReadPackage(""));
  project_.target_directory = project_.packages.front().config["target-path"].text_or("target");
  MR_RETURN_IF_ERROR(ReadProfile());
  std::error_code ignored;
  std::vector<std::string> installed;
  memory_.directories_.insert(Absolute("dbt_packages"));
  for (const auto& entry : fs::directory_iterator(Absolute("dbt_packages"), ignored)) {
    installed.push_back("dbt_packages/" + entry.path().filename().string());
  }
  std::sort(installed.begin(), installed.end());
  for (const std::string& directory : installed) {
    if (!fs::exists(Absolute(directory + "/dbt_project.yml"))) continue;
    MR_RETURN_IF_ERROR(ReadPackage(directory));
  }
  return Status::Ok();
}

Value ProjectReader::Surroundings() const {
  const Profile& profile = project_.profile;
  Value packages = Value::List{}, docs = Value::List{};
  for (const Package& package : project_.packages) {
    packages.Append(Value::Object(
        {{"name", package.name}, {"directory", package.directory}, {"config", package.config}}));
  }
  for (const auto& [name, text] : project_.docs) docs.Append(std::vector<std::string>{name, text});
  return Value::Object({{"packages", packages},
                        {"docs", docs},
                        {"profile", profile.name},
                        {"target", profile.target},
                        {"type", profile.type},
                        {"path", profile.database_path},
                        {"database", profile.database},
                        {"schema", profile.schema},
                        {"threads", profile.threads},
                        {"output", profile.output}});
}

Status ProjectReader::Read() {
  memory_.trees_.clear();
  memory_.directories_.clear();
  memory_.rendered_ = 0;
  MR_RETURN_IF_ERROR(ReadPackages());
  // Packages first: the project's own macros and models may use theirs.
  for (size_t i = project_.packages.size(); i-- > 0;) FindFiles(project_.packages[i]);
  MR_RETURN_IF_ERROR(ReadMacros());
  MR_RETURN_IF_ERROR(ReadDocs());
  memory_.SetSurroundings(Surroundings());
  for (const Found& file : files_) {
    if (file.part == Found::Part::kProperties) {
      MR_RETURN_IF_ERROR(ReadProperties(*file.package, file.path));
    } else if (file.part == Found::Part::kNodes) {
      MR_RETURN_IF_ERROR(ReadNodes(file));
    }
  }
  for (const auto& [kind, entry] : in_order_) {
    if (kind == "snapshots" && entry.value->has("relation")) MR_RETURN_IF_ERROR(AddSnapshot(entry));
  }
  for (const auto& [kind, entry] : in_order_) {
    MR_RETURN_IF_ERROR(kind == "unit_tests" ? AddUnitTest(entry) : AddTests(entry, kind));
  }
  return Resolve();
}

Result<std::unique_ptr<Project>> Project::Load(const ProjectOptions& options) {
  return ReadMemory::LoadOnce(options);
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
    const std::string versions = "model." + place + "." + ref + ".v";
    for (auto it = nodes.lower_bound(versions); it != nodes.end(); ++it) {
      if (!it->first.starts_with(versions)) break;
      if (IsLatest(it->second)) return &it->second;
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
