// Unit tests of .yml files: the model they are about, and their rows in one shape: {"rows": [{…}]}
// or {"sql": "select …"}, whatever format they were written in.
#include <fmt/format.h>

#include <filesystem>

#include "base/strings.h"
#include "dbt/configs.h"
#include "dbt/csv_rows.h"
#include "dbt/project_reader.h"

namespace millrace::dbt {

namespace fs = std::filesystem;

namespace {

SourceSpan LineOf(const std::string& path) {
  return {path, 1, 0, 0};
}

}  // namespace

// tests/fixtures/…/NAME.csv or .sql
Result<std::string> ProjectReader::ReadFixture(const Package& package, const std::string& name,
                                               const std::string& extension) {
  std::vector<std::string> roots = package.config["test-paths"].texts();
  if (roots.empty()) roots = {"tests"};
  for (std::string root : roots) {
    if (!package.directory.empty()) root = package.directory + "/" + root;
    std::error_code error;
    fs::recursive_directory_iterator it(project_.Absolute(root + "/fixtures"), error), end;
    for (; !error && it != end; it.increment(error)) {
      if (it->path().filename() == name + extension) return ReadText(it->path().string());
    }
  }
  return Status(Code::kNotFound, fmt::format("there is no fixture \"{}{}\"", name, extension))
      .WithHint("fixtures lie in tests/fixtures/");
}

Result<Value> ProjectReader::ReadRows(const Property& entry, const Value& given) {
  const std::string format = given["format"].text_or("dict");
  if (format != "dict" && format != "csv" && format != "sql") {
    return Status(Code::kBadOption,
                  fmt::format("format \"{}\" of a unit test's rows is not known", format))
        .WithHint("there is: dict, csv, sql");
  }
  if (format == "dict") {
    if (given["rows"].is_list()) return Value::Object({{"rows", given["rows"]}});
    // No rows for a seed: those of its file.
    for (const auto& [id, node] : project_.nodes) {
      const std::string input = given["input"].text();
      if (node.kind != "seed" || input.find('\'' + node.name + '\'') == std::string::npos) continue;
      MR_ASSIGN_OR_RETURN(std::string text, ReadText(node.path));
      MR_ASSIGN_OR_RETURN(Value rows, ParseCsvRows(text));
      return Value::Object({{"rows", rows}});
    }
    return Status(Code::kBadOption, "rows must be a list of maps where the format is dict");
  }
  std::string text = given["rows"].text();
  if (given.has("fixture")) {
    MR_ASSIGN_OR_RETURN(text, ReadFixture(*entry.package, given["fixture"].text(), "." + format));
  }
  if (format == "sql") return Value::Object({{"sql", text}});
  MR_ASSIGN_OR_RETURN(Value rows, ParseCsvRows(text));
  return Value::Object({{"rows", rows}});
}

Status ProjectReader::AddUnitTest(const Property& entry) {
  Node node;
  node.kind = "unit_test";
  node.package = entry.package->name;
  node.path = entry.path;
  node.name = (*entry.value)["name"].text();
  node.tested = (*entry.value)["model"].text();
  node.id = Join({node.kind, node.package, node.tested, node.name}, ".");
  node.fqn = {node.package, node.tested, node.name};
  node.properties = *entry.value;
  MergeConfig(ConfigByPath(entry.package->config["unit_tests"], node.fqn), node.config);
  MergeConfig((*entry.value)["config"], node.config);
  node.tags = node.config["tags"].texts();
  const std::string model = Join({"model", node.package, node.tested}, ".");
  if (!node.config["enabled"].truth_or(true) || disabled_.contains(model)) return Status::Ok();
  const Node* tested = project_.FindRef(node.package, node.tested, node);
  if (tested == nullptr || tested->kind != "model") {
    return Status(Code::kUnknownTable, fmt::format("unit test \"{}\" is about model \"{}\", which "
                                                   "is not there",
                                                   node.name, node.tested))
        .At(LineOf(entry.path));
  }
  node.depends_on = {tested->id};
  Value given = Value::List{};
  for (const Value& input : (*entry.value)["given"].list()) {
    auto rows = ReadRows(entry, input);
    if (!rows.ok()) {
      return std::move(rows).status().Annotate("unit test " + node.name).At(LineOf(entry.path));
    }
    rows->Set("input", input["input"]);
    given.Append(*rows);
  }
  node.properties.Set("given", given);
  // Not a key of its own, which dbt would refuse: the project stays one that dbt runs.
  for (const auto& [key, expected] :
       {std::pair("expect", (*entry.value)["expect"]),
        std::pair("expect_table", node.config["meta"]["expect_table"])}) {
    if (expected.is_null()) continue;
    auto rows = ReadRows(entry, expected);
    if (!rows.ok()) {
      return std::move(rows).status().Annotate("unit test " + node.name).At(LineOf(entry.path));
    }
    node.properties.Set(key, *rows);
  }
  if (!project_.nodes.try_emplace(node.id, node).second) {
    return Status(Code::kAlreadyExists,
                  fmt::format("model \"{}\" has two unit tests \"{}\"", node.tested, node.name))
        .At(LineOf(entry.path));
  }
  return Status::Ok();
}

}  // namespace millrace::dbt
