#include "project/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "project/job_versions.h"
#include "project/lineage_text.h"
#include "project/trace_records.h"
#include "project/trace_replica.h"
#include "project/trace_sink.h"
#include "project/trace_windows.h"

namespace millrace::project {

namespace {

constexpr size_t kEpochsTried = 20;     // for the one in which a row was asked for
constexpr size_t kRecordsFollowed = 5;  // the newest of those that a record became

std::string Backticked(const std::string& name) {
  std::string out = "`";
  for (char c : name) out += c == '`' ? std::string("``") : std::string(1, c);
  return out + "`";
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
  // `way`: the topics of the records that this one was made of.
  Tracer(const Project& project, const TraceRecord& record, const TraceAccess& access,
         const Lineage& lineage, std::set<std::string> way)
      : project_(project),
        access_(access),
        lineage_(lineage),
        way_(std::move(way)),
        trace_{project.config().name, record, {}, {}},
        replica_(project, trace_.record, access) {
    way_.insert(record.topic);
  }

  Result<Trace> Run() {
    MR_RETURN_IF_ERROR(replica_.Open());
    MR_ASSIGN_OR_RETURN(
        letters_, AskRows(access_.ask, fmt::format("SELECT coalesce(job, ''), stage, kind, reason "
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
    MR_RETURN_IF_ERROR(RunAlone("SELECT * FROM " + Backticked(table.name), to.decoded));
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

  // A query over the record's table and nothing else.
  Status RunAlone(const std::string& query, TraceStage& stage) {
    return replica_.RunSelect(query, project_.settings(), nullptr, 0, stage);
  }

  // What a job was answered; null: it asks nobody, or cannot be compiled.
  Result<std::unique_ptr<job::PastAnswers>> AnswersOf(const JobStatement& statement) const {
    auto compiled = project_.Compile(statement);
    if (!compiled.ok() || (*compiled)->lookups.empty()) return std::unique_ptr<job::PastAnswers>();
    MR_ASSIGN_OR_RETURN(JobVersions versions, JobVersions::Load(project_, statement.settings.name));
    return job::PastAnswers::Open(std::move(*compiled), versions.StateDirectory(versions.serving));
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
    MR_RETURN_IF_ERROR(
        RunAlone(fmt::format("SELECT {} FROM {}", Join(expressions, ", "), Backticked(table.name)),
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
    if (access_.commits) to.commit = access_.commits(to.job, trace_.record);
    if (!decoded) return Status::Ok();
    MR_ASSIGN_OR_RETURN(const auto answers, AnswersOf(statement));
    TraceStage own;
    MR_ASSIGN_OR_RETURN(const model::Epoch epoch,
                        RunJob(statement, lineage, answers.get(), own, to));
    auto ways = WaysOf(lineage_, "job:" + to.job, LineageDirection::kUp);
    if (ways.ok()) {
      const std::set<std::string> own_views = ViewsOf("job:" + to.job);
      for (const LineageNode& node : ways->up.nodes) {
        const sql::View* view = project_.catalog().FindView(node.name);
        if (!view || !own_views.count(node.id)) continue;
        TraceStage& stage = to.stages.emplace_back();
        stage.name = "view " + view->name;
        stage.version = TextVersion(view->flink.text);
        MR_RETURN_IF_ERROR(replica_.RunSelect("SELECT * FROM " + Backticked(view->name),
                                              statement.settings, answers.get(), epoch, stage));
        MR_RETURN_IF_ERROR(AddWindows(view->flink.text, statement.settings, stage));
      }
    }
    MR_RETURN_IF_ERROR(AddWindows(statement.sql, statement.settings, own));
    to.stages.push_back(std::move(own));
    return GoOn(to);
  }

  // What cannot be asked for by itself (a window over a common table, say) is left out.
  Status AddWindows(const std::string& text, const job::JobSettings& settings, TraceStage& stage) {
    for (const std::string& call : WindowCallsOf(text)) {
      TraceStage asked;
      MR_RETURN_IF_ERROR(replica_.RunSelect(
          "SELECT window_start, window_end FROM TABLE(" + call + ")", settings, nullptr, 0, asked));
      if (!asked.note.empty()) continue;
      stage.windows.columns = asked.made.columns;
      auto& known = stage.windows.rows;
      for (auto& row : asked.made.rows) {
        if (std::find(known.begin(), known.end(), row) == known.end()) known.push_back(row);
      }
    }
    return Status::Ok();
  }

  // What the job makes of the record, and the sink has of it. Where others were asked: with the
  // answers by which the sink's row came about, if they are there. Returns the epoch that had them.
  Result<model::Epoch> RunJob(const JobStatement& statement, const JobLineage& lineage,
                              job::PastAnswers* answers, TraceStage& own, TraceJob& to) {
    const model::Epoch read = to.commit ? to.commit->epoch : INT64_MAX;
    model::Epoch epoch = read;
    std::optional<model::Epoch> next;
    for (size_t tries = 0; tries == 0 || next; tries++) {
      if (next) epoch = *next;
      TraceStage stage;
      stage.name = "job " + to.job;
      stage.version = TextVersion(statement.sql);
      MR_RETURN_IF_ERROR(replica_.RunInsert(statement, answers, epoch, stage));
      SinkAnswer answer;
      MR_RETURN_IF_ERROR(FindInSink(lineage, stage, to.sink, answer));
      const bool agrees = !answer.rows.rows.empty() && answer.differences.empty();
      const bool first = tries == 0 || (!own.note.empty() && stage.note.empty());
      next = answers && !agrees && tries < kEpochsTried ? answers->next_epoch() : std::nullopt;
      if (!agrees && !first) continue;
      for (TraceAnswer& one : stage.answers) {
        if (!agrees) one.note += one.note.empty() ? "no row of the sink confirms it" : "";
      }
      own = std::move(stage);
      Take(std::move(answer), to);
      if (own.note.empty() || to.note.empty()) to.note += own.note;
    }
    return epoch;
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

  Status FindInSink(const JobLineage& lineage, const TraceStage& own, const std::string& sink,
                    SinkAnswer& answer) const {
    const sql::Table* table = project_.catalog().FindTable(sink);
    if (!own.note.empty() || own.made.rows.empty() || !table) return Status::Ok();
    MadeRows made{own.made};
    for (const std::string& name : own.made.columns) {
      const auto& columns = lineage.from.columns;
      made.own.push_back(std::any_of(columns.begin(), columns.end(), [&](const auto& column) {
        return column.name == name && IsOfOneRecord(column);
      }));
    }
    MR_ASSIGN_OR_RETURN(answer, AskSink(project_, *table, made, access_.ask));
    answer.asked = true;
    return Status::Ok();
  }

  static void Take(SinkAnswer answer, TraceJob& to) {
    to.found_by = !answer.asked             ? ""
                  : answer.found_by.empty() ? "all rows: no column tells its rows apart"
                                            : Join(answer.found_by, ", ");
    to.found_columns = std::move(answer.found_by);
    to.in_sink = std::move(answer.rows);
    to.differences = std::move(answer.differences);
    to.note = std::move(answer.note);
  }

  // What became of the sink's rows, where they are records of a topic.
  Status GoOn(TraceJob& to) {
    const sql::Table* sink = project_.catalog().FindTable(to.sink);
    if (!sink || to.in_sink.rows.empty() || to.found_columns.empty()) return Status::Ok();
    MR_ASSIGN_OR_RETURN(job::Binding binding, project_.Bind(*sink));
    auto topic = binding.options.find("topic");
    if (topic == binding.options.end() || way_.count(topic->second) || !access_.read_topic) {
      return Status::Ok();
    }
    auto records = access_.read_topic(topic->second);
    if (!records.ok()) {
      to.note = records.status().message();
      return Status::Ok();
    }
    const TraceRows& rows = to.in_sink;
    std::map<std::string, CellText> values;
    for (const std::string& name : to.found_columns) {
      auto at = std::find(rows.columns.begin(), rows.columns.end(), name);
      if (at == rows.columns.end()) continue;
      values[name] = rows.rows[0][static_cast<size_t>(at - rows.columns.begin())];
    }
    MR_ASSIGN_OR_RETURN(auto found, FindRecords(project_, *sink, *records, values));
    const size_t first = found.size() > kRecordsFollowed ? found.size() - kRecordsFollowed : 0;
    for (size_t i = first; i < found.size(); i++) {
      auto trace = Tracer(project_, found[i], access_, lineage_, way_).Run();
      if (trace.ok()) to.onward.push_back(std::move(*trace));
      // The last topic of the way is a table of nobody.
      if (!trace.ok() && trace.status().code() != Code::kNotFound) return trace.status();
    }
    return Status::Ok();
  }

  const Project& project_;
  const TraceAccess& access_;
  const Lineage& lineage_;
  std::set<std::string> way_;
  Trace trace_;
  Replica replica_;
  TraceRows letters_;
};

}  // namespace

Result<Trace> TraceOf(const Project& project, const TraceRecord& record,
                      const TraceAccess& access) {
  if (access.lineage) return Tracer(project, record, access, *access.lineage, {}).Run();
  MR_ASSIGN_OR_RETURN(const Lineage lineage, LineageOf(project));
  return Tracer(project, record, access, lineage, {}).Run();
}

std::string KeyColumnOf(const sql::Table& table) {
  std::string fields = table.Option("key.fields");
  if (!fields.empty()) return fields.substr(0, fields.find(';'));
  return table.primary_key.empty() ? "" : table.primary_key[0];
}

}  // namespace millrace::project
