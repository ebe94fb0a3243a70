// The job's ledger: what its stages count, and the entries in the topic; job.cc has the loop.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "connectors/kafka/kafka.h"
#include "env/clock.h"
#include "env/diag.h"
#include "job/job.h"
#include "job/job_entries.h"

namespace millrace::job {

namespace {

StageCounts CountsOf(const SourceCounters& source) {
  StageCounts counts;
  counts[Count::kIn] = source.rows_in;
  counts[Count::kAdded] = source.added;
  counts[Count::kTaken] = counts[Count::kOut] = source.delivered;
  counts[Count::kUnchanged] = source.skipped;
  counts[Count::kFailed] = source.dead_lettered;
  counts[Count::kDropped] = source.dropped;
  return counts;
}

StageCounts CountsOf(const stream::Operator& op) {
  const stream::OperatorStats& stats = op.stats();
  StageCounts counts;
  counts[Count::kIn] = stats.rows_in;
  counts[Count::kAdded] = stats.rows_added;
  counts[Count::kMerged] = stats.rows_merged;
  counts[Count::kOut] = op.emitter().rows();
  counts[Count::kTaken] = op.Forwards() ? counts[Count::kOut] : stats.rows_taken;
  counts[Count::kFiltered] = stats.rows_filtered;
  counts[Count::kUnchanged] = stats.rows_unchanged;
  counts[Count::kLate] = stats.rows_late;
  counts[Count::kLateTaken] = stats.rows_late_taken;
  counts[Count::kFailed] = stats.rows_failed;
  counts[Count::kFailedTaken] = stats.rows_failed_taken;
  return counts;
}

// The stages of a plan, those of its sources first, the sink last.
std::vector<LedgerStage> StagesOf(const CompiledJob& job) {
  std::vector<LedgerStage> stages;
  std::map<const stream::Operator*, size_t> place;
  for (const SourceTable& source : job.sources) stages.push_back({source.table->name, "source"});
  for (const auto& op : job.plan.operators) {
    place[op.get()] = stages.size();
    stages.push_back({fmt::format("#{}", op->id()), op->Describe().name});
  }
  for (size_t i = 0; i < job.plan.sources.size(); i++) {
    for (const stream::Operator* consumer : job.plan.sources[i].consumers) {
      stages[place.at(consumer)].producers.push_back(i);
    }
  }
  for (const auto& op : job.plan.operators) {
    for (const stream::Operator* consumer : op->emitter().Targets()) {
      if (auto at = place.find(consumer); at != place.end()) {
        stages[at->second].producers.push_back(place.at(op.get()));
      }
    }
  }
  stages.push_back({"sink", job.sink ? "sink" : "result", {place.at(job.plan.output)}});
  return stages;
}

}  // namespace

Status Job::OpenLedger() {
  const bool fresh = fit_.kind == StateFit::Kind::kNew;
  if (fresh) ledger_run_ = fmt::format("{}", clock_->WallMicros() / 1000);
  store_->Scan(state::kJobEntries, kLedgerRunKey,
               [&](std::string_view, std::string_view value) { ledger_run_ = value; });
  std::vector<Ledger::Source> sources;
  for (const SourceTable& source : compiled_->sources) {
    auto topic = source.binding.options.find("topic");
    sources.push_back(
        {source.table->name, topic == source.binding.options.end() ? "" : topic->second});
  }
  const std::string name =
      compiled_->commit_name.empty() ? compiled_->name : compiled_->commit_name;
  ledger_ = std::make_unique<Ledger>(compiled_->name, name + "/" + ledger_run_, std::move(sources),
                                     StagesOf(*compiled_));
  ledger_->Restore(*store_);
  counts_at_open_ = GatherCounts();
  // Without a state of its own a job cannot say what it wrote before.
  if (!options_.services.log || !decisions_) return Status::Ok();
  connectors::TableContext table;
  table.name = kLedgerTopic;
  table.schema.columns.push_back({"value", duckdb::LogicalType::VARCHAR, false});
  MR_ASSIGN_OR_RETURN(const connectors::ConnectorEntry* kafka, connectors::FindConnector("kafka"));
  MR_ASSIGN_OR_RETURN(table.options, connectors::ParseOptions(
                                         kafka->spec, {{"topic", kLedgerTopic},
                                                       {"properties.bootstrap.servers", "embedded"},
                                                       {"format", "raw"}}));
  table.job = name + "/ledger/" + ledger_run_;
  table.services = options_.services;
  MR_ASSIGN_OR_RETURN(ledger_sink_, connectors::kafka::NewLogTopicSink(table));
  MR_RETURN_IF_ERROR(ledger_sink_->Open());
  MR_ASSIGN_OR_RETURN(ledger_committed_, ledger_sink_->LastCommitted());
  return Status::Ok();
}

// Of every stage, as ledger_ knows them.
std::vector<StageCounts> Job::GatherCounts() const {
  std::vector<StageCounts> counts;
  for (const auto& source : sources_) counts.push_back(CountsOf(source->counters()));
  const size_t operators = shards_->plan(0).operators.size();
  for (size_t i = 0; i < operators; i++) {
    StageCounts sum;
    for (size_t s = 0; s < shards_->size(); s++) {
      sum.Add(CountsOf(*shards_->plan(s).operators[i]));
    }
    counts.push_back(sum);
  }
  StageCounts& sink = counts.emplace_back();
  sink[Count::kIn] = RowsOut();
  sink[Count::kTaken] = sink[Count::kOut] = RowsDelivered();
  return counts;
}

// Likewise.
std::vector<StageLoad> Job::GatherLoads() const {
  std::vector<StageLoad> loads(shards_->clock(0).sink_stage() + 1);
  for (size_t s = 0; s < shards_->size(); s++) {
    for (size_t i = 0; i < loads.size(); i++) {
      loads[i].busy_seconds += static_cast<double>(shards_->clock(s).busy_us(i)) / 1e6;
    }
    const stream::JobPlan& plan = shards_->plan(s);
    for (size_t i = 0; i < plan.operators.size(); i++) {
      StageLoad& load = loads[plan.sources.size() + i];
      load.state_rows += plan.operators[i]->stats().state_rows;
      load.state_bytes += plan.operators[i]->stats().state_bytes;
    }
  }
  return loads;
}

void Job::AccountEpoch(const state::Decision& decision) {
  std::vector<StageCounts> counts = GatherCounts();
  for (size_t i = 0; i < counts.size(); i++) counts[i].Subtract(counts_at_open_[i]);
  ledger_->AddEpoch(decision, counts, [&](int source, const std::string& split) {
    for (const SplitState& state : sources_[static_cast<size_t>(source)]->splits()) {
      if (state.id == split) return state.missing;
    }
    return int64_t{0};
  });
  for (const LedgerGap& gap : ledger_->found()) {
    diag::Error("ledger does not close job={} missing_rows={} what=\"{}\"", compiled_->name,
                gap.rows, gap.Text());
  }
}

Status Job::CommitLedger() {
  ledger_->Forget(ledger_committed_);
  if (ledger_->ended().empty()) return Status::Ok();
  // Of a sink that gathers epochs: not before it has them.
  if (sink_ && RowsWritten() > 0) return Status::Ok();
  if (sink_ && ledger_->AddRefused(sink_->Rejected().total)) {
    MR_RETURN_IF_ERROR(FinishCheckpoint());
    MR_RETURN_IF_ERROR(Save());
  }
  const model::Epoch last = ledger_->ended().back().to_epoch;
  if (!ledger_sink_) {
    ledger_->Forget(last);
    return Status::Ok();
  }
  const int64_t now_ms = clock_->WallMicros() / 1000;
  duckdb::DataChunk rows;
  rows.Initialize(duckdb::Allocator::DefaultAllocator(), {duckdb::LogicalType::VARCHAR});
  for (LedgerEntry entry : ledger_->ended()) {
    entry.committed_ms = now_ms;
    rows.Reset();
    rows.data[0].SetValue(0, duckdb::Value(entry.ToJson()));
    rows.SetCardinality(1);
    MR_RETURN_IF_ERROR(ledger_sink_->Write({&rows, nullptr}));
  }
  MR_RETURN_IF_ERROR(WithRetry([&] { return ledger_sink_->Commit(last); }));
  ledger_committed_ = last;
  ledger_->Forget(last);
  return Status::Ok();
}

}  // namespace millrace::job
