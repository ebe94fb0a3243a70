// The .yml files: sources, descriptions and configs by name, generic tests, snapshots without SQL.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <duckdb.hpp>
#include <duckdb/common/crypto/md5.hpp>
#include <filesystem>

#include "base/strings.h"
#include "dbt/configs.h"
#include "dbt/model_versions.h"
#include "dbt/project_reader.h"
#include "dbt/yaml.h"

namespace millrace::dbt {

namespace {

// Keys of a test's entry that are its config, not its arguments.
const std::vector<std::string>& TestConfigs() {
  static const std::vector<std::string> kKeys = {
      "severity", "where",   "limit", "fail_calc", "error_if",
      "warn_if",  "enabled", "tags",  "meta",      "store_failures"};
  return kKeys;
}

// dbt evaluates arguments that are calls of these.
bool IsCall(const std::string& text) {
  const size_t open = text.find('(');
  if (open == std::string::npos || !text.ends_with(")")) return false;
  const std::string name(Trim(text.substr(0, open)));
  return name == "ref" || name == "source" || name == "var" || name == "env_var";
}

// The inside of "{{ … }}" if that is all of the text.
std::string Expression(const std::string& text) {
  const std::string trimmed(Trim(text));
  if (!trimmed.starts_with("{{") || !trimmed.ends_with("}}")) return "";
  const std::string inner = trimmed.substr(2, trimmed.size() - 4);
  return inner.find("{{") == std::string::npos ? std::string(Trim(inner)) : "";
}

}  // namespace

std::string Md5Hex(const std::string& text) {
  duckdb::MD5Context context;
  context.Add(text);
  return context.FinishHex();
}

std::string JinjaLiteral(const Value& value) {
  if (value.is_null()) return "none";
  if (value.is_list()) {
    std::vector<std::string> parts;
    for (const Value& item : value.list()) parts.push_back(JinjaLiteral(item));
    return "[" + Join(parts, ", ") + "]";
  }
  if (value.is_map()) {
    std::vector<std::string> parts;
    for (const auto& [key, item] : value.map()) {
      parts.push_back(JsonQuote(key) + ": " + JinjaLiteral(item));
    }
    return "{" + Join(parts, ", ") + "}";
  }
  if (!value.is_text()) return value.ToJson();
  const std::string text = value.text();
  if (IsCall(text)) return text;
  const std::string expression = Expression(text);
  if (!expression.empty()) return "(" + expression + ")";
  // "a {{ b }} c" is "a " ~ (b) ~ " c".
  std::vector<std::string> parts;
  size_t at = 0;
  for (size_t open = text.find("{{"); open != std::string::npos; open = text.find("{{", at)) {
    const size_t close = text.find("}}", open);
    if (close == std::string::npos) break;
    parts.push_back(JsonQuote(text.substr(at, open - at)));
    parts.push_back("(" + text.substr(open + 2, close - open - 2) + ")");
    at = close + 2;
  }
  parts.push_back(JsonQuote(text.substr(at)));
  return Join(parts, " ~ ");
}

std::string GenericTestName(const std::string& test, const std::string& tested,
                            const Value& arguments) {
  Value::Map sorted = arguments.map();
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> parts;
  auto add = [&](const Value& value) {
    std::string clean;
    const std::string text = value.is_bool() ? (value.truth() ? "True" : "False") : value.text();
    for (char c : text) {
      const bool word = std::isalnum(static_cast<unsigned char>(c)) || c == '_';
      if (word) {
        clean += c;
      } else if (clean.empty() || clean.back() != '\0') {
        clean += '\0';  // runs of other characters become one
      }
    }
    std::replace(clean.begin(), clean.end(), '\0', '_');
    parts.push_back(clean);
  };
  for (const auto& [key, value] : sorted) {
    if (value.is_list()) {
      for (const Value& item : value.list()) add(item);
    } else if (value.is_map()) {
      for (const auto& [name, item] : value.map()) add(item);
    } else {
      add(value);
    }
  }
  const std::string identifier = test + "_" + tested;
  const std::string full = identifier + "_" + Join(parts, "__");
  if (full.size() < 64) return full;
  return identifier.substr(0, 30) + "_" + Md5Hex(full);
}

Status ProjectReader::ReadProperties(const Package& package, const std::string& path) {
  MR_ASSIGN_OR_RETURN(const Value* read, memory_.ReadYaml(Absolute(path), path));
  MR_ASSIGN_OR_RETURN(const auto* text, memory_.Read(Absolute(path)));
  const Value& file = *read;
  const int64_t number = text->number;
  for (const char* kind : {"models", "seeds", "snapshots"}) {
    for (const Value& entry : file[kind].list()) {
      if (entry["versions"].truth()) {
        MR_RETURN_IF_ERROR(AddVersions({&entry, number, path, &package}));
        continue;
      }
      const Property property{&entry, number, path, &package};
      properties_[std::string(kind) + " " + entry["name"].text()] = property;
      in_order_.push_back({kind, property});
    }
  }
  for (const Value& test : file["data_tests"].list()) {
    properties_["data_tests " + test["name"].text()] = {&test, number, path, &package};
  }
  for (const Value& test : file["unit_tests"].list()) {
    in_order_.push_back({"unit_tests", {&test, number, path, &package}});
  }
  for (const Value& exposure : file["exposures"].list()) project_.exposures.Append(exposure);
  for (const Value& group : file["sources"].list()) {
    MR_RETURN_IF_ERROR(AddSources({&group, number, path, &package}, group));
  }
  return Status::Ok();
}

// Each file of a version has the version's own entry.
Status ProjectReader::AddVersions(const Property& model) {
  auto versions = VersionsOf(*model.value);
  if (!versions.ok()) return std::move(versions).status().At({model.path, 1, 0, 0});
  for (ModelVersion& version : *versions) {
    made_.push_back(std::move(version.entry));
    const Property property{&made_.back(), 0, model.path, model.package};
    for (const std::string& file : version.files) properties_["models " + file] = property;
    in_order_.push_back({"models", property});
  }
  return Status::Ok();
}

Status ProjectReader::AddSources(const Property& file, const Value& raw_group) {
  Value group = raw_group;
  Value tables = group["tables"];
  group.Set("tables", Value());
  MR_RETURN_IF_ERROR(templates_.RenderAll(group, file.path));
  for (const Value& raw : tables.list()) {
    Value table = raw;
    Node node;
    node.kind = "source";
    node.package = file.package->name;
    node.path = file.path;
    node.source_name = group["name"].text();
    node.name = table["name"].text();
    node.id = "source." + node.package + "." + node.source_name + "." + node.name;
    node.fqn = {node.package, node.source_name, node.name};
    MergeConfig(Value::Object({{"tags", group["tags"]}}), node.config);
    MergeConfig(group["config"], node.config);
    MergeConfig(table["config"], node.config);
    MergeConfig(Value::Object({{"tags", table["tags"]}}), node.config);
    Value identifier = table["identifier"];
    MR_RETURN_IF_ERROR(templates_.RenderAll(identifier, file.path));
    node.database = group["database"].text_or(project_.profile.database);
    node.schema = group["schema"].text_or(node.source_name);
    node.alias = identifier.text_or(node.name);
    node.properties = table;
    node.tags = node.config["tags"].texts();
    if (!node.config["enabled"].truth_or(true)) continue;
    project_.nodes[node.id] = node;
    made_.push_back(table);
    made_.back().Set("source", node.source_name);
    in_order_.push_back({"sources", {&made_.back(), 0, file.path, file.package}});
  }
  return Status::Ok();
}

// snapshots: - name, relation, config: a snapshot of a whole relation.
Status ProjectReader::AddSnapshot(const Property& entry) {
  Node node;
  node.kind = "snapshot";
  node.package = entry.package->name;
  node.path = entry.path;
  node.name = (*entry.value)["name"].text();
  node.code = "select * from {{ " + (*entry.value)["relation"].text() + " }}";
  return AddNode(node, "snapshots");
}

// Of what an entry is about.
std::string ProjectReader::TestedId(const Property& entry, const std::string& kind) {
  const std::string& package = entry.package->name;
  const std::string name = (*entry.value)["name"].text();
  if (kind == "sources") {
    return Join({"source", package, (*entry.value)["source"].text(), name}, ".");
  }
  const std::string version = kind == "models" ? (*entry.value)["version"].text() : "";
  const std::string id = Join({kind.substr(0, kind.size() - 1), package, name}, ".");
  return version.empty() ? id : id + ".v" + version;
}

Status ProjectReader::AddTests(const Property& entry, const std::string& kind) {
  auto each = [&](const Value& owner, const std::string& column) -> Status {
    for (const char* key : {"tests", "data_tests"}) {
      for (const Value& test : owner[key].list()) {
        MR_RETURN_IF_ERROR(AddTest(entry, kind, column, test));
      }
    }
    return Status::Ok();
  };
  const std::string tested = TestedId(entry, kind);
  if (project_.Find(tested) == nullptr) return Status::Ok();  // disabled, or not there
  // A test may have an entry of its own, in any file.
  const auto own = properties_.lower_bound("data_tests ");
  const bool has_own = own != properties_.end() && own->first.starts_with("data_tests ");
  ReadMemory::Made* made = entry.file == 0 || has_own ? nullptr : &memory_.of_entries_[entry.value];
  if (made != nullptr && made->file == entry.file) {
    MR_ASSIGN_OR_RETURN(bool kept, KeepAgain(*made, entry.path));
    if (kept) return Status::Ok();
  }
  if (made != nullptr) *made = {};
  added_.clear();
  MR_RETURN_IF_ERROR(each(*entry.value, ""));
  for (const Value& column : (*entry.value)["columns"].list()) {
    const std::string name = column["name"].text();
    MR_RETURN_IF_ERROR(each(column, column["quote"].truth()
                                        ? QuoteWith(project_.profile.quote_character, name)
                                        : name));
  }
  if (made != nullptr) *made = {entry.file, nullptr, 0, added_};
  return Status::Ok();
}

Status ProjectReader::AddTest(const Property& entry, const std::string& kind,
                              const std::string& column, const Value& test) {
  Node node;
  node.kind = "test";
  node.package = entry.package->name;
  node.path = entry.path;
  node.column = column;
  node.tested = (*entry.value)["name"].text();
  const std::string group = (*entry.value)["source"].text();
  const std::string version = kind == "models" ? (*entry.value)["version"].text() : "";
  const std::string tested_id = TestedId(entry, kind);

  // "unique", {unique: {where: …}} or {test_name: unique, …}
  Value body = test.is_map() && test.has("test_name") ? test
               : test.is_map() && !test.map().empty() ? test.map().front().second
                                                      : Value();
  std::string full =
      test.is_map() ? test.has("test_name") ? test["test_name"].text() : test.map().front().first
                    : test.text();
  Value arguments = Value::Object();
  if (!column.empty()) arguments.Set("column_name", column);
  Value own = Value::Object();
  std::string custom_name;
  for (const auto& [key, value] : body.map()) {
    const auto& configs = TestConfigs();
    if (key == "config") {
      MergeConfig(value, own);
    } else if (key == "arguments") {
      for (const auto& [name, argument] : value.map()) arguments.Set(name, argument);
    } else if (key == "name") {
      custom_name = value.text();
    } else if (std::find(configs.begin(), configs.end(), key) != configs.end()) {
      MergeConfig(Value::Object({{key, value}}), own);
    } else if (key != "test_name" && key != "description") {
      arguments.Set(key, value);
    }
  }
  const size_t dot = full.find('.');
  const std::string test_package = dot == std::string::npos ? "" : full.substr(0, dot);
  const std::string test_name = full.substr(dot == std::string::npos ? 0 : dot + 1);
  node.test_name = test_name;
  const std::string label = test_package.empty() ? test_name : test_package + "_" + test_name;
  node.name = !custom_name.empty() ? custom_name
              : kind == "sources"
                  ? GenericTestName("source_" + label, group + "_" + node.tested, arguments)
                  : GenericTestName(label, node.tested + (version.empty() ? "" : "_v" + version),
                                    arguments);
  node.id = "test." + node.package + "." + node.name + "." +
            Md5Hex(tested_id + test.ToJson() + column).substr(0, 10);

  std::string relation =
      kind == "sources" ? fmt::format("source({}, {})", JsonQuote(group), JsonQuote(node.tested))
      : version.empty()
          ? fmt::format("ref({})", JsonQuote(node.tested))
          : fmt::format("ref({}, version={})", JsonQuote(node.tested), JsonQuote(version));
  std::string call = "model=get_where_subquery(" + relation + ")";
  for (const auto& [key, value] : arguments.map()) call += ", " + key + "=" + JinjaLiteral(value);
  node.code = "{{ " + (test_package.empty() ? "" : test_package + ".") + "test_" + test_name + "(" +
              call + ") }}";
  node.config = own;
  MR_RETURN_IF_ERROR(templates_.RenderAll(node.config, entry.path));
  return AddNode(node, "data_tests");
}

}  // namespace millrace::dbt
