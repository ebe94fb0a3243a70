// Runs one SqlTest: the jobs step by step over a log of their own, with a clock that stands still.
//
// Tables that are read are topics of that log, whatever their connector; sinks record what is
// committed (project/recording_sink.h). A crash destroys jobs and log as they stand, right after a
// decision became durable and before its epoch committed.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <deque>
#include <set>

#include "base/strings.h"
#include "env/hand_clock.h"
#include "job/job.h"
#include "project/row_diff.h"
#include "project/sql_test.h"

namespace millrace::project {

namespace {

class Runner {
 public:
  Runner(const SqlTest& test, const Project& project, std::string directory, SqlTestWay way)
      : test_(test),
        project_(project),
        directory_(std::move(directory)),
        way_(way),
        clock_(test.clock_us) {}

  Result<SqlTestOutcome> Run() {
    MR_RETURN_IF_ERROR(ChooseJobs());
    MR_RETURN_IF_ERROR(Open());
    for (size_t i = 0; i < test_.steps.size(); i++) {
      const TestStep& step = test_.steps[i];
      const bool written =
          i + 1 < test_.steps.size() && test_.steps[i + 1].kind == TestStep::Kind::kCrash;
      const bool crash = written || way_ == SqlTestWay::kCrashEveryStep;
      MR_RETURN_IF_ERROR(Carry(step, crash));
      // Recovery then needs both: a checkpoint, and the decisions after it.
      if (i % 2 == 0 && !crash) {
        for (auto& job : jobs_) MR_RETURN_IF_ERROR(job->Checkpoint());
      }
    }
    outcome_.passed = outcome_.report.empty();
    return outcome_;
  }

 private:
  using Kind = TestStep::Kind;

  // ---- which jobs, over which topics ----------------------------------------------------------

  // How a job reads a table: from a topic, of the table's own settings in time and lateness.
  Result<job::Binding> BindSource(const sql::Table& table) const {
    MR_ASSIGN_OR_RETURN(const connectors::ConnectorEntry* kafka,
                        connectors::FindConnector("kafka"));
    job::Binding binding;
    binding.connector = kafka;
    const auto given = table.OptionValues();
    binding.options = {{"connector", "kafka"},
                       {"topic", TopicOf(table)},
                       {"properties.bootstrap.servers", "embedded"},
                       {"scan.startup.mode", "earliest-offset"},
                       {"format", "json"}};
    for (const auto& [key, value] : given) {
      const bool kept = key == "scan.watermark.idle-timeout" || key.rfind("millrace.", 0) == 0 ||
                        (IsJsonTopic(table) && key.rfind("json.", 0) == 0);
      if (kept) binding.options[key] = value;
    }
    return binding;
  }

  Result<job::Binding> BindSink(const sql::Table& table) {
    MR_ASSIGN_OR_RETURN(job::Binding binding, project_.Bind(table));
    connectors::ConnectorEntry entry = *binding.connector;
    Recording& recording = recordings_[table.name];
    auto new_inner = IsJsonTopic(table) ? entry.new_sink : nullptr;
    if (table.name.rfind("view ", 0) == 0) {  // made by LoadSqlTests
      entry.spec.sink_accepts_updates = true;
      entry.spec.updates_need_key = false;
    }
    entry.new_sink =
        [&recording, new_inner](
            const connectors::TableContext& context) -> Result<std::unique_ptr<connectors::Sink>> {
      std::unique_ptr<connectors::Sink> inner;
      if (new_inner) {
        MR_ASSIGN_OR_RETURN(inner, new_inner(context));
      }
      return NewRecordingSink(context, std::move(inner), recording);
    };
    entries_.push_back(std::move(entry));
    binding.connector = &entries_.back();
    return binding;
  }

  static bool IsJsonTopic(const sql::Table& table) {
    const std::string format = table.Option("format");
    return table.Option("connector") == "kafka" && !table.Option("topic").empty() &&
           (format == "json" || (format.empty() && table.Option("value.format") == "json"));
  }

  // Tables of one JSON topic share it here, too; others have one each.
  static std::string TopicOf(const sql::Table& table) {
    if (IsJsonTopic(table)) return table.Option("topic");
    std::string topic = "table-";
    for (char c : table.name) topic += std::isalnum(static_cast<unsigned char>(c)) ? c : '-';
    return topic;
  }

