#include "project/trace.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/strings.h"
#include "env/hand_clock.h"
#include "job/job.h"
#include "project/lineage_text.h"

namespace millrace::project {

namespace {

// A directory that goes away with its owner.
class Scratch {
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

// A log of its own with just the record, and jobs over it.
class Replica {
 public:
  Replica(const Project& project, const TraceRecord& record)
      : project_(project),
        record_(record),
        scratch_(record.offset),
        clock_(record.timestamp_ms * 1000) {}

  Status Open() {
    log::LogOptions options;
    options.directory = scratch_.path() + "/log";
    options.clock = &clock_;
    options.fsync = false;
    MR_RETURN_IF_ERROR(env::FileSystem::Real()->CreateDirectories(options.directory));
    MR_ASSIGN_OR_RETURN(log_, log::Log::Open(options));
    log::TopicConfig config;
    config.retention_ms = -1;
    MR_RETURN_IF_ERROR(log_->CreateTopic(job::kDeadLetterTopic, config));
    config.partitions = record_.partition + 1;
    MR_RETURN_IF_ERROR(log_->CreateTopic(record_.topic, config));
    log::NewRecord copy;
    copy.timestamp_ms = record_.timestamp_ms;
    if (record_.key) copy.key = *record_.key;
    if (record_.value) copy.value = *record_.value;
    return log_->AppendAndWait(record_.topic, record_.partition, {&copy, 1}).status();
  }

  // Runs a SELECT over the record. A query that needs more than its table alone is the stage's
  // note.
  Status Run(const std::string& query, TraceStage& stage) {
    sql::Select select;
    select.query.text = query;
    job::JobSettings settings;
    settings.name = "trace";
    auto compiled = job::CompileSelect(project_.catalog(), select, settings,
                                       [this](const sql::Table& table) { return Bind(table); });
    if (!compiled.ok()) {
      stage.note = compiled.status().message();
      return Status::Ok();
    }
    stage.made.columns = (*compiled)->plan.names;
    stage.note = WhyNotAlone(**compiled);
    if (!stage.note.empty()) return Status::Ok();
    job::JobOptions options;
    options.services.log = log_.get();
    options.services.clock = &clock_;
    options.services.base_dir = project_.directory();
    options.on_rows = [&](duckdb::DataChunk& rows, const int32_t* weights) {
      for (duckdb::idx_t r = 0; r < rows.size(); r++) {
        std::vector<CellText> cells;
        for (duckdb::idx_t c = 0; c < rows.ColumnCount(); c++) {
          cells.push_back(TextOf(rows.GetValue(c, r)));
        }
        auto& made = stage.made.rows;
        if (!weights || weights[r] > 0) {
          made.push_back(std::move(cells));
        } else if (auto old = std::find(made.begin(), made.end(), cells); old != made.end()) {
          made.erase(old);
        }
      }
    };
    std::map<std::string, model::EventTime> end;
    for (const job::SourceTable& source : (*compiled)->sources) {
      if (source.table->watermark) end[source.table->name] = model::kTimeMax;
    }
    MR_ASSIGN_OR_RETURN(auto job, job::Job::Open(std::move(*compiled), std::move(options)));
    MR_RETURN_IF_ERROR(job->Recover());
    Status stepped = StepToEnd(*job);
    if (stepped.ok()) stepped = job->Step({.promises = end}).status();
    if (stepped.ok()) stepped = StepToEnd(*job);
    // ON VIOLATION FAIL, say: that is an answer, too.
    if (!stepped.ok()) stage.refused.push_back({"job", "failed", stepped.message()});
    return ReadLetters(stage);
  }

 private:
  static Status StepToEnd(job::Job& job) {
    for (bool more = true; more;) {
      MR_ASSIGN_OR_RETURN(more, job.Step());
    }
    return Status::Ok();
  }

  Result<job::Binding> Bind(const sql::Table& table) const {
    MR_ASSIGN_OR_RETURN(job::Binding binding, project_.Bind(table));
    std::erase_if(binding.options, [](const auto& option) {
      return option.first.starts_with("scan.startup.") || option.first.starts_with("scan.bounded.");
    });
    if (binding.options.count("topic") && binding.connector->spec.name == "kafka") {
      binding.options["scan.startup.mode"] = "earliest-offset";
    }
    return binding;
  }

