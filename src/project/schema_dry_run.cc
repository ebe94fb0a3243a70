#include "project/schema_dry_run.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "base/base64.h"
#include "base/strings.h"
#include "format/avro/avro_options.h"
#include "format/avro/avro_plan.h"
#include "job/job.h"
#include "project/schema_trial.h"

namespace millrace::project {

using format::AvroSchema;

namespace {

constexpr int64_t kReadBytes = 1 << 20;
constexpr size_t kExamplesMax = 20;

// Tries a record or dead letter, and notes what came of it.
void Note(SchemaTrial& trial, std::string_view bytes, const std::string& what, SchemaDryRun& run) {
  std::string reason;
  const SchemaTrial::Answer answer = trial.Try(bytes, reason);
  if (answer == SchemaTrial::Answer::kSkipped) run.skipped++;
  if (answer != SchemaTrial::Answer::kBroken) return;
  run.broken++;
  if (run.examples.size() < kExamplesMax) run.examples.push_back({what, std::move(reason)});
}

// The newest records of a topic, partition by partition.
Status ReadNewest(log::Log& log, const std::string& topic, int64_t records_max,
                  const std::function<void(int partition, const model::Record&)>& take) {
  auto info = log.Describe(topic);
  if (!info.ok()) return {};  // nothing was written yet
  const int partitions = info->config.partitions;
  for (int p = 0; p < partitions; p++) {
    MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log.DescribePartition(topic, p));
    int64_t next = std::max(at.start_offset, at.stable_offset - records_max / partitions);
    while (next < at.stable_offset) {
      MR_ASSIGN_OR_RETURN(next, log.Read(topic, p, next, at.stable_offset, kReadBytes,
                                         [&](std::span<const model::Record> records) {
                                           for (const auto& record : records) take(p, record);
                                         }));
    }
  }
  return {};
}

// The bytes of a dead letter of this topic.
std::optional<std::string> LetterBytes(const model::Record& letter, const std::string& topic) {
  simdjson::dom::parser parser;
  simdjson::dom::object json;
  std::string_view text;
  if (parser.parse(letter.value.data(), letter.value.size()).get(json) != simdjson::SUCCESS ||
      json["topic"].get(text) != simdjson::SUCCESS || text != topic) {
    return std::nullopt;
  }
  if (json["value"].get(text) == simdjson::SUCCESS) return std::string(text);
  if (json["value_base64"].get(text) == simdjson::SUCCESS) return DecodeBase64(text);
  return std::nullopt;
}

bool ReadsSubject(const sql::Table& table, const std::string& topic, const std::string& subject) {
  const format::DecoderOptions options = format::DecoderOptionsOf(table.OptionValues());
  if (options.format != format::kAvroConfluent) return false;
  auto own = options.options.find("avro-confluent.subject");
  return own != options.options.end() ? own->second == subject : table.Option("topic") == topic;
}

// Resolves a table's columns with records of one writer.
class TableTrial {
 public:
  explicit TableTrial(const sql::Table& table) : table_(table) {}

  Status Open() {
    types_.reserve(table_.schema.size());
    writers_.reserve(table_.schema.size());
    for (const model::Column& column : table_.schema.columns) {
      MR_ASSIGN_OR_RETURN(format::ColumnType type, format::MakeColumnType(column.type));
      types_.push_back(std::move(type));
      writers_.emplace_back(types_.back());
      columns_.push_back({column.name, &writers_.back(), !column.nullable});
    }
    const auto options = format::DecoderOptionsOf(table_.OptionValues()).options;
    if (auto own = options.find("avro-confluent.schema"); own != options.end()) {
      MR_ASSIGN_OR_RETURN(reader_, AvroSchema::Parse(own->second));
    }
    return {};
  }
  Result<std::shared_ptr<const format::AvroPlan>> Plan(
      std::shared_ptr<const AvroSchema> writer) const {
    return format::AvroPlan::Make(std::move(writer), reader_ ? &reader_->root() : nullptr,
                                  columns_);
  }

