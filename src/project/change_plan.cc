#include "project/change_plan.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "base/units.h"
#include "job/saved_progress.h"
#include "log/topic_reader.h"
#include "project/version_tables.h"

namespace millrace::project {

namespace {

const char* KindName(JobChange::Kind kind) {
  switch (kind) {
    case JobChange::Kind::kNew:
      return "new";
    case JobChange::Kind::kSame:
      return "same";
    case JobChange::Kind::kKeeps:
      return "keeps";
    case JobChange::Kind::kBackfill:
      return "backfill";
    case JobChange::Kind::kRefused:
      return "refused";
  }
  return "unknown";
}

JobChange::Kind KindOf(job::StateFit::Kind kind) {
  switch (kind) {
    case job::StateFit::Kind::kNew:
      return JobChange::Kind::kNew;
    case job::StateFit::Kind::kSame:
      return JobChange::Kind::kSame;
    case job::StateFit::Kind::kKeeps:
      return JobChange::Kind::kKeeps;
    case job::StateFit::Kind::kBackfill:
      return JobChange::Kind::kBackfill;
  }
  return JobChange::Kind::kBackfill;
}

// Adds up the input of `compiled`, and says why it cannot be read again, or why its table cannot be
// exchanged. `began`: where the version that serves began, as [source][split].
Status AddCost(Runtime& runtime, const job::CompiledJob& compiled,
               const std::vector<std::vector<job::SplitPosition>>& began, JobChange& change) {
  const std::string& sink = compiled.sink_binding.connector->spec.name;
  if (sink != "warehouse" && sink != "jdbc" && sink != "kafka") {
    change.refusal = fmt::format(
        "its sink \"{}\" ({}) cannot be exchanged: only tables ('jdbc') "
        "and topics ('kafka') can",
        compiled.sink->name, sink);
  }
  for (size_t i = 0; i < compiled.sources.size(); i++) {
    const job::SourceTable& source = compiled.sources[i];
    const std::string& connector = source.binding.connector->spec.name;
    if (connector == "filesystem") continue;  // its size is not known before it is read
    if (connector != "kafka") {
      change.refusal = fmt::format("table \"{}\" ({}) keeps nothing that could be read again",
                                   source.table->name, connector);
      continue;
    }
    const std::string& topic = source.binding.options.at("topic");
    auto info = runtime.log().Describe(topic);
    if (!info.ok()) continue;  // made when the job starts
    for (int p = 0; p < info->config.partitions; p++) {
      MR_ASSIGN_OR_RETURN(auto at, runtime.log().DescribePartition(topic, p));
      MR_ASSIGN_OR_RETURN(const int64_t start, log::TopicReader(runtime.log(), topic).Start(p));
      change.records += at.stable_offset - start;
      change.bytes += at.size_bytes;
      if (i >= began.size()) continue;
      for (const job::SplitPosition& split : began[i]) {
        if (split.split != std::to_string(p) || split.from < 0) continue;
        if (split.from >= start) continue;
        change.input_deleted = true;
        change.refusal = fmt::format(
            "topic \"{}\" partition {} begins at offset {} now, and the job has read it from {}: "
            "the retention has deleted what lies between",
            topic, p, start, split.from);
      }
    }
  }
  return Status::Ok();
}

Result<JobChange> PlanOne(Runtime& runtime, const Project& text, const JobStatement& statement) {
  JobChange change;
  change.job = statement.settings.name;
  MR_ASSIGN_OR_RETURN(auto compiled, text.Compile(statement));
  MR_ASSIGN_OR_RETURN(JobVersions versions, JobVersions::Load(runtime.project(), change.job));
  change.serving = versions.serving;
  change.previous = versions.previous;
  job::StateFit fit;
  std::vector<std::vector<job::SplitPosition>> began;
  if (auto running = runtime.FindJob(change.job)) {
    const job::JobStatus status = running->status();
    fit = job::Compare(running->compiled().structure, compiled->structure);
    change.rows_per_second = status.rows_per_second;
    for (const job::SourceStatus& source : status.sources) began.push_back(source.splits);
  } else {
    MR_ASSIGN_OR_RETURN(job::SavedProgress saved,
                        job::ReadProgress(*compiled, versions.StateDirectory(versions.serving)));
    fit = saved.fit;
    change.rows_per_second = saved.rows_per_second;
    began = saved.position.sources;
  }
  change.kind = KindOf(fit.kind);
  change.reasons = fit.reasons;
  MR_RETURN_IF_ERROR(AddCost(runtime, *compiled, began, change));
  if (change.kind == JobChange::Kind::kBackfill && !change.refusal.empty()) {
    change.kind = JobChange::Kind::kRefused;
  }
  return change;
}

std::string Cost(const JobChange& change) {
  std::string text =
      fmt::format("{} records, {} in the log", change.records, FormatBytes(change.bytes));
  if (change.rows_per_second <= 0) return text + "; its rate is not known yet";
  return text + fmt::format(", about {} at its last {:.0f} records/s",
                            FormatDurationMicros(static_cast<int64_t>(change.seconds() * 1e6)),
                            change.rows_per_second);
}

}  // namespace

Result<std::vector<JobChange>> PlanChanges(Runtime& runtime, const Project& text,
                                           const std::string& job) {
  std::vector<JobChange> changes;
  std::vector<std::string> names;
  for (const JobStatement& statement : text.jobs()) {
    names.push_back(statement.settings.name);
    if (!job.empty() && statement.settings.name != job) continue;
    MR_ASSIGN_OR_RETURN(JobChange change, PlanOne(runtime, text, statement));
    changes.push_back(std::move(change));
  }
  if (changes.empty() && !job.empty()) {
    return Status(Code::kNotFound, fmt::format("there is no job \"{}\"", job))
        .WithHint(DidYouMean(job, names));
  }
  return changes;
}

std::string ChangesText(const std::vector<JobChange>& changes) {
  if (changes.empty()) return "no jobs: the project has no INSERT INTO statement\n";
  std::string out;
  for (const JobChange& change : changes) {
    const std::string why = Join(change.reasons, "; ");
    out += fmt::format("{}: ", change.job);
    switch (change.kind) {
      case JobChange::Kind::kNew:
        out += "new, starts without state\n";
        break;
      case JobChange::Kind::kSame:
        out += fmt::format("goes on (version {})\n", change.serving);
        break;
      case JobChange::Kind::kKeeps:
        out += fmt::format(
            "keeps its state: {}\n  rows from now on are the new query's, those in the table stay "
            "as they are\n  to make all of them anew: millrace reprocess {} ({})\n",
            why, change.job, Cost(change));
        break;
      case JobChange::Kind::kBackfill:
        out += fmt::format(
            "needs a backfill: {}\n  the old query goes on until then\n  to change over: millrace "
            "reprocess {}\n  cost: {}\n",
            why, change.job, Cost(change));
        break;
      case JobChange::Kind::kRefused:
        out += fmt::format("cannot change over: {}\n  {}\n  the old query goes on\n", why,
                           change.refusal);
        break;
    }
    if (change.previous > 0) {
      out += fmt::format("  version {} is kept: millrace reprocess {} --rollback, or --retire\n",
                         change.previous, change.job);
    }
  }
  return out;
}

std::string ChangesJson(const std::vector<JobChange>& changes) {
  std::vector<std::string> texts;
  for (const JobChange& change : changes) {
    std::vector<std::string> reasons;
    for (const std::string& reason : change.reasons) reasons.push_back(JsonQuote(reason));
    texts.push_back(fmt::format(
        R"({{"job":{},"verdict":"{}","reasons":[{}],"refusal":{},"records":{},"bytes":{},)"
        R"("records_per_second":{:.1f},"seconds":{:.1f},"serving":{},"previous":{}}})",
        JsonQuote(change.job), KindName(change.kind), Join(reasons, ","),
        change.refusal.empty() ? "null" : JsonQuote(change.refusal), change.records, change.bytes,
        change.rows_per_second, change.seconds(), change.serving, change.previous));
  }
  return fmt::format("{{\"text\":{},\"changes\":[{}]}}", JsonQuote(ChangesText(changes)),
                     Join(texts, ","));
}

Result<std::unique_ptr<Project>> ReadTextNow(Runtime& runtime) {
  std::vector<Status> faults;
  const Project& project = runtime.project();
  auto text = Project::Load(project.directory(), project.config().target, faults);
  if (!faults.empty()) return std::move(faults[0]);
  return text;
}

}  // namespace millrace::project
