#include "serve/topic_schemas.h"

#include <fmt/format.h>

#include <duckdb/execution/expression_executor.hpp>
#include <mutex>

#include "job/scan_schema.h"
#include "sql/functions.h"

namespace millrace::serve {

namespace {

// The CHECK constraints of a table over its physical columns. Rows whose constraint says DROP or
// WARN pass here: what happens to them is the reading job's to count.
struct Checks {
  std::mutex mutex;
  std::vector<duckdb::unique_ptr<duckdb::Expression>> expressions;
  std::vector<const sql::Check*> definitions;
  std::unique_ptr<duckdb::ExpressionExecutor> executor;

  void Run(duckdb::DataChunk& rows, std::vector<std::pair<uint32_t, model::RowError>>& errors) {
    std::lock_guard<std::mutex> lock(mutex);
    for (duckdb::idx_t c = 0; c < expressions.size(); c++) {
      duckdb::Vector holds(duckdb::LogicalType::BOOLEAN);
      executor->SetChunk(&rows);
      executor->ExecuteExpression(c, holds);
      duckdb::UnifiedVectorFormat format;
      holds.ToUnifiedFormat(rows.size(), format);
      for (uint32_t row = 0; row < rows.size(); row++) {
        duckdb::idx_t at = format.sel->get_index(row);
        if (!format.validity.RowIsValid(at) || reinterpret_cast<const bool*>(format.data)[at])
          continue;
        model::RowError error;
        error.kind = model::RowErrorKind::kConstraint;
        error.message = fmt::format("constraint \"{}\" is violated: {}", definitions[c]->name,
                                    definitions[c]->flink.text);
        errors.emplace_back(row, std::move(error));
      }
    }
  }
};

}  // namespace

Result<std::unique_ptr<TopicSchemas>> TopicSchemas::Make(const project::Project& project) {
  auto schemas = std::make_unique<TopicSchemas>();
  MR_ASSIGN_OR_RETURN(schemas->planner_, sql::NewFlinkPlanner());
  for (const sql::Table* table : project.catalog().Tables()) {
    std::string topic = table->Option("topic");
    if (table->Option("connector") != "kafka" || topic.empty() || schemas->schemas_.count(topic))
      continue;
    auto schema = std::make_shared<TopicSchema>();
    schema->table = table->name;
    schema->schema = table->schema;
    schema->format =
        table->Option("format").empty() ? table->Option("value.format") : table->Option("format");
    for (const auto& [key, value] : table->OptionValues()) {
      if (key.rfind(schema->format + ".", 0) == 0) schema->format_options[key] = value;
    }
    auto settings = project.config().topics.find(topic);
    if (settings != project.config().topics.end()) schema->key_column = settings->second.key;
    if (schema->key_column.empty()) schema->key_column = table->Option("key.fields");
    auto checks = std::make_shared<Checks>();
    for (const sql::Check& check : table->checks) {
      bool refuses = check.action == sql::ViolationAction::kDeadLetter ||
                     check.action == sql::ViolationAction::kFail;
      if (!check.enforced || !refuses) continue;
      auto bound = schemas->planner_->BindExpressions(
          table->schema, {fmt::format("CAST(({}) AS BOOLEAN)", check.expression.text)});
      // A check over metadata columns cannot be made before the record is in the log.
      if (!bound.ok()) continue;
      checks->expressions.push_back(std::move((*bound)[0]));
      checks->definitions.push_back(&check);
    }
    if (!checks->expressions.empty()) {
      checks->executor = std::make_unique<duckdb::ExpressionExecutor>(schemas->planner_->context());
      for (auto& e : checks->expressions) checks->executor->AddExpression(*e);
      schema->check_constraints = [checks](auto& rows, auto& errors) { checks->Run(rows, errors); };
    }
    schemas->schemas_[topic] = std::move(schema);
  }
  return schemas;
}

std::shared_ptr<const TopicSchema> TopicSchemas::Find(const std::string& topic) const {
  auto found = schemas_.find(topic);
  return found == schemas_.end() ? nullptr : found->second;
}

}  // namespace millrace::serve