  Result<std::unique_ptr<job::CompiledJob>> Compile(const JobStatement& statement) {
    job::JobSettings settings = statement.settings;
    if (way_ == SqlTestWay::kTinyEpochs) settings.epoch_bytes_max = 1;
    const sql::Table* sink = project_.catalog().FindTable(statement.insert.target.last());
    return job::CompileInsert(project_.catalog(), statement.insert, statement.sql, settings,
                              [&, sink](const sql::Table& table) {
                                return &table == sink ? BindSink(table) : BindSource(table);
                              });
  }

  Status ChooseJobs() {
    for (const TestStep& step : test_.steps) {
      for (const InputRow& row : step.rows) {
        const sql::Table& table = *project_.catalog().FindTable(row.table);
        int& partitions = partitions_[TopicOf(table)];
        partitions = std::max(partitions, row.partition + 1);
        given_.insert(TopicOf(table));
      }
      for (const Expectation& expectation : step.expectations) {
        if (expectation.kind == Expectation::Kind::kDeadLetters) continue;
        MR_RETURN_IF_ERROR(ChooseJobsInto(expectation));
      }
    }
    if (!chosen_.empty()) return Status::Ok();
    // Only dead letters are expected: of whatever reads what is given.
    for (const JobStatement& statement : project_.jobs()) {
      MR_ASSIGN_OR_RETURN(auto compiled, Compile(statement));
      bool reads = std::any_of(compiled->sources.begin(), compiled->sources.end(),
                               [&](auto& s) { return given_.count(TopicOf(*s.table)) > 0; });
      if (reads) MR_RETURN_IF_ERROR(Choose(statement));
    }
    return Status::Ok();
  }

  Status ChooseJobsInto(const Expectation& expectation) {
    bool any = false;
    for (const JobStatement& statement : project_.jobs()) {
      const sql::Table* sink = project_.catalog().FindTable(statement.insert.target.last());
      if (!sink || sink->name != expectation.table) continue;
      any = true;
      MR_RETURN_IF_ERROR(Choose(statement));
    }
    if (any) return Status::Ok();
    return Status(Code::kNotFound,
                  fmt::format("no INSERT INTO writes to \"{}\"", expectation.shown))
        .WithHint("expect rows of a table that a job fills, or of a view")
        .At(expectation.span);
  }

  // The job, behind those that fill its topics (unless the test itself gives their rows).
  Status Choose(const JobStatement& statement) {
    if (!seen_.insert(&statement).second) return Status::Ok();
    MR_ASSIGN_OR_RETURN(auto compiled, Compile(statement));
    for (const job::SourceTable& source : compiled->sources) {
      const std::string topic = TopicOf(*source.table);
      partitions_.try_emplace(topic, 1);
      if (source.table->watermark) timed_.insert(source.table->name);
      if (given_.count(topic)) continue;
      for (const JobStatement& other : project_.jobs()) {
        const sql::Table* sink = project_.catalog().FindTable(other.insert.target.last());
        if (sink && IsJsonTopic(*sink) && TopicOf(*sink) == topic) {
          MR_RETURN_IF_ERROR(Choose(other));
        }
      }
    }
    chosen_.push_back(&statement);
    return Status::Ok();
  }

  // ---- running ----------------------------------------------------------------------------------

  Status Open() {
    log::LogOptions options;
    options.directory = directory_ + "/log";
    options.clock = &clock_;
    options.fsync = false;  // the process that goes on after a crash is this one
    MR_RETURN_IF_ERROR(env::FileSystem::Real()->CreateDirectories(options.directory));
    MR_ASSIGN_OR_RETURN(log_, log::Log::Open(options));
    auto topics = partitions_;
    topics[job::kDeadLetterTopic] = 1;
    for (const auto& [topic, partitions] : topics) {
      if (log_->Describe(topic).ok()) continue;
      log::TopicConfig config;
      config.partitions = partitions;
      config.retention_ms = -1;
      MR_RETURN_IF_ERROR(log_->CreateTopic(topic, config));
    }
    for (const JobStatement* statement : chosen_) {
      MR_ASSIGN_OR_RETURN(auto compiled, Compile(*statement));
      job::JobOptions job_options;
      job_options.state_directory = directory_ + "/state/" + compiled->name;
      job_options.services.log = log_.get();
      job_options.services.clock = &clock_;
      job_options.services.base_dir = directory_;
      MR_ASSIGN_OR_RETURN(auto job, job::Job::Open(std::move(compiled), std::move(job_options)));
      MR_RETURN_IF_ERROR(job->Recover());
      jobs_.push_back(std::move(job));
    }
    return Status::Ok();
  }

