#include "dbt/past_state.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <set>

#include "base/strings.h"
#include "dbt/artifacts.h"
#include "env/files.h"

namespace millrace::dbt {

namespace {

// Unset, empty and false configs are alike: dbt writes out all that it knows of.
bool SameValue(const Value& a, const Value& b) {
  return a.ToJson() == b.ToJson() || (!a.truth() && !b.truth());
}

// {"id": "bigint"} of the columns, which are a list in .yml files and a map in manifests.
std::map<std::string, std::string> ColumnTypes(const Value& columns) {
  std::map<std::string, std::string> out;
  auto add = [&](const Value& column) { out[column["name"].text()] = column["data_type"].text(); };
  for (const Value& column : columns.list()) add(column);
  for (const auto& [name, column] : columns.map()) add(column);
  return out;
}

}  // namespace

std::string Sha256Hex(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), bytes.data(), &size, EVP_sha256(), nullptr);
  std::string out;
  for (unsigned i = 0; i < size; i++) out += fmt::format("{:02x}", bytes[i]);
  return out;
}

Result<std::shared_ptr<const PastState>> PastState::Load(const std::string& directory) {
  env::FileSystem& files = *env::FileSystem::Real();
  auto read = [&](const std::string& name) -> Result<Value> {
    const std::string path = directory + "/" + name;
    MR_ASSIGN_OR_RETURN(std::string text, env::ReadWholeFile(files, path));
    auto value = Value::FromJson(text);
    if (!value.ok()) return std::move(value).status().At({path, 0, 0, 0});
    return value;
  };
  auto manifest = read("manifest.json");
  if (!manifest.ok()) {
    return std::move(manifest).status().Annotate("--state").WithHint(
        "a directory with manifest.json, such as a copy of target/ of the run to compare with");
  }
  std::shared_ptr<PastState> state(new PastState);
  state->ours_ = (*manifest)["metadata"]["env"].has("MILLRACE_VERSION");
  for (const char* part : {"nodes", "sources", "unit_tests"}) {
    for (const auto& [id, entry] : (*manifest)[part].map()) state->nodes_[id] = entry;
  }
  for (const auto& [id, entry] : (*manifest)["macros"].map()) {
    state->macros_[id] = Trim(entry["macro_sql"].text());
  }
  auto results = read("run_results.json");
  if (!results.ok() && results.status().code() != Code::kNotFound) return results.status();
  if (results.ok()) {
    for (const Value& result : (*results)["results"].list()) {
      state->results_[result["unique_id"].text()] = result["status"].text();
    }
  }
  return std::shared_ptr<const PastState>(state);
}

bool PastState::SameBody(const Node& node, const Value& then) const {
  if (node.kind == "seed") return then["checksum"]["checksum"].text() == node.checksum;
  // dbt writes generic tests otherwise than we do; what they test is in their id.
  if (node.kind == "test" && !node.test_name.empty()) return true;
  if (node.kind == "unit_test") {
    const Value rows = UnitTestRows(node);
    return SameValue(then["overrides"], node.properties["overrides"]) &&
           then["given"].ToJson() == rows["given"].ToJson() &&
           then["expect"].ToJson() == rows["expect"].ToJson();
  }
  return Trim(then["raw_code"].text()) == Trim(node.code);
}

bool PastState::SameConfigs(const Node& node, const Value& then) const {
  std::set<std::string> keys;
  for (const auto& [key, value] : node.config.map()) keys.insert(key);
  for (const auto& [key, value] : then[ours_ ? "config" : "unrendered_config"].map()) {
    keys.insert(key);
  }
  for (const std::string& key : keys) {
    if (key == "enabled" || key == "materialized") continue;
    if (!SameValue(node.config[key], then["config"][key])) return false;
  }
  return node.kind == "source" || node.materialized() == then["config"]["materialized"].text();
}

bool PastState::SameContract(const Node& node, const Value& then) const {
  if (!node.config["contract"]["enforced"].truth()) return true;
  return ColumnTypes(node.properties["columns"]) == ColumnTypes(then["columns"]);
}

bool PastState::SameMacros(const Node& node, const Value& then,
                           const std::map<std::string, std::string>& macros) const {
  std::set<std::string> ids(node.macros.begin(), node.macros.end());
  // dbt's own are not ours: only what a project brings is compared.
  for (const std::string& id : then["depends_on"]["macros"].texts()) {
    if (!id.starts_with("macro.dbt.") && !id.starts_with("macro.dbt_duckdb.")) ids.insert(id);
  }
  for (const std::string& id : ids) {
    auto now = macros.find(id);
    auto before = macros_.find(id);
    if (now == macros.end() || before == macros_.end()) return false;
    if (Trim(now->second) != before->second) return false;
  }
  return true;
}

Result<bool> PastState::Matches(const std::string& what, const Node& node,
                                const std::map<std::string, std::string>& macros) const {
  const auto found = nodes_.find(node.id);
  const bool known = found != nodes_.end();
  if (what == "new") return !known;
  if (what == "old") return known;
  if (what == "unmodified") {
    MR_ASSIGN_OR_RETURN(bool modified, Matches("modified", node, macros));
    return !modified;
  }
  const std::string part = what.starts_with("modified.") ? what.substr(9) : "";
  const bool any = what == "modified";
  if (!any && part != "body" && part != "configs" && part != "contract" && part != "macros") {
    return Status(Code::kBadOption, fmt::format("state:{} is not known", what))
        .WithHint(
            "there is: new, old, unmodified, modified, modified.body, modified.configs, "
            "modified.contract, modified.macros");
  }
  if (!known) return true;
  const Value& then = found->second;
  if ((any || part == "body") && !SameBody(node, then)) return true;
  if ((any || part == "configs") && !SameConfigs(node, then)) return true;
  if ((any || part == "contract") && !SameContract(node, then)) return true;
  return (any || part == "macros") && !SameMacros(node, then, macros);
}

std::string PastState::ResultOf(const std::string& id) const {
  auto found = results_.find(id);
  return found == results_.end() ? "" : found->second;
}

Value PastState::RelationOf(const std::string& id) const {
  auto found = nodes_.find(id);
  if (found == nodes_.end()) return {};
  const Value& entry = found->second;
  return Value::Object({{"$relation", Value::Object({{"database", entry["database"]},
                                                     {"schema", entry["schema"]},
                                                     {"identifier", entry["alias"]}})}});
}

}  // namespace millrace::dbt
