#include "project/trace_replica.h"

#include <fmt/format.h>

#include <algorithm>

#include "job/version_witness.h"
#include "project/trace_joined.h"
#include "project/trace_records.h"

namespace millrace::project {

namespace {

std::vector<CellText> TextsOf(const std::vector<duckdb::Value>& values) {
  std::vector<CellText> cells;
  for (const duckdb::Value& value : values) cells.push_back(TextOf(value));
  return cells;
}

// A column that the join needs and the query shows, too, is told once.
TraceVersion VersionOf(const std::vector<std::string>& names,
                       const std::vector<duckdb::Value>& values) {
  TraceVersion version;
  std::vector<CellText>& cells = version.row.rows.emplace_back();
  for (size_t c = 0; c < names.size(); c++) {
    auto& columns = version.row.columns;
    if (std::find(columns.begin(), columns.end(), names[c]) != columns.end()) continue;
    columns.push_back(names[c]);
    cells.push_back(TextOf(values[c]));
  }
  return version;
}

TraceAnswer AnswerOf(const job::PastAnswer& past) {
  TraceAnswer answer;
  answer.from = past.from;
  answer.key.columns = past.key_columns;
  answer.rows.columns = past.columns;
  answer.key.rows.push_back(TextsOf(past.key));
  for (const auto& row : past.rows) answer.rows.rows.push_back(TextsOf(row));
  answer.unusable = past.unusable;
  answer.version = past.version;
  answer.epoch = past.epoch;
  answer.time_ms = past.time_ms;
  answer.note = past.note;
  return answer;
}

job::JobSettings Alone(job::JobSettings settings) {
  settings.name = "trace";
  settings.shards = 1;
  settings.state_memory = 0;
  return settings;
}

}  // namespace

Replica::Replica(const Project& project, const TraceRecord& record, const TraceAccess& access)
    : project_(project),
      record_(record),
      access_(access),
      run_(project, record.offset, record.timestamp_ms * 1000) {}

Status Replica::Open() {
  MR_RETURN_IF_ERROR(run_.Open());
  return run_.AddTopic(record_.topic, {record_});
}

Status Replica::RunSelect(const std::string& query, const job::JobSettings& settings,
                          job::PastAnswers* answers, model::Epoch epoch, TraceStage& stage) {
  const auto compile = [&] {
    sql::Select select;
    select.query.text = query;
    return job::CompileSelect(project_.catalog(), select, Alone(settings),
                              [this](const sql::Table& table) { return Bind(table); });
  };
  return Run(compile, false, answers, epoch, stage);
}

Status Replica::RunInsert(const JobStatement& statement, job::PastAnswers* answers,
                          model::Epoch epoch, TraceStage& stage) {
  const auto compile = [&] {
    auto compiled = job::CompileInsert(project_.catalog(), statement.insert, statement.sql,
                                       Alone(statement.settings),
                                       [this](const sql::Table& table) { return Bind(table); });
    if (compiled.ok()) (*compiled)->sink = nullptr;  // its rows come here
    return compiled;
  };
  return Run(compile, true, answers, epoch, stage);
}

Status Replica::Run(const CompilePlan& compile, bool names_partners, job::PastAnswers* answers,
                    model::Epoch epoch, TraceStage& stage) {
  auto compiled = compile();
  if (!compiled.ok()) {
    stage.note = compiled.status().message();
    return Status::Ok();
  }
  const job::CompiledJob& plan = **compiled;
  stage.made.columns = plan.plan.names;
  const size_t temporal_joins = job::WatchVersions(
      **compiled,
      [&stage](const std::vector<std::string>& names, const std::vector<duckdb::Value>& version) {
        stage.versions.push_back(VersionOf(names, version));
      });
  stage.note = WhyNotTold(plan, temporal_joins, answers);
  if (!stage.note.empty()) return Status::Ok();
  if (JoinsStreams(plan, temporal_joins)) {
    return RunJoined(project_, record_, access_, compile, names_partners, stage);
  }
  MR_RETURN_IF_ERROR(AddVersionTopics(plan, stage));
  if (!stage.note.empty()) return Status::Ok();
  std::vector<const sql::Table*> versioned;
  for (const job::SourceTable& source : plan.sources) {
    if (TopicOf(source) != record_.topic) versioned.push_back(source.table);
  }
  const bool asks = !plan.lookups.empty();
  if (asks) answers->AnswerFor(plan, epoch);
  Status outcome;
  MR_RETURN_IF_ERROR(run_.RunToEnd(std::move(*compiled), answers, stage.made, outcome));
  if (asks) {
    for (const job::PastAnswer& answer : answers->used()) stage.answers.push_back(AnswerOf(answer));
    stage.note = answers->failure().message();
  }
  // ON VIOLATION FAIL, say: that is an answer, too.
  if (!outcome.ok()) stage.refused.push_back({"job", "failed", outcome.message()});
  MR_RETURN_IF_ERROR(NameVersions(versioned, stage));
  MR_ASSIGN_OR_RETURN(const auto letters, run_.NewLetters(record_.topic));
  stage.refused.insert(stage.refused.end(), letters.begin(), letters.end());
  if (!stage.note.empty()) stage.refused.clear();  // by the missing answer
  return Status::Ok();
}

// Of which table each version is, and which record says so.
Status Replica::NameVersions(const std::vector<const sql::Table*>& versioned,
                             TraceStage& stage) const {
  for (TraceVersion& version : stage.versions) {
    std::map<std::string, CellText> values;
    for (size_t c = 0; c < version.row.columns.size(); c++) {
      values[version.row.columns[c]] = version.row.rows[0][c];
    }
    if (versioned.size() != 1) continue;
    version.table = versioned[0]->name;
    MR_ASSIGN_OR_RETURN(job::Binding binding, project_.Bind(*versioned[0]));
    MR_ASSIGN_OR_RETURN(auto records, access_.read_topic(binding.options.at("topic")));
    MR_ASSIGN_OR_RETURN(auto found, FindRecords(project_, *versioned[0], records, values));
    if (found.size() == 1) version.record = found[0];
  }
  return Status::Ok();
}

Result<job::Binding> Replica::Bind(const sql::Table& table) const {
  MR_ASSIGN_OR_RETURN(job::Binding binding, project_.Bind(table));
  std::erase_if(binding.options, [](const auto& option) {
    return option.first.starts_with("scan.startup.") || option.first.starts_with("scan.bounded.");
  });
  if (binding.options.count("topic") && binding.connector->spec.name == "kafka") {
    binding.options["scan.startup.mode"] = "earliest-offset";
  }
  return binding;
}

std::string Replica::WhyNotTold(const job::CompiledJob& job, size_t temporal_joins,
                                const job::PastAnswers* answers) const {
  for (const job::SourceTable& source : job.sources) {
    if (TopicOf(source) == record_.topic &&
        source.bound.scan.changelog != model::ChangelogKind::kAppend) {
      return "reads a changelog, where a record means what came before it";
    }
  }
  const bool asks = !job.lookups.empty();
  if (asks && JoinsStreams(job, temporal_joins)) {
    return "joins streams and asks others: what they answered for its partners is not traced";
  }
  if (asks && !answers) {
    return fmt::format("asks \"{}\" for each row; what it answered then is not known here",
                       job.lookups.begin()->first);
  }
  return "";
}

// Whether it has joins other than with versions, or reads further tables some other way.
bool Replica::JoinsStreams(const job::CompiledJob& job, size_t temporal_joins) const {
  const auto own = std::count_if(
      job.sources.begin(), job.sources.end(),
      [&](const job::SourceTable& source) { return TopicOf(source) == record_.topic; });
  return own > 1 || temporal_joins + 1 != job.sources.size() || job::CountStreamJoins(job) > 0;
}

// The topics that temporal joins take their versions from.
Status Replica::AddVersionTopics(const job::CompiledJob& job, TraceStage& stage) {
  for (const job::SourceTable& source : job.sources) {
    const std::string topic = TopicOf(source);
    if (topic == record_.topic) continue;
    if (topic.empty() || !access_.read_topic) {
      stage.note = fmt::format("joins versions of \"{}\", which cannot be read from here",
                               source.table->name);
      return Status::Ok();
    }
    auto added = topics_.find(topic);
    if (added == topics_.end()) {
      auto records = access_.read_topic(topic);
      if (records.ok()) {
        MR_RETURN_IF_ERROR(run_.AddTopic(topic, *records));
      } else if (records.status().code() != Code::kResourceExhausted) {
        return records.status();
      }
      added = topics_.emplace(topic, records.status().message()).first;
    }
    stage.note = added->second;
    if (!stage.note.empty()) return Status::Ok();
  }
  return Status::Ok();
}

}  // namespace millrace::project