 private:
  const sql::Table& table_;
  std::vector<format::ColumnType> types_;
  std::vector<format::ColumnWriter> writers_;
  std::vector<format::TargetColumn> columns_;
  std::shared_ptr<const AvroSchema> reader_;
};

// The jobs that read a table, by the column; under "" all.
std::map<std::string, std::vector<std::string>> JobsByColumn(const Project& project,
                                                             const sql::Table& table) {
  std::map<std::string, std::vector<std::string>> jobs;
  for (const JobStatement& statement : project.jobs()) {
    auto compiled = project.Compile(statement);
    if (!compiled.ok()) continue;
    const auto& sources = (*compiled)->sources;
    for (size_t i = 0; i < sources.size(); i++) {
      if (sources[i].table->name != table.name) continue;
      jobs[""].push_back(statement.settings.name);
      for (size_t column : (*compiled)->plan.sources[i].columns) {
        jobs[sources[i].bound.scan.schema.columns[column].name].push_back(statement.settings.name);
      }
    }
  }
  return jobs;
}

Status TryTable(const Project& project, const sql::Table& table,
                const std::shared_ptr<const AvroSchema>& candidate,
                const std::shared_ptr<const AvroSchema>& latest, SchemaDryRun& run) {
  TableTrial trial(table);
  MR_RETURN_IF_ERROR(trial.Open());
  MR_ASSIGN_OR_RETURN(auto plan, trial.Plan(candidate));
  std::shared_ptr<const format::AvroPlan> before;
  if (latest) {
    auto planned = trial.Plan(latest);
    if (planned.ok()) before = *planned;
  }
  auto jobs = JobsByColumn(project, table);
  for (size_t c = 0; c < table.schema.size(); c++) {
    const model::Column& column = table.schema.columns[c];
    const auto fault = plan->ColumnFault(c);
    // A NOT NULL column that is missing costs every record, whoever reads which columns of it.
    const bool costs_all = fault && plan->Lacks(c);
    if (fault) {
      run.columns.push_back(
          {table.name, column.name, true, *fault, jobs[costs_all ? "" : column.name]});
    } else if (plan->Lacks(c) && before && !before->Lacks(c)) {
      run.columns.push_back({table.name, column.name, false,
                             "it would be NULL: the schema has no such field any more",
                             jobs[column.name]});
    }
  }
  return {};
}

}  // namespace

Result<SchemaDryRun> DryRunSchema(Runtime& runtime, const std::string& subject,
                                  const registry::Schema& candidate, int64_t records_max) {
  MR_ASSIGN_OR_RETURN(registry::WholeSchema whole, runtime.schemas().Resolve(candidate));
  SchemaDryRun run;
  run.topic = subject.ends_with("-value") ? subject.substr(0, subject.size() - 6) : subject;
  MR_ASSIGN_OR_RETURN(auto trial, SchemaTrial::New(runtime.schemas(), whole));
  MR_RETURN_IF_ERROR(ReadNewest(
      runtime.log(), run.topic, records_max, [&](int partition, const model::Record& record) {
        if (!record.has_value) return;
        run.records++;
        Note(*trial, record.value, fmt::format("record {}/{}", partition, record.offset), run);
      }));
  MR_RETURN_IF_ERROR(ReadNewest(
      runtime.log(), job::kDeadLetterTopic, records_max,
      [&](int partition, const model::Record& letter) {
        auto bytes = LetterBytes(letter, run.topic);
        if (!bytes) return;
        run.letters++;
        Note(*trial, *bytes, fmt::format("dead letter {}/{}", partition, letter.offset), run);
      }));
  if (whole.schema.type != "AVRO") return run;
  MR_ASSIGN_OR_RETURN(auto schema, AvroSchema::Parse(whole.schema.text, whole.references));
  std::shared_ptr<const AvroSchema> latest;
  if (auto version = runtime.schemas().Version(subject, registry::kLatest); version.ok()) {
    MR_ASSIGN_OR_RETURN(format::RegisteredSchema found, runtime.schemas().Find(version->id));
    auto parsed = AvroSchema::Parse(found.text, found.references);
    if (found.type == "AVRO" && parsed.ok()) latest = *parsed;
  }
  for (const sql::Table* table : runtime.project().catalog().Tables()) {
    if (!ReadsSubject(*table, run.topic, subject)) continue;
    MR_RETURN_IF_ERROR(TryTable(runtime.project(), *table, schema, latest, run));
  }
  return run;
}

std::string SchemaDryRun::ToJson() const {
  std::vector<std::string> shown_examples;
  for (const Broken& broken_one : examples) {
    shown_examples.push_back(fmt::format(R"({{"what":{},"reason":{}}})", JsonQuote(broken_one.what),
                                         JsonQuote(broken_one.reason)));
  }
  std::vector<std::string> shown_columns;
  for (const Column& column : columns) {
    std::vector<std::string> jobs;
    for (const std::string& job : column.jobs) jobs.push_back(JsonQuote(job));
    shown_columns.push_back(
        fmt::format(R"({{"table":{},"column":{},"breaks":{},"reason":{},"jobs":[{}]}})",
                    JsonQuote(column.table), JsonQuote(column.column), column.breaks,
                    JsonQuote(column.reason), Join(jobs, ",")));
  }
  return fmt::format(R"({{"topic":{},"records":{},"dead_letters":{},"broken":{},"skipped":{},)"
                     R"("examples":[{}],"columns":[{}]}})",
                     JsonQuote(topic), records, letters, broken, skipped, Join(shown_examples, ","),
                     Join(shown_columns, ","));
}

}  // namespace millrace::project