  std::string WhyNotAlone(const job::CompiledJob& job) const {
    if (!job.lookups.empty()) {
      return fmt::format("asks \"{}\" for each row; what it answered then is not shown",
                         job.lookups.begin()->first);
    }
    if (job.sources.size() != 1) {
      return "joins several tables: the record's partners are not part of its trace";
    }
    if (job.sources[0].bound.scan.changelog != model::ChangelogKind::kAppend) {
      return "reads a changelog, where a record means what came before it";
    }
    return "";
  }

  // The dead letters that the run has made.
  Status ReadLetters(TraceStage& stage) {
    auto take = [&](std::span<const model::Record> records) {
      for (const model::Record& record : records) {
        simdjson::dom::parser parser;
        simdjson::dom::element letter;
        if (parser.parse(std::string(record.value)).get(letter)) continue;
        auto text = [&](const char* name) {
          std::string_view found;
          return letter[name].get(found) ? std::string() : std::string(found);
        };
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

  const Project& project_;
  const TraceRecord& record_;
  Scratch scratch_;
  env::HandClock clock_;
  std::unique_ptr<log::Log> log_;
  int64_t next_letter_ = 0;
};

std::string Backticked(const std::string& name) {
  std::string out = "`";
  for (char c : name) out += c == '`' ? std::string("``") : std::string(1, c);
  return out + "`";
}

Result<TraceRows> AskRows(const AskSql& ask, const std::string& sql) {
  MR_ASSIGN_OR_RETURN(const std::string json, ask(sql));
  simdjson::dom::parser parser;
  simdjson::dom::element answer;
  simdjson::dom::array columns, rows;
  if (parser.parse(json).get(answer) || answer["columns"].get(columns) ||
      answer["rows"].get(rows)) {
    return Status(Code::kCorruption, "the answer to a question of the trace cannot be read");
  }
  TraceRows out;
  for (simdjson::dom::element column : columns) {
    std::string_view name;
    if (column["name"].get(name)) continue;
    out.columns.emplace_back(name);
  }
  for (simdjson::dom::array row : rows) {
    std::vector<CellText> cells;
    for (simdjson::dom::element value : row) {
      std::string_view text;
      if (value.is_null()) {
        cells.emplace_back();
      } else if (!value.get(text)) {
        cells.emplace_back(std::string(text));
      } else {
        cells.emplace_back(simdjson::minify(value));
      }
    }
    out.rows.push_back(std::move(cells));
  }
  return out;
}

const char* ActionName(sql::ViolationAction action) {
  switch (action) {
    case sql::ViolationAction::kFail:
      return "fail";
    case sql::ViolationAction::kDeadLetter:
      return "dead letter";
    case sql::ViolationAction::kDrop:
      return "drop";
    case sql::ViolationAction::kWarn:
      return "warn";
  }
  return "?";
}

class Tracer {
 public:
  Tracer(const Project& project, const TraceRecord& record, const AskSql& ask,
         const FindCommit& commits)
      : project_(project),
        ask_(ask),
        commits_(commits),
        trace_{project.config().name, record, {}, {}},
        replica_(project, trace_.record) {}

  Result<Trace> Run() {
    MR_ASSIGN_OR_RETURN(lineage_, LineageOf(project_));
    MR_RETURN_IF_ERROR(replica_.Open());
    MR_ASSIGN_OR_RETURN(letters_,
                        AskRows(ask_, fmt::format("SELECT coalesce(job, ''), stage, kind, reason "
                                                  "FROM millrace.dead_letters WHERE topic = {} "
                                                  "AND \"partition\" = {} AND \"offset\" = {}",
                                                  QuoteLiteral(trace_.record.topic),
                                                  trace_.record.partition, trace_.record.offset)));
    trace_.letters = LettersOf("");
    for (const sql::Table* table : project_.catalog().Tables()) {
      auto binding = project_.Bind(*table);
      if (!binding.ok()) continue;
      auto topic = binding->options.find("topic");
      const bool reads = topic != binding->options.end() && topic->second == trace_.record.topic &&
                         binding->connector->new_source != nullptr;
      if (reads) MR_RETURN_IF_ERROR(AddTable(*table));
    }
    if (trace_.tables.empty()) {
      return Status(
          Code::kNotFound,
          fmt::format("no table of the project is read from topic \"{}\"", trace_.record.topic));
    }
    return std::move(trace_);
  }

 private:
  std::vector<TraceRefusal> LettersOf(const std::string& job) const {
    std::vector<TraceRefusal> out;
    for (const auto& row : letters_.rows) {
      if (row[0].value_or("") != job) continue;
      out.push_back({row[1].value_or(""), row[2].value_or(""), row[3].value_or("")});
    }
    return out;
  }

  Status AddTable(const sql::Table& table) {
    TraceTable& to = trace_.tables.emplace_back();
    to.table = table.name;
    to.decoded.name = table.name;
    MR_RETURN_IF_ERROR(replica_.Run("SELECT * FROM " + Backticked(table.name), to.decoded));
    const bool decoded = !to.decoded.made.rows.empty();
    if (table.watermark && table.watermark->column.size() == 1) {
      to.time_column = table.watermark->column[0];
      const auto& names = to.decoded.made.columns;
      auto at = std::find(names.begin(), names.end(), to.time_column);
      if (decoded && at != names.end()) {
        to.time = to.decoded.made.rows[0][static_cast<size_t>(at - names.begin())];
      }
    }
    if (decoded) MR_RETURN_IF_ERROR(AddChecks(table, to));
    for (const JobStatement& job : project_.jobs()) {
      const JobLineage* lineage = lineage_.FindJob(job.settings.name);
      if (!lineage || !lineage->from.tables.count(table.name)) continue;
      MR_RETURN_IF_ERROR(AddJob(job, *lineage, decoded, to.jobs.emplace_back()));
    }
    return Status::Ok();
  }

  Status AddChecks(const sql::Table& table, TraceTable& to) {
    std::vector<std::string> expressions;
    for (const sql::Check& check : table.checks) {
      if (!check.enforced) continue;
      to.checks.push_back({check.name, check.flink.text, {}, ActionName(check.action)});
      expressions.push_back("(" + check.flink.text + ")");
    }
    if (expressions.empty()) return Status::Ok();
    TraceStage verdicts;
    MR_RETURN_IF_ERROR(replica_.Run(
        fmt::format("SELECT {} FROM {}", Join(expressions, ", "), Backticked(table.name)),
        verdicts));
    if (verdicts.made.rows.size() != 1) return Status::Ok();
    for (size_t i = 0; i < to.checks.size(); i++) to.checks[i].verdict = verdicts.made.rows[0][i];
    return Status::Ok();
  }

  // Ids of the views that a job reads, itself or through other views; not those of the jobs that
  // fill its tables.
  std::set<std::string> ViewsOf(const std::string& job) const {
    std::set<std::string> views;
    std::vector<std::string> readers = {job};
    while (!readers.empty()) {
      const std::string reader = readers.back();
      readers.pop_back();
      for (const auto& [from, to] : lineage_.links) {
        const LineageNode* node = to == reader ? lineage_.Find(from) : nullptr;
        if (node && node->kind == LineageKind::kView && views.insert(from).second) {
          readers.push_back(from);
        }
      }
    }
    return views;
  }

  Status AddJob(const JobStatement& statement, const JobLineage& lineage, bool decoded,
                TraceJob& to) {
    to.job = lineage.job;
    to.sink = lineage.sink;
    to.letters = LettersOf(to.job);
    if (commits_) to.commit = commits_(to.job, trace_.record);
    if (!decoded) return Status::Ok();
    auto ways = WaysOf(lineage_, "job:" + to.job, LineageDirection::kUp);
    if (ways.ok()) {
      const std::set<std::string> own_views = ViewsOf("job:" + to.job);
      for (const LineageNode& node : ways->up.nodes) {
        const sql::View* view = project_.catalog().FindView(node.name);
        if (!view || !own_views.count(node.id)) continue;
        TraceStage& stage = to.stages.emplace_back();
        stage.name = "view " + view->name;
        stage.version = TextVersion(view->flink.text);
        MR_RETURN_IF_ERROR(replica_.Run("SELECT * FROM " + Backticked(view->name), stage));
      }
    }
    TraceStage& own = to.stages.emplace_back();
    own.name = "job " + to.job;
    own.version = TextVersion(statement.sql);
    MR_RETURN_IF_ERROR(replica_.Run(statement.insert.query.text, own));
    for (size_t i = 0; i < own.made.columns.size() && i < lineage.from.columns.size(); i++) {
      own.made.columns[i] = lineage.from.columns[i].name;
    }
    return FindInSink(lineage, own, to);
  }

  // Columns that one record decides alone: nothing of others was aggregated or ranked into them.
  static bool IsOfOneRecord(const duck::TracedColumn& column) {
    return std::all_of(column.from.begin(), column.from.end(),
                       [](const duck::Dependency& d) {
                         return d.influence == duck::Influence::kIdentity ||
                                d.influence == duck::Influence::kTransformation ||
                                d.influence == duck::Influence::kConditional;
                       }) &&
           !column.from.empty();
  }

  Status FindInSink(const JobLineage& lineage, const TraceStage& own, TraceJob& to) {
    if (!own.note.empty()) {
      to.note = own.note;
      return Status::Ok();
    }
    if (own.made.rows.empty()) return Status::Ok();
    const LineageNode* sink = lineage_.Find("table:" + to.sink);
    const sql::Table* table = project_.catalog().FindTable(to.sink);
    const std::string connector = sink ? sink->connector : "";
    if (!table || (connector != "warehouse" && connector != "kafka")) {
      to.note = fmt::format("the sink \"{}\" ({}) cannot be asked from here", to.sink, connector);
      return Status::Ok();
    }
    std::string stored = connector == "warehouse" ? table->Option("table-name") : "";
    if (stored.empty()) stored = table->name;
    std::vector<std::string> rows, names;
    for (const auto& cells : own.made.rows) {
      std::vector<std::string> equal;
      names.clear();
      for (size_t c = 0; c < cells.size() && c < lineage.from.columns.size(); c++) {
        if (!IsOfOneRecord(lineage.from.columns[c])) continue;
        const int column = table->schema.Find(lineage.from.columns[c].name);
        if (column < 0) continue;
        const model::Column& target = table->schema.columns[static_cast<size_t>(column)];
        names.push_back(target.name);
        equal.push_back(
            fmt::format("{} IS NOT DISTINCT FROM CAST({} AS {})", QuoteIdentifier(target.name),
                        cells[c] ? QuoteLiteral(*cells[c]) : "NULL", target.type.ToString()));
      }
      rows.push_back(equal.empty() ? "true" : "(" + Join(equal, " AND ") + ")");
    }
    to.found_by = names.empty() ? "all rows: no column tells its rows apart" : Join(names, ", ");
    auto found = AskRows(ask_, fmt::format("SELECT * FROM {} WHERE {} LIMIT 100",
                                           QuoteIdentifier(stored), Join(rows, " OR ")));
    if (found.ok()) {
      to.in_sink = std::move(*found);
    } else {
      to.note = found.status().message();
    }
    return Status::Ok();
  }

  const Project& project_;
  const AskSql& ask_;
  const FindCommit& commits_;
  Trace trace_;
  Replica replica_;
  Lineage lineage_;
  TraceRows letters_;
};

}  // namespace

Result<Trace> TraceOf(const Project& project, const TraceRecord& record, const AskSql& ask,
                      const FindCommit& commits) {
  return Tracer(project, record, ask, commits).Run();
}

std::string KeyColumnOf(const sql::Table& table) {
  std::string fields = table.Option("key.fields");
  if (!fields.empty()) return fields.substr(0, fields.find(';'));
  return table.primary_key.empty() ? "" : table.primary_key[0];
}

}  // namespace millrace::project
