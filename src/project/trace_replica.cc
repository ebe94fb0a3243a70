#include "project/trace_replica.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <filesystem>

#include "job/version_witness.h"
#include "project/trace_records.h"

namespace millrace::project {

namespace {

constexpr size_t kAppendRecords = 1000;

// Collects a changelog's rows: those that are left of it.
class NetRows {
 public:
  explicit NetRows(TraceRows& made) : made_(made) {}
  void Add(duckdb::DataChunk& rows, const int32_t* weights) {
    for (duckdb::idx_t r = 0; r < rows.size(); r++) {
      std::vector<CellText> cells;
      for (duckdb::idx_t c = 0; c < rows.ColumnCount(); c++) {
        cells.push_back(TextOf(rows.GetValue(c, r)));
      }
      if (!weights || weights[r] > 0) {
        made_.rows.push_back(std::move(cells));
      } else if (auto old = std::find(made_.rows.begin(), made_.rows.end(), cells);
                 old != made_.rows.end()) {
        made_.rows.erase(old);
      }
    }
  }

 private:
  TraceRows& made_;
};

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

Status StepToEnd(job::Job& job) {
  for (bool more = true; more;) {
    MR_ASSIGN_OR_RETURN(more, job.Step());
  }
  return Status::Ok();
}

// Until nothing is left that time could bring.
Status RunToEnd(job::Job& job, const std::map<std::string, model::EventTime>& end) {
  MR_RETURN_IF_ERROR(StepToEnd(job));
  MR_RETURN_IF_ERROR(job.Step({.promises = end}).status());
  return StepToEnd(job);
}

std::string TopicOf(const job::SourceTable& source) {
  auto topic = source.binding.options.find("topic");
  return topic == source.binding.options.end() ? "" : topic->second;
}

job::JobSettings Alone(job::JobSettings settings) {
  settings.name = "trace";
  settings.shards = 1;
  settings.state_memory = 0;
  return settings;
}

}  // namespace

// A directory that goes away with its owner.
class Replica::Scratch {
 public:
  explicit Scratch(int64_t salt) {
    std::error_code error;
    path_ = std::filesystem::temp_directory_path(error) /
            fmt::format("millrace-trace-{}-{}", env::Clock::System()->WallMicros(), salt);
    std::filesystem::create_directories(path_, error);
  }
  ~Scratch() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

Replica::Replica(const Project& project, const TraceRecord& record, const TraceAccess& access)
    : project_(project),
      record_(record),
      access_(access),
      scratch_(std::make_unique<Scratch>(record.offset)),
      clock_(record.timestamp_ms * 1000) {}
Replica::~Replica() = default;

Status Replica::Open() {
  log::LogOptions options;
  options.directory = scratch_->path() + "/log";
  options.clock = &clock_;
  options.fsync = false;
  MR_RETURN_IF_ERROR(env::FileSystem::Real()->CreateDirectories(options.directory));
  MR_ASSIGN_OR_RETURN(log_, log::Log::Open(options));
  log::TopicConfig config;
  config.retention_ms = -1;
  MR_RETURN_IF_ERROR(log_->CreateTopic(job::kDeadLetterTopic, config));
  return AddTopic(record_.topic, {record_});
}

Status Replica::AddTopic(const std::string& topic, const std::vector<TraceRecord>& records) {
  log::TopicConfig config;
  config.retention_ms = -1;
  std::map<int, std::vector<log::NewRecord>> by_partition;
  for (const TraceRecord& record : records) {
    config.partitions = std::max(config.partitions, record.partition + 1);
    log::NewRecord& copy = by_partition[record.partition].emplace_back();
    copy.timestamp_ms = record.timestamp_ms;
    if (record.key) copy.key = *record.key;
    if (record.value) copy.value = *record.value;
  }
  MR_RETURN_IF_ERROR(log_->CreateTopic(topic, config));
  for (const auto& [partition, copies] : by_partition) {
    const std::span<const log::NewRecord> all(copies);
    for (size_t at = 0; at < all.size(); at += kAppendRecords) {
      const auto some = all.subspan(at, std::min(kAppendRecords, all.size() - at));
      MR_RETURN_IF_ERROR(log_->AppendAndWait(topic, partition, some).status());
    }
  }
  return Status::Ok();
}

Status Replica::RunSelect(const std::string& query, const job::JobSettings& settings,
                          job::PastAnswers* answers, model::Epoch epoch, TraceStage& stage) {
  sql::Select select;
  select.query.text = query;
  return Run(job::CompileSelect(project_.catalog(), select, Alone(settings),
                                [this](const sql::Table& table) { return Bind(table); }),
             answers, epoch, stage);
}

Status Replica::RunInsert(const JobStatement& statement, job::PastAnswers* answers,
                          model::Epoch epoch, TraceStage& stage) {
  auto compiled = job::CompileInsert(project_.catalog(), statement.insert, statement.sql,
                                     Alone(statement.settings),
                                     [this](const sql::Table& table) { return Bind(table); });
  if (compiled.ok()) (*compiled)->sink = nullptr;  // its rows come here
  return Run(std::move(compiled), answers, epoch, stage);
}

Status Replica::Run(Result<std::unique_ptr<job::CompiledJob>> compiled, job::PastAnswers* answers,
                    model::Epoch epoch, TraceStage& stage) {
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
  stage.note = WhyNotAlone(plan, temporal_joins, answers);
  if (stage.note.empty()) MR_RETURN_IF_ERROR(AddVersionTopics(plan, stage));
  if (!stage.note.empty()) return Status::Ok();
  NetRows net(stage.made);
  job::JobOptions options;
  options.services.log = log_.get();
  options.services.clock = &clock_;
  options.services.base_dir = project_.directory();
  options.on_rows = [&](duckdb::DataChunk& rows, const int32_t* weights) {
    net.Add(rows, weights);
  };
  std::map<std::string, model::EventTime> end;
  std::vector<const sql::Table*> versioned;
  for (const job::SourceTable& source : plan.sources) {
    if (source.table->watermark) end[source.table->name] = model::kTimeMax;
    if (TopicOf(source) != record_.topic) versioned.push_back(source.table);
  }
  const bool asks = !plan.lookups.empty();
  if (asks) answers->AnswerFor(plan, epoch);
  options.asker = answers;
  MR_ASSIGN_OR_RETURN(auto job, job::Job::Open(std::move(*compiled), std::move(options)));
  MR_RETURN_IF_ERROR(job->Recover());
  Status run = RunToEnd(*job, end);
  if (asks) {
    for (const job::PastAnswer& answer : answers->used()) stage.answers.push_back(AnswerOf(answer));
    stage.note = answers->failure().message();
  }
  // ON VIOLATION FAIL, say: that is an answer, too.
  if (!run.ok()) stage.refused.push_back({"job", "failed", run.message()});
  MR_RETURN_IF_ERROR(NameVersions(versioned, stage));
  MR_RETURN_IF_ERROR(ReadLetters(stage));
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

std::string Replica::WhyNotAlone(const job::CompiledJob& job, size_t temporal_joins,
                                 const job::PastAnswers* answers) const {
  size_t own = 0;
  for (const job::SourceTable& source : job.sources) {
    if (TopicOf(source) != record_.topic) continue;
    own++;
    if (source.bound.scan.changelog != model::ChangelogKind::kAppend) {
      return "reads a changelog, where a record means what came before it";
    }
  }
  // Each further table comes in by a join of its own.
  if (own > 1 || temporal_joins + 1 != job.sources.size()) {
    return "joins several tables: the record's partners are not part of its trace";
  }
  if (!job.lookups.empty() && !answers) {
    return fmt::format("asks \"{}\" for each row; what it answered then is not known here",
                       job.lookups.begin()->first);
  }
  return "";
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
        MR_RETURN_IF_ERROR(AddTopic(topic, *records));
        for (const TraceRecord& record : *records) {
          // No version lies in the future of the copy, where it would be refused.
          const int64_t ahead = record.timestamp_ms * 1000 - clock_.WallMicros();
          if (ahead > 0) clock_.Advance(ahead);
        }
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

// The dead letters that the run has made of the record.
Status Replica::ReadLetters(TraceStage& stage) {
  auto take = [&](std::span<const model::Record> records) {
    for (const model::Record& record : records) {
      simdjson::dom::parser parser;
      simdjson::dom::element letter;
      if (parser.parse(std::string(record.value)).get(letter)) continue;
      auto text = [&](const char* name) {
        std::string_view found;
        return letter[name].get(found) ? std::string() : std::string(found);
      };
      const std::string topic = text("topic");
      if (!topic.empty() && topic != record_.topic) continue;  // a version's
      stage.refused.push_back({text("stage"), text("kind"), text("reason")});
    }
  };
  MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log_->DescribePartition(job::kDeadLetterTopic, 0));
  while (next_letter_ < at.stable_offset) {
    MR_ASSIGN_OR_RETURN(next_letter_, log_->Read(job::kDeadLetterTopic, 0, next_letter_,
                                                 at.stable_offset, 1 << 20, take));
  }
  return Status::Ok();
}

}  // namespace millrace::project
