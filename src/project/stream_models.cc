#include "project/stream_models.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/strings.h"
#include "dbt/ephemeral.h"
#include "dbt/selector.h"
#include "dbt/source_place.h"
#include "dbt/templates.h"

namespace millrace::project {

namespace {

std::string ScriptOf(const dbt::Node& node) {
  std::vector<std::string> keys;
  for (const std::string& key : node.config["unique_key"].texts()) {
    keys.push_back(QuoteIdentifier(key));
  }
  std::string options = "'connector' = 'warehouse'";
  for (const auto& [key, value] : node.config["options"].map()) {
    options += fmt::format(", {} = {}", QuoteLiteral(key), QuoteLiteral(value.text()));
  }
  const std::string key =
      keys.empty() ? "" : fmt::format(" (PRIMARY KEY ({}) NOT ENFORCED)", Join(keys, ", "));
  return fmt::format("CREATE TABLE {}{} WITH ({}) AS\n{}\n;\n", QuoteIdentifier(node.alias), key,
                     options, node.compiled);
}

}  // namespace

bool HasModels(const std::string& directory) {
  return std::filesystem::exists(directory + "/dbt_project.yml");
}

Result<std::unique_ptr<dbt::Project>> LoadModels(const dbt::ProjectOptions& options,
                                                 const sql::Catalog& catalog) {
  dbt::ProjectOptions with_tables = options;
  for (const sql::Table* table : catalog.Tables()) with_tables.streams.insert(table->name);
  return dbt::Project::Load(with_tables);
}

Result<std::vector<StreamModel>> StreamModelsOf(dbt::Project& models) {
  MR_ASSIGN_OR_RETURN(std::vector<std::string> order, dbt::InOrder(models));
  dbt::Templates templates(models);
  std::vector<StreamModel> out;
  for (const std::string& id : order) {
    dbt::Node& node = *models.Find(id);
    if (node.kind != "model" || node.materialized() != "stream") continue;
    if (node.schema != models.profile.schema) {
      return Status(Code::kUnsupported, fmt::format("stream model \"{}\" asks for schema \"{}\"",
                                                    node.name, node.schema))
          .WithHint("streams write to the warehouse's schema \"main\"; leave `schema` out")
          .At({node.path, node.line, 0, 0});
    }
    MR_RETURN_IF_ERROR(templates.Compile(node).status());
    node.compiled = dbt::Statement(node.compiled);
    out.push_back({node.alias, ScriptOf(node), node});
  }
  return out;
}

SourceSpan PlaceInModel(const StreamModel& model, const SourceSpan& span) {
  SourceSpan place = dbt::PlaceInTemplate(model.node, span.line);
  place.file = span.file;
  return place;
}

}  // namespace millrace::project
