#include "serve/topic_schemas.h"

#include <fmt/format.h>

#include <mutex>

#include "connectors/connector.h"
#include "env/diag.h"
#include "format/decoder.h"
#include "format/format_options.h"
#include "job/row_checks.h"
#include "sql/functions.h"

namespace millrace::serve {

namespace {

// The CHECK constraints of a table over its physical columns. Rows whose constraint says DROP or
// WARN pass here: what happens to them is the reading job's to count.
struct Checks {
  Checks(duckdb::ClientContext& client,
         std::vector<duckdb::unique_ptr<duckdb::Expression>> expressions,
         std::vector<const sql::Check*> definitions)
      : checks(client, std::move(expressions), std::move(definitions)) {}

  void Run(duckdb::DataChunk& rows, std::vector<std::pair<uint32_t, model::RowError>>& errors) {
    std::lock_guard<std::mutex> lock(mutex);
    checks.Run(rows, [&](uint32_t row, const sql::Check& check) {
      model::RowError error;
      error.kind = model::RowErrorKind::kConstraint;
      error.message = job::RowChecks::Reason(check);
      errors.emplace_back(row, std::move(error));
    });
  }

  std::mutex mutex;
  job::RowChecks checks;
};

// Whether the table's records are not the events themselves.
bool EncodesEvents(const sql::Table& table) {
  auto format = format::FindFormat(format::DecoderOptionsOf(table.OptionValues()).format);
  return format.ok() && (*format)->binary;
}

// Whether events can be records of the table: those of an upsert table have the PRIMARY KEY as
// their key, which is made for one column in text, unless the whole record is encoded.
bool TakesEvents(const sql::Table& table) {
  const std::string connector = table.Option("connector");
  return connector == "kafka" || (connector == "upsert-kafka" &&
                                  (EncodesEvents(table) || (table.primary_key.size() == 1 &&
                                                            table.Option("key.format") == "raw")));
}

// The table as whoever writes to it needs it.
Result<std::shared_ptr<const connectors::TableContext>> WrittenAs(
    const project::Project& project, const sql::Table& table,
    const connectors::Services& services) {
  MR_ASSIGN_OR_RETURN(job::Binding binding, project.Bind(table));
  MR_RETURN_IF_ERROR(job::TakeTableSettings(binding.options).status());
  auto context = std::make_shared<connectors::TableContext>();
  context->name = table.name;
  context->schema = table.schema;
  context->primary_key = table.primary_key;
  MR_ASSIGN_OR_RETURN(context->options,
                      connectors::ParseOptions(binding.connector->spec, binding.options));
  context->job = "events";
  context->services = services;
  return std::shared_ptr<const connectors::TableContext>(std::move(context));
}

}  // namespace

Result<std::unique_ptr<TopicSchemas>> TopicSchemas::Make(const project::Project& project,
                                                         const connectors::Services& services) {
  auto schemas = std::make_unique<TopicSchemas>();
  MR_ASSIGN_OR_RETURN(schemas->planner_, sql::NewFlinkPlanner(project.catalog()));
  for (const sql::Table* table : project.catalog().Tables()) {
    std::string topic = table->Option("topic");
    const bool checked = project.IsInLog(*table) && TakesEvents(*table) && !topic.empty();
    if (!checked || schemas->schemas_.count(topic)) continue;
    auto schema = std::make_shared<TopicSchema>();
    schema->table = table->name;
    schema->schema = table->schema;
    format::DecoderOptions format = format::DecoderOptionsOf(table->OptionValues());
    schema->format = format.format;
    schema->format_options = format.options;
    for (const std::string& key : table->primary_key) {
      const int column = table->schema.Find(key);
      if (column >= 0) schema->primary_key.push_back(static_cast<size_t>(column));
    }
    auto settings = project.config().topics.find(topic);
    if (settings != project.config().topics.end()) schema->key_column = settings->second.key;
    if (schema->key_column.empty()) schema->key_column = table->Option("key.fields");
    schema->upsert = table->Option("connector") == "upsert-kafka";
    if (schema->upsert) schema->key_column = table->primary_key[0];
    if (EncodesEvents(*table)) {
      // The record's key is then made with it; a key that millrace.yml names is text.
      const bool keyed = schema->upsert || !table->Option("key.fields").empty();
      if (keyed) schema->key_column.clear();
      auto written = WrittenAs(project, *table, services);
      if (written.ok()) {
        schema->encoded_as = *std::move(written);
      } else {  // say, a variable of the environment: only who posts events needs to care
        diag::Warn("events for table are refused: table={} reason={}", table->name,
                   written.status().message());
      }
    }
    std::vector<duckdb::unique_ptr<duckdb::Expression>> expressions;
    std::vector<const sql::Check*> definitions;
    for (const sql::Check& check : table->checks) {
      bool refuses = check.action == sql::ViolationAction::kDeadLetter ||
                     check.action == sql::ViolationAction::kFail;
      if (!check.enforced || !refuses) continue;
      auto bound = schemas->planner_->BindExpressions(
          table->schema, {fmt::format("CAST(({}) AS BOOLEAN)", check.expression.text)});
      // A check over metadata columns cannot be made before the record is in the log.
      if (!bound.ok()) continue;
      expressions.push_back(std::move((*bound)[0]));
      definitions.push_back(&check);
    }
    if (!expressions.empty()) {
      auto checks = std::make_shared<Checks>(schemas->planner_->context(), std::move(expressions),
                                             std::move(definitions));
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
