// reconcile/*.yml; project/reconcile.h says what stands in them.
#include <fmt/format.h>

#include <algorithm>

#include "env/files.h"
#include "project/reconcile.h"
#include "project/yaml_reader.h"

namespace millrace::project {

namespace {

using By = ReconcileCheck::By;

class CheckReader {
 public:
  CheckReader(std::string path, std::vector<Status>& faults) : reader_(std::move(path), faults) {}

  ReconcileCheck Read(const YAML::Node& root, const std::string& name) {
    check_.name = name;
    auto side = [this](std::string& query, bool is_query) {
      return [this, &query, is_query](const YAML::Node& node) {
        std::string text;
        reader_.Text(node, text);
        if (!query.empty()) {
          reader_.Fault(node, Code::kBadOption, "this side is given twice",
                        "a table, or a query (\"…-query\")");
        }
        query = is_query ? text : "FROM " + QuotedName(text);
      };
    };
    reader_.Map(
        root, "a reconciliation",
        {{"source", side(check_.source, false)},
         {"source-query", side(check_.source, true)},
         {"destination", side(check_.destination, false)},
         {"destination-query", side(check_.destination, true)},
         {"by", [&](const YAML::Node& n) { ReadBy(n); }},
         {"key", [&](const YAML::Node& n) { Names(n, check_.key); }},
         {"columns", [&](const YAML::Node& n) { Names(n, check_.columns); }},
         {"time", [&](const YAML::Node& n) { reader_.Text(n, check_.time); }},
         {"window", [&](const YAML::Node& n) { Duration(n, check_.window_us); }},
         {"settle", [&](const YAML::Node& n) { Duration(n, check_.settle_us); }},
         {"every", [&](const YAML::Node& n) { Duration(n, check_.every_us); }},
         {"tolerance", [&](const YAML::Node& n) { ReadTolerance(n); }},
         {"name-keys", [&](const YAML::Node& n) { reader_.Number(n, check_.keys_max, 0, 1000); }}});
    Require(root, !check_.source.empty(), "source");
    Require(root, !check_.destination.empty(), "destination");
    if (check_.by != By::kCount) Require(root, !check_.key.empty(), "key");
    if (check_.by == By::kChecksum) Require(root, !check_.columns.empty(), "columns");
    if (check_.window_us > 0) Require(root, !check_.time.empty(), "time");
    return check_;
  }

 private:
  // `schema.table` as two names.
  static std::string QuotedName(const std::string& text) {
    std::vector<std::string> parts;
    for (const std::string& part : Split(text, '.')) parts.push_back(QuoteIdentifier(part));
    return Join(parts, ".");
  }

  void Require(const YAML::Node& root, bool there, const char* key) {
    if (there) return;
    reader_.Fault(root, Code::kBadOption, fmt::format("\"{}\" is missing", key),
                  "docs/reference/reconcile.md shows a whole check");
  }

  void ReadBy(const YAML::Node& node) {
    std::string text;
    reader_.Text(node, text);
    if (text == "count") {
      check_.by = By::kCount;
    } else if (text == "key") {
      check_.by = By::kKey;
    } else if (text == "checksum") {
      check_.by = By::kChecksum;
    } else {
      reader_.Fault(node, Code::kBadOption, fmt::format("\"{}\" is no way to compare", text),
                    DidYouMean(text, {"count", "key", "checksum"}));
    }
  }

  void Names(const YAML::Node& node, std::vector<std::string>& names) {
    if (node.IsScalar()) {
      names.push_back(node.Scalar());
      return;
    }
    for (const auto& entry : node) {
      names.emplace_back();
      reader_.Text(entry, names.back());
    }
  }

  void Duration(const YAML::Node& node, int64_t& us) {
    if (node.IsScalar() && node.Scalar() == "0") {
      us = 0;
      return;
    }
    int64_t ms = 0;
    reader_.DurationMs(node, ms);
    us = std::max<int64_t>(0, ms) * 1000;
  }

  // "0.1 %" or 0.001
  void ReadTolerance(const YAML::Node& node) {
    std::string text;
    reader_.Text(node, text);
    std::string number(Trim(text));
    const bool percent = number.ends_with('%');
    if (percent) number = std::string(Trim(number.substr(0, number.size() - 1)));
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (number.empty() || *end != '\0' || !(value >= 0)) {
      reader_.Fault(node, Code::kBadOption, fmt::format("\"{}\" is no tolerance", text),
                    "a part of the source's rows: 0.1 %, or 0.001");
      return;
    }
    check_.tolerance = percent ? value / 100 : value;
  }

  YamlReader reader_;
  ReconcileCheck check_;
};

}  // namespace

std::vector<ReconcileCheck> LoadReconcileChecks(const std::string& project_directory,
                                                std::vector<Status>& faults) {
  std::vector<ReconcileCheck> checks;
  const std::string directory = project_directory + "/reconcile";
  auto files = env::FileSystem::Real()->List(directory);
  if (!files.ok()) return checks;  // none are declared
  std::vector<std::string> names(files->begin(), files->end());
  std::sort(names.begin(), names.end());
  for (const std::string& file : names) {
    if (!file.ends_with(".yml") && !file.ends_with(".yaml")) continue;
    const std::string path = directory + "/" + file;
    try {
      YAML::Node root = YAML::LoadFile(path);
      const size_t known = faults.size();
      ReconcileCheck check = CheckReader(path, faults).Read(root, file.substr(0, file.rfind('.')));
      if (faults.size() == known) checks.push_back(std::move(check));
    } catch (const YAML::Exception& e) {
      faults.push_back(Status(Code::kSyntax, "not valid YAML: " + e.msg)
                           .At({path, e.mark.line + 1, e.mark.column + 1, 1}));
    }
  }
  return checks;
}

Result<ReconcileCheck> FindReconcileCheck(const std::vector<ReconcileCheck>& checks,
                                          const std::string& name) {
  std::vector<std::string> names;
  for (const ReconcileCheck& check : checks) {
    if (check.name == name) return check;
    names.push_back(check.name);
  }
  return Status(Code::kNotFound, fmt::format("there is no reconciliation \"{}\"", name))
      .WithHint(names.empty() ? "declare one in reconcile/" + name + ".yml"
                              : DidYouMean(name, names));
}

}  // namespace millrace::project
