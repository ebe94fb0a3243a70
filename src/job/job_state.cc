// What a job finds of itself when it is opened, and what it writes of itself; job.cc has the loop.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "connectors/kafka/kafka.h"
#include "env/diag.h"
#include "job/job.h"
#include "job/job_entries.h"

namespace millrace::job {

namespace {
constexpr double kCheckpointBytes = 16 << 20;  // written in about 50 ms
constexpr double kCheckpointRowsMin = 50'000;
constexpr double kCheckpointRowsMax = 1e12;
constexpr int64_t kCheckpointShare = 9;  // of the time, one part in ten at most
}  // namespace
const char* JobStateName(JobState state) {
  switch (state) {
    case JobState::kStarting:
      return "starting";
    case JobState::kRunning:
      return "running";
    case JobState::kCatchingUp:
      return "catching_up";
    case JobState::kIdle:
      return "idle";
    case JobState::kFailing:
      return "failing";
    case JobState::kFinished:
      return "finished";
    case JobState::kStopped:
      return "stopped";
    case JobState::kFailed:
      return "failed";
  }
  return "unknown";
}

Status Job::FitState() {
  fit_ = FitOf(*store_, *compiled_);
  const StateFit& fit = fit_;
  auto number = [&](const char* key, void* to) {
    store_->Scan(state::kJobEntries, key, [&](std::string_view, std::string_view value) {
      if (value.size() == 8) std::memcpy(to, value.data(), 8);
    });
  };
  number(kTextSinceKey, &text_since_);
  number(kRateKey, &saved_rate_);
  if (fit.kind == StateFit::Kind::kKeeps) {
    // Decisions of the old query that its checkpoint does not hold would be carried out by the new
    // one, though their output may be in the sink already: then the rows would be of neither.
    if (decisions_ && !decisions_->found().empty() &&
        decisions_->found().back().epoch > store_->epoch()) {
      return Status(Code::kFailedPrecondition,
                    fmt::format("job \"{}\" died while it ran another query, and has to recover "
                                "with that one first",
                                compiled_->name))
          .WithDetail(Join(fit.reasons, "; "))
          .WithHint("start and stop it once with its old text");
    }
    text_since_ = store_->epoch();
    diag::Warn("job keeps its state with a changed query job={} since_epoch={} changed=\"{}\"",
               compiled_->name, text_since_, Join(fit.reasons, "; "));
  }
  if (fit.kind != StateFit::Kind::kBackfill) return Status::Ok();
  return Status(Code::kFailedPrecondition,
                fmt::format("job \"{}\" was running another query: its state does not fit this one",
                            compiled_->name))
      .WithDetail(Join(fit.reasons, "; "))
      .WithHint(
          fmt::format("compute it anew beside the old one: millrace reprocess {}; or give the "
                      "new query another name (SET 'pipeline.name')",
                      compiled_->name));
}

Status Job::MakeSink() {
  if (!compiled_->sink || sink_) return Status::Ok();
  connectors::TableContext table;
  table.name = compiled_->sink->name;
  table.schema = compiled_->sink->schema;
  table.primary_key = compiled_->sink->primary_key;
  table.partitioned_by = compiled_->sink->partitioned_by;
  std::map<std::string, std::string> given = compiled_->sink_binding.options;
  MR_RETURN_IF_ERROR(TakeTableSettings(given).status());
  MR_ASSIGN_OR_RETURN(table.options,
                      connectors::ParseOptions(compiled_->sink_binding.connector->spec, given));
  table.job = compiled_->commit_name.empty() ? compiled_->name : compiled_->commit_name;
  table.services = options_.services;
  MR_ASSIGN_OR_RETURN(sink_, compiled_->sink_binding.connector->new_sink(table));
  return Status::Ok();
}

// The sink is made here, too: a schema registry that its format asks may be away just like it.
Status Job::Connect() {
  for (auto& source : sources_) {
    if (source->splits().empty()) MR_RETURN_IF_ERROR(source->RefreshSplits(0));
  }
  MR_RETURN_IF_ERROR(MakeSink());
  if (sink_) {
    MR_RETURN_IF_ERROR(sink_->Open());
    MR_ASSIGN_OR_RETURN(sink_committed_, sink_->LastCommitted());
  }
  connected_ = true;
  return Status::Ok();
}

Status Job::CheckStart() {
  const bool fresh = fit_.kind == StateFit::Kind::kNew;
  if (fresh && sink_committed_ > 0) return ResultsWithoutState();
  // Where a new job begins ('latest-offset', say) must survive a crash before its first checkpoint.
  if (fresh && decisions_ && decisions_->found().empty()) MR_RETURN_IF_ERROR(Save());
  // So must be by which query the state is kept from here on.
  if (fit_.kind == StateFit::Kind::kKeeps) MR_RETURN_IF_ERROR(Save());
  return Status::Ok();
}

// Dead letters go to a topic, exactly once, like any other output.
Status Job::OpenDeadLetters() {
  if (!options_.services.log) return Status::Ok();
  connectors::TableContext table;
  table.name = kDeadLetterTopic;
  table.schema.columns.push_back({"value", duckdb::LogicalType::VARCHAR, false});
  MR_ASSIGN_OR_RETURN(const connectors::ConnectorEntry* kafka, connectors::FindConnector("kafka"));
  MR_ASSIGN_OR_RETURN(table.options, connectors::ParseOptions(
                                         kafka->spec, {{"topic", kDeadLetterTopic},
                                                       {"properties.bootstrap.servers", "embedded"},
                                                       {"format", "raw"}}));
  table.job =
      (compiled_->commit_name.empty() ? compiled_->name : compiled_->commit_name) + "/dead-letters";
  // A job whose state was deleted begins again at epoch 1, and what it refuses is to be kept again.
  if (!ledger_run_.empty()) table.job += "/" + ledger_run_;
  table.services = options_.services;
  MR_ASSIGN_OR_RETURN(letter_sink_, connectors::kafka::NewLogTopicSink(table));
  MR_RETURN_IF_ERROR(letter_sink_->Open());
  MR_ASSIGN_OR_RETURN(letters_committed_, letter_sink_->LastCommitted());
  return Status::Ok();
}

// Epochs would count from 1 again, and the sink would take them for ones it has: rows would be
// lost.
Status Job::ResultsWithoutState() const {
  return Status(
             Code::kFailedPrecondition,
             fmt::format("table \"{}\" holds results of job \"{}\" up to epoch {}, but the job's "
                         "state is gone",
                         status_.sink_table, compiled_->name, sink_committed_))
      .WithHint(fmt::format("put {} back; or start over: empty the table and delete the job's row "
                            "(job = '{}') from millrace_commits beside it; or give the job another "
                            "name (SET 'pipeline.name')",
                            options_.state_directory, compiled_->name));
}

int64_t Job::RowsRead() const {
  int64_t rows = 0;
  for (const auto& source : sources_) rows += source->counters().rows_in;
  return rows;
}

void Job::WriteState(state::StateWriter& writer) {
  for (size_t s = 0; s < shards_->size(); s++) {
    for (auto& op : shards_->plan(s).operators) op->Snapshot(writer);
  }
  for (auto& source : sources_) source->Save(writer);
  ledger_->Save(writer);
  writer.Put(state::kJobEntries, kLedgerRunKey, ledger_run_);
  auto put = [&](const char* key, const auto& number) {
    writer.Put(state::kJobEntries, key, {reinterpret_cast<const char*>(&number), sizeof number});
  };
  writer.Put(state::kJobEntries, kFingerprintKey, compiled_->fingerprint);
  writer.Put(state::kJobEntries, kStructureKey, compiled_->structure.ToBytes());
  put(kTextSinceKey, text_since_);
  put(kRateKey, Rate());
  put(kCountersKey, RowsOut());
  put(kClockKey, frontiers_.back());
}

Status Job::Save() {
  return WithRetry([&] {
    return store_->Checkpoint(epoch_, [this](state::StateWriter& writer) { WriteState(writer); });
  });
}

Status Job::Checkpoint() {
  MR_RETURN_IF_ERROR(FinishCheckpoint());
  MR_RETURN_IF_ERROR(BeginCheckpoint());
  return FinishCheckpoint();
}

Status Job::BeginCheckpoint() {
  // Rows that a sink gathers over several epochs must be out before the decisions that made them
  // are forgotten.
  if (sink_ && sink_->GathersEpochs() && RowsWritten() > 0) {
    if (!sink_->WantsCommit() && !stop_) return Status::Ok();
    MR_RETURN_IF_ERROR(CommitEpoch(epoch_, true));
  }
  last_checkpoint_us_ = clock_->MonotonicMicros();
  if (store_->epoch() == epoch_) return Status::Ok();
  store_->Begin(epoch_, [this](state::StateWriter& writer) { WriteState(writer); });
  for (auto& source : sources_) source->BeginCheckpoint();
  if (answers_) answers_->BeginCheckpoint();
  if (decisions_) decisions_->BeginCheckpoint();
  const int64_t rows = RowsRead();
  checkpoint_ = {true, epoch_, rows - rows_at_checkpoint_,
                 clock_->MonotonicMicros() - last_checkpoint_us_};
  rows_at_checkpoint_ = rows;
  checkpoint_us_max_ = std::max(checkpoint_us_max_, checkpoint_.pause_us);
  return Status::Ok();
}

Status Job::FinishCheckpoint() {
  if (!checkpoint_.under_way) return Status::Ok();
  MR_RETURN_IF_ERROR(WithRetry([&] { return store_->Finish(); }));
  checkpoint_.under_way = false;
  for (auto& source : sources_) source->FinishCheckpoint();
  // What changed since the last one has to be gathered while the job waits: where each row changes
  // much, take the next after fewer rows, but never so often that checkpoints become the work.
  const int64_t now = clock_->MonotonicMicros();
  const auto bytes = static_cast<double>(std::max<int64_t>(1, store_->last_bytes()));
  const auto rows = static_cast<double>(std::max<int64_t>(1, checkpoint_.rows));
  checkpoint_rows_ = static_cast<int64_t>(
      std::clamp(rows * kCheckpointBytes / bytes, kCheckpointRowsMin, kCheckpointRowsMax));
  checkpoint_not_before_us_ =
      now + std::max(kCheckpointShare * checkpoint_.pause_us, now - last_checkpoint_us_);
  if (answers_) MR_RETURN_IF_ERROR(answers_->ForgetUpTo(checkpoint_.epoch));
  return decisions_ ? decisions_->ForgetUpTo(checkpoint_.epoch) : Status::Ok();
}

}  // namespace millrace::job
