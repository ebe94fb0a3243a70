// What a job finds of itself when it is opened, and what it writes of itself; job.cc has the loop.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstring>

#include "base/strings.h"
#include "connectors/kafka/kafka.h"
#include "job/job.h"
#include "job/job_entries.h"

namespace millrace::job {

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
    spdlog::warn("job keeps its state with a changed query job={} since_epoch={} changed=\"{}\"",
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

Status Job::Save() {
  const int64_t rows_out = RowsOut();
  auto write = [&](state::StateWriter& writer) {
    for (size_t s = 0; s < shards_->size(); s++) {
      for (auto& op : shards_->plan(s).operators) op->Snapshot(writer);
    }
    for (auto& source : sources_) source->Save(writer);
    writer.Put(state::kJobEntries, kFingerprintKey, compiled_->fingerprint);
    writer.Put(state::kJobEntries, kStructureKey, compiled_->structure.ToBytes());
    writer.Put(state::kJobEntries, kTextSinceKey, {reinterpret_cast<const char*>(&text_since_), 8});
    const double rate = Rate();
    writer.Put(state::kJobEntries, kRateKey, {reinterpret_cast<const char*>(&rate), 8});
    writer.Put(state::kJobEntries, kCountersKey, {reinterpret_cast<const char*>(&rows_out), 8});
    writer.Put(state::kJobEntries, kClockKey,
               {reinterpret_cast<const char*>(&frontiers_.back()), sizeof frontiers_.back()});
  };
  return WithRetry([&] { return store_->Checkpoint(epoch_, write); });
}

// What depends on what the sink has.
Status Job::Begin() {
  const bool fresh = fit_.kind == StateFit::Kind::kNew;
  if (fresh && sink_committed_ > 0) return ResultsWithoutState();
  MR_RETURN_IF_ERROR(OpenDeadLetters());
  epoch_ = store_->epoch();
  // Where a new job begins ('latest-offset', say) must survive a crash before its first checkpoint.
  if (fresh && decisions_ && decisions_->found().empty()) MR_RETURN_IF_ERROR(Save());
  // So must be by which query the state is kept from here on.
  if (fit_.kind == StateFit::Kind::kKeeps) MR_RETURN_IF_ERROR(Save());
  last_checkpoint_us_ = clock_->MonotonicMicros();
  return Status::Ok();
}

}  // namespace millrace::job
