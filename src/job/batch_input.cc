#include "job/batch_input.h"

#include <fmt/format.h>

#include <cstring>
#include <map>

#include "base/strings.h"
#include "env/files.h"
#include "job/job_entries.h"
#include "job/source_reader.h"
#include "state/decision_log.h"
#include "state/state_store.h"

namespace millrace::job {

namespace {

// Takes the place of the operators.
class Collector : public stream::Operator {
 public:
  explicit Collector(const std::function<Status(const BatchInputRows&)>& visit)
      : Operator(1), visit_(visit) {}

  void Process(int, const stream::Batch& batch) override {
    if (!failure.ok()) return;
    BatchInputRows rows;
    rows.rows = batch.rows;
    rows.reached.assign(batch.size(), model::kTimeMin);
    for (const stream::LateCandidate& late : batch.late) rows.reached[late.row] = late.frontier;
    rows.origin = [&](uint32_t row) {
      model::DeadLetter letter;
      uint32_t origin_row = row;
      for (const stream::LateCandidate& late : batch.late) {
        if (late.row == row) origin_row = late.origin_row;
      }
      if (batch.origin) batch.origin->Describe(origin_row, letter);
      return letter;
    };
    failure = visit_(rows);
  }
  stream::OperatorDescription Describe() const override { return {}; }

  Status failure;

 private:
  const std::function<Status(const BatchInputRows&)>& visit_;
};

class Nowhere : public stream::DeadLetterSink {
 public:
  void Add(model::DeadLetter) override {}
};

}  // namespace

Result<JobPosition> ReadPosition(const CompiledJob& job, const std::string& state_directory) {
  env::FileSystem& files = *env::FileSystem::Real();
  auto listed = files.List(state_directory + "/checkpoint");
  if (!listed.ok()) {
    return Status(Code::kNotFound, fmt::format("job \"{}\" has not run yet", job.name))
        .WithHint("run it with `millrace dev` or `millrace run`, and stop it");
  }
  MR_ASSIGN_OR_RETURN(auto store, state::StateStore::Open(state_directory + "/checkpoint"));
  auto entry = [&](const std::string& key) {
    std::string found;
    store->Scan(state::kJobEntries, key,
                [&](std::string_view, std::string_view value) { found = value; });
    return found;
  };
  const StateFit fit = FitOf(*store, job);
  if (fit.kind == StateFit::Kind::kNew) {
    return Status(Code::kNotFound, fmt::format("job \"{}\" has not run yet", job.name))
        .WithHint("run it with `millrace dev` or `millrace run`, and stop it");
  }
  if (fit.kind != StateFit::Kind::kSame) {
    return Status(Code::kFailedPrecondition,
                  fmt::format("job \"{}\" was running another query", job.name))
        .WithDetail(Join(fit.reasons, "; "))
        .WithHint("verify it with the query that it ran");
  }
  MR_ASSIGN_OR_RETURN(auto decisions, state::DecisionLog::Open(&files, state_directory));
  if (!decisions->found().empty() && decisions->found().back().epoch > store->epoch()) {
    return Status(Code::kFailedPrecondition,
                  fmt::format("job \"{}\" was not stopped, it died after epoch {}: its checkpoint "
                              "is of epoch {}, its results are later",
                              job.name, decisions->found().back().epoch, store->epoch()))
        .WithHint("start it once with `millrace dev` and stop it with Ctrl-C: it recovers first");
  }
  JobPosition position;
  position.epoch = store->epoch();
  if (std::string since = entry(kTextSinceKey); since.size() == 8) {
    std::memcpy(&position.text_since, since.data(), 8);
  }
  for (size_t i = 0; i < job.sources.size(); i++) {
    std::vector<SplitPosition> splits;
    for (const SplitState& split : SourceReader::SavedSplits(*store, static_cast<int>(i))) {
      splits.push_back({split.id, split.first, split.next});
    }
    position.sources.push_back(std::move(splits));
    model::EventTime frontier = model::kTimeMin;
    std::string saved = entry(SourceKey(static_cast<int>(i)));
    if (saved.size() >= sizeof frontier) std::memcpy(&frontier, saved.data(), sizeof frontier);
    position.frontiers.push_back(frontier);
  }
  position.frontiers.push_back(model::kTimeMin);
  std::string clock = entry(kClockKey);
  if (clock.size() == 8) std::memcpy(&position.frontiers.back(), clock.data(), 8);
  return position;
}

Status ReadBatchInput(CompiledJob& job, size_t index, const JobPosition& position,
                      const connectors::Services& services,
                      const std::function<Status(const BatchInputRows&)>& visit,
                      BatchInputCounters& counters) {
  const SourceTable& table = job.sources[index];
  Collector collector(visit);
  Nowhere nowhere;
  stream::SourceUse use;
  use.table = table.table->name;
  for (size_t c = 0; c < table.bound.scan.schema.size(); c++) use.columns.push_back(c);
  use.fields.resize(use.columns.size());
  use.consumers.push_back(&collector);
  stream::OperatorContext context;
  context.client = &job.planner->context();
  context.dead_letters = &nowhere;
  context.job = job.name;
  SourceLane lane(static_cast<int>(index), table, use, context, services, job.name);
  MR_RETURN_IF_ERROR(lane.Open());
  for (const SplitPosition& split : position.sources[index]) {
    if (split.from < 0) {
      return Status(Code::kFailedPrecondition,
                    fmt::format("the state of job \"{}\" does not say where it began to read table "
                                "\"{}\"",
                                job.name, table.table->name))
          .WithHint("it was made by an older version; start the job over to verify it");
    }
    SplitState state;
    state.id = split.split;
    state.next = split.from;
    state::SplitRange range{static_cast<int>(index), split.split, split.from, split.to, false};
    MR_RETURN_IF_ERROR(lane.Read(state, range, position.frontiers.back(), model::kTimeMin));
    MR_RETURN_IF_ERROR(collector.failure);
  }
  counters.records = lane.counters().rows_in;
  counters.refused = lane.counters().dead_lettered;
  counters.dropped = lane.counters().dropped;
  return Status::Ok();
}

bool HasOperator(const stream::JobPlan& plan, const std::string& name) {
  for (const auto& op : plan.operators) {
    if (op->Describe().name == name) return true;
  }
  return false;
}

bool AllThroughWindows(const stream::JobPlan& plan) {
  // Inputs come before their consumers, so one pass finds all that is reached without a window.
  std::map<const stream::Operator*, bool> bare;
  for (const stream::SourceUse& use : plan.sources) {
    for (const stream::Operator* op : use.consumers) bare[op] = true;
  }
  for (const auto& op : plan.operators) {
    const std::string name = op->Describe().name;
    const bool window = name == "WindowAggregate" || name == "UpdatingWindowAggregate";
    if (!bare[op.get()] || window) continue;
    if (op.get() == plan.output) return false;
    for (const stream::Operator* next : op->emitter().Targets()) bare[next] = true;
  }
  return true;
}

}  // namespace millrace::job