  // What a step brings is run to its end; with `crash` only until it is about to commit, and once
  // more after the crash.
  Status Carry(const TestStep& step, bool crash) {
    switch (step.kind) {
      case Kind::kRows:
        MR_RETURN_IF_ERROR(Append(step.rows));
        break;
      case Kind::kWatermark:
        return Promise(step.watermarks, crash);
      case Kind::kEnd: {
        std::map<std::string, model::EventTime> end;
        for (const std::string& table : timed_) end[table] = model::kTimeMax;
        return Promise(end, crash);
      }
      case Kind::kWait:
        clock_.Advance(step.wait_us);
        break;
      case Kind::kCrash:
        break;  // it came with the step before
      case Kind::kExpect:
        for (const Expectation& expectation : step.expectations) {
          MR_RETURN_IF_ERROR(Compare(expectation));
        }
        break;
    }
    if (crash) MR_RETURN_IF_ERROR(Crash({}));
    return RunToEnd();
  }

  Status Promise(const std::map<std::string, model::EventTime>& promises, bool crash) {
    if (crash) MR_RETURN_IF_ERROR(Crash(promises));
    // From the sources on: what one job writes in the end, the next one still reads.
    for (auto& job : jobs_) {
      MR_RETURN_IF_ERROR(job->Step({.promises = promises}).status());
      MR_RETURN_IF_ERROR(RunToEnd());
    }
    return Status::Ok();
  }

  // Jobs further down have had nothing yet, so that a promise is only for those that read rows.
  Status Crash(const std::map<std::string, model::EventTime>& promises) {
    if (!jobs_.empty()) {
      MR_RETURN_IF_ERROR(jobs_[0]->Step({.promises = promises, .commit = false}).status());
    }
    jobs_.clear();
    log_.reset();
    return Open();
  }

  Status RunToEnd() {
    for (bool news = true; news;) {
      news = false;
      for (auto& job : jobs_) {
        MR_ASSIGN_OR_RETURN(bool did, job->Step());
        news |= did;
      }
    }
    return Status::Ok();
  }

  Status Append(const std::vector<InputRow>& rows) {
    for (const InputRow& row : rows) {
      log::NewRecord record;
      if (row.key) record.key = *row.key;
      record.value = row.value;
      const sql::Table& table = *project_.catalog().FindTable(row.table);
      MR_RETURN_IF_ERROR(log_->AppendAndWait(TopicOf(table), row.partition, {&record, 1}).status());
    }
    return Status::Ok();
  }

  // ---- comparing --------------------------------------------------------------------------------

  Status Compare(const Expectation& expectation) {
    switch (expectation.kind) {
      case Expectation::Kind::kDeadLetters:
        return CompareDeadLetters(expectation);
      case Expectation::Kind::kChangelog:
        if (way_ == SqlTestWay::kTinyEpochs) return Status::Ok();
        break;
      case Expectation::Kind::kTable:
        break;
    }
    const Recording& recording = recordings_.at(expectation.table);
    const bool changelog = expectation.kind == Expectation::Kind::kChangelog;
    std::vector<std::string> names = recording.schema.Names();
    std::vector<size_t> columns = NamedColumns(expectation, names);
    std::vector<std::string> header =
        changelog ? std::vector<std::string>{"op"} : std::vector<std::string>();
    for (size_t c : columns) header.push_back(names[c]);
    std::vector<TextRow> expected, got;
    for (const ExpectedRow& row : expectation.rows) {
      TextRow cells;
      if (changelog) cells.push_back(row.removed ? "-" : "+");
      for (size_t c : columns) {
        MR_ASSIGN_OR_RETURN(CellText cell, ExpectedCell(row, recording.schema.columns[c]));
        cells.push_back(std::move(cell));
      }
      expected.push_back(std::move(cells));
    }
    auto add = [&](const TextRow& row, const char* op) {
      TextRow cells;
      if (changelog) cells.push_back(op);
      for (size_t c : columns) cells.push_back(row[c]);
      got.push_back(std::move(cells));
    };
    if (changelog) {
      for (const auto& change : recording.changes) add(change.row, change.weight < 0 ? "-" : "+");
    } else {
      for (const TextRow& row : recording.Rows()) add(row, "");
    }
    Report(expectation, changelog ? "changelog of" : "table",
           DiffRows(header, expected, got, changelog && expectation.ordered));
    return Status::Ok();
  }

