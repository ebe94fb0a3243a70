#include "dbt/model_versions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/strings.h"
#include "dbt/configs.h"

namespace millrace::dbt {

namespace {

bool Includes(const Value& rule, const std::string& column) {
  const auto has = [&](const char* key) {
    const std::vector<std::string> names = rule[key].texts();
    return std::find(names.begin(), names.end(), column) != names.end();
  };
  const std::string include = rule["include"].is_list() ? "" : rule["include"].text_or("all");
  return (include == "all" || include == "*" || has("include")) && !has("exclude");
}

// Those of the model that the version's {include, exclude} lets in, then the version's own.
Value ColumnsOf(const Value& model, const Value& version) {
  Value rule, own = Value::List{}, columns = Value::List{};
  for (const Value& column : version.list()) {
    if (column.has("include") || column.has("exclude")) {
      rule = column;
    } else {
      own.Append(column);
    }
  }
  for (const Value& column : model.list()) {
    if (Includes(rule, column["name"].text())) columns.Append(column);
  }
  for (const Value& column : own.list()) columns.Append(column);
  return columns;
}

Value EntryOf(const Value& model, const Value& version, const Value& latest) {
  const bool own_tests = version.has("tests") || version.has("data_tests");
  Value entry = Value::Object();
  for (const auto& [key, value] : model.map()) {
    if (key == "versions" || key == "columns" || key == "latest_version") continue;
    if (own_tests && (key == "tests" || key == "data_tests")) continue;
    entry.Set(key, value);
  }
  for (const char* key : {"description", "tests", "data_tests", "access", "constraints", "docs"}) {
    if (version[key].truth() || (own_tests && version.has(key))) entry.Set(key, version[key]);
  }
  Value config = model["config"];
  MergeConfig(version["config"], config);
  entry.Set("config", config);
  entry.Set("columns", ColumnsOf(model["columns"], version["columns"]));
  entry.Set("version", version["v"]);
  entry.Set("latest_version", latest);
  return entry;
}

}  // namespace

bool IsLowerVersion(const Value& a, const Value& b) {
  const std::string left = a.text(), right = b.text();
  char *left_end = nullptr, *right_end = nullptr;
  const double x = std::strtod(left.c_str(), &left_end);
  const double y = std::strtod(right.c_str(), &right_end);
  return *left_end == '\0' && *right_end == '\0' ? x < y : left < right;
}

Result<std::vector<ModelVersion>> VersionsOf(const Value& entry) {
  const std::string name = entry["name"].text();
  Value latest = entry["latest_version"];
  const bool is_given = !latest.is_null();
  std::vector<std::string> known;
  for (const Value& version : entry["versions"].list()) {
    const std::string v = version["v"].text();
    if (v.empty() || std::find(known.begin(), known.end(), v) != known.end()) {
      return Status(Code::kBadOption, v.empty()
                                          ? fmt::format("a version of \"{}\" has no `v`", name)
                                          : fmt::format("\"{}\" has version {} twice", name, v));
    }
    known.push_back(v);
    if (!is_given && (latest.is_null() || IsLowerVersion(latest, version["v"])))
      latest = version["v"];
  }
  if (std::find(known.begin(), known.end(), latest.text()) == known.end()) {
    return Status(Code::kBadOption,
                  fmt::format("latest_version {} of \"{}\" is none of its versions", latest.text(),
                              name))
        .WithHint("there is: " + Join(known, ", "));
  }
  std::vector<ModelVersion> out;
  for (const Value& version : entry["versions"].list()) {
    const std::string v = version["v"].text();
    std::vector<std::string> files = {version["defined_in"].text_or(name + "_v" + v)};
    if (v == latest.text()) files.push_back(name);
    out.push_back({files, EntryOf(entry, version, latest)});
  }
  return out;
}

Reference::Reference(const Value& entry) {
  const Value::List& parts = entry.list();
  name = parts.size() < 2 ? entry[size_t{0}].text() : entry[1].text();
  if (parts.size() > 1) package = entry[size_t{0}].text();
  if (parts.size() > 2) version = entry[2].text();
}

Value Reference::Entry(const std::vector<std::string>& names, const Value& version) {
  if (version.is_null()) return names;
  return Value::List{names.size() > 1 ? names[0] : "", names.back(), version};
}

std::string VersionOf(const Node& node) {
  return node.kind == "model" ? node.properties["version"].text() : "";
}

std::string NameWithVersion(const Node& node) {
  const std::string version = VersionOf(node);
  return version.empty() ? node.name : node.name + "_v" + version;
}

bool IsLatest(const Node& node) {
  return VersionOf(node) == (node.kind == "model" ? node.properties["latest_version"].text() : "");
}

}  // namespace millrace::dbt