  // The columns that any expected row names; all of them when none does.
  static std::vector<size_t> NamedColumns(const Expectation& expectation,
                                          const std::vector<std::string>& names) {
    std::vector<size_t> columns;
    for (size_t c = 0; c < names.size(); c++) {
      bool named = expectation.rows.empty();
      for (const ExpectedRow& row : expectation.rows) {
        for (const auto& [name, value] : row.values) named |= EqualsIgnoreCase(name, names[c]);
      }
      if (named) columns.push_back(c);
    }
    return columns;
  }

  static Result<CellText> ExpectedCell(const ExpectedRow& row, const model::Column& column) {
    for (const auto& [name, text] : row.values) {
      if (!EqualsIgnoreCase(name, column.name)) continue;
      if (!text) return CellText();
      duckdb::Value value;
      std::string error;
      if (duckdb::Value(*text).DefaultTryCastAs(column.type, value, &error)) return TextOf(value);
      return Status(Code::kType, fmt::format("column \"{}\" is {}, which \"{}\" is not",
                                             column.name, column.type.ToString(), *text))
          .At(row.span);
    }
    return CellText();
  }

  Status CompareDeadLetters(const Expectation& expectation) {
    MR_ASSIGN_OR_RETURN(std::vector<YAML::Node> letters, DeadLetters());
    std::set<std::string> named;
    for (const ExpectedRow& row : expectation.rows) {
      for (const auto& [name, value] : row.values) named.insert(name);
    }
    if (named.empty()) named = {"table", "kind", "reason", "value"};
    const std::vector<std::string> header(named.begin(), named.end());
    std::vector<TextRow> expected, got;
    for (const ExpectedRow& row : expectation.rows) {
      TextRow cells;
      for (const std::string& name : header) {
        auto found = std::find_if(row.values.begin(), row.values.end(),
                                  [&](const auto& value) { return value.first == name; });
        cells.push_back(found == row.values.end() ? CellText() : found->second);
      }
      expected.push_back(std::move(cells));
    }
    for (const YAML::Node& letter : letters) {
      TextRow cells;
      for (const std::string& name : header) {
        const YAML::Node field = letter[name];
        cells.push_back(field && !field.IsNull() ? CellText(field.Scalar()) : CellText());
      }
      got.push_back(std::move(cells));
    }
    Report(expectation, "dead letters", DiffRows(header, expected, got, false));
    return Status::Ok();
  }

  Result<std::vector<YAML::Node>> DeadLetters() {
    std::vector<YAML::Node> letters;
    MR_ASSIGN_OR_RETURN(auto info, log_->DescribePartition(job::kDeadLetterTopic, 0));
    for (int64_t from = info.start_offset; from < info.end_offset;) {
      MR_ASSIGN_OR_RETURN(from,
                          log_->Read(job::kDeadLetterTopic, 0, from, info.end_offset, 1 << 20,
                                     [&](std::span<const model::Record> records) {
                                       for (const model::Record& record : records) {
                                         letters.push_back(YAML::Load(std::string(record.value)));
                                       }
                                     }));
    }
    return letters;
  }

  void Report(const Expectation& expectation, const std::string& what, const std::string& diff) {
    if (diff.empty()) return;
    outcome_.report +=
        fmt::format("{}:{}: {}{}\n", expectation.span.file, expectation.span.line, what,
                    expectation.shown.empty() ? "" : fmt::format(" \"{}\"", expectation.shown));
    for (const std::string& line : Split(std::string(Trim(diff)), '\n')) {
      outcome_.report += "  " + line + "\n";
    }
  }

  const SqlTest& test_;
  const Project& project_;
  const std::string directory_;
  const SqlTestWay way_;
  env::HandClock clock_;
  std::set<const JobStatement*> seen_;
  std::vector<const JobStatement*> chosen_;  // those that fill a topic before those that read it
  std::map<std::string, int> partitions_;    // by topic
  std::set<std::string> given_;              // topics that the test writes to
  std::set<std::string> timed_;              // tables read that have a watermark
  std::deque<connectors::ConnectorEntry> entries_;
  std::map<std::string, Recording> recordings_;  // by sink table
  std::unique_ptr<log::Log> log_;
  std::vector<std::unique_ptr<job::Job>> jobs_;
  SqlTestOutcome outcome_;
};

}  // namespace

Result<SqlTestOutcome> RunSqlTest(const SqlTest& test, const Project& project,
                                  const std::string& directory, SqlTestWay way) {
  return Runner(test, project, directory, way).Run();
}

}  // namespace millrace::project
