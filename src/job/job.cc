#include "job/job.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/units.h"
#include "connectors/kafka/kafka.h"
#include "duck/door.h"
#include "duck/functions.h"
#include "env/clock.h"
#include "env/diag.h"
#include "env/large_memory.h"
#include "job/job_entries.h"
#include "log/log.h"

namespace millrace::job {

namespace {
constexpr int64_t kRefreshEvery = 1'000'000;
constexpr int64_t kIdleWait = 50'000;
constexpr int64_t kIdleAfter = 2'000'000;
// An epoch of fewer offsets (records, or bytes of a file) is done before a thread has woken up.
constexpr int64_t kOffsetsWorthThreads = 2'000;
constexpr int64_t kTickEvery = 100'000;  // how late a window of processing time may close
}  // namespace

// Collects the dead letters of an epoch.
class Job::Letters : public stream::DeadLetterSink {
 public:
  void Add(model::DeadLetter letter) override {
    if (letter.time_ms == 0) letter.time_ms = clock_ms;
    pending.push_back(std::move(letter));
  }
  std::vector<model::DeadLetter> pending;
  int64_t clock_ms = 0;
};

// The last operator of a shard: hands rows to the connector's sink, unless the sink has this epoch
// already. Several shards share the sink: what they make waits until all are done and is handed
// over shard by shard, for a sink may number its rows, and an epoch must give the same ones again.
class Job::SinkEnd : public stream::Operator {
 public:
  SinkEnd(uint32_t id, Job& job) : Operator(id), job_(job) {}
  void Process(int, const stream::Batch& batch) override {
    rows_out += static_cast<int64_t>(batch.size());
    if (job_.sink_ && replayed) delivered += static_cast<int64_t>(batch.size());
    if (job_.sink_ && (replayed || !failure.ok())) return;
    if (job_.shards_->size() == 1) {
      HandOver(*batch.rows, batch.weights);
    } else {
      Keep(batch);
    }
  }
  // In the order of the shards, when all of them have run the epoch.
  void Deliver() {
    for (Kept& kept : kept_) {
      HandOver(*kept.rows, kept.weights.empty() ? nullptr : kept.weights.data());
    }
    kept_.clear();
  }
  stream::OperatorDescription Describe() const override { return {}; }

  bool replayed = false;  // the sink has the running epoch already
  int64_t written = 0;    // rows since the last commit
  int64_t rows_out = 0;   // since the job began
  int64_t delivered = 0;  // of those, since it was opened: handed over, or known to the sink
  Status failure;

 private:
  struct Kept {
    std::unique_ptr<duckdb::DataChunk> rows;
    std::vector<int32_t> weights;  // empty: all +1
  };

  void Keep(const stream::Batch& batch) {
    Kept kept;
    kept.rows = std::make_unique<duckdb::DataChunk>();
    kept.rows->Initialize(duckdb::Allocator::DefaultAllocator(), batch.rows->GetTypes());
    batch.rows->Copy(*kept.rows);
    if (batch.weights) kept.weights.assign(batch.weights, batch.weights + batch.size());
    kept_.push_back(std::move(kept));
  }

  void HandOver(duckdb::DataChunk& rows, const int32_t* weights) {
    delivered += static_cast<int64_t>(rows.size());
    if (!job_.sink_) {
      if (job_.options_.on_rows) job_.options_.on_rows(rows, weights);
      return;
    }
    if (!failure.ok()) return;
    written += static_cast<int64_t>(rows.size());
    std::vector<int32_t> copied;
    connectors::SinkBatch out;
    out.rows = &rows;
    if (weights) {
      copied.assign(weights, weights + rows.size());
      out.weights = &copied;
    }
    failure = duck::AtTheDoor([&] { return job_.sink_->Write(out); });
  }

  Job& job_;
  std::vector<Kept> kept_;
};

Job::Job(std::unique_ptr<CompiledJob> compiled, JobOptions options)
    : compiled_(std::move(compiled)),
      options_(std::move(options)),
      explain_(compiled_->Explain()),
      clock_(options_.services.clock ? options_.services.clock : env::Clock::System()),
      letters_(1 + compiled_->more_shards.size()) {
  for (auto& letters : letters_) letters = std::make_unique<Letters>();
  options_.services.clock = clock_;
  status_.name = compiled_->name;
  if (compiled_->sink) status_.sink_table = compiled_->sink->name;
  status_.guarantee = explain_.find("delivery: exactly once") != std::string::npos
                          ? "exactly once"
                          : "at least once";
  for (const auto& op : compiled_->plan.operators) {
    std::string freed = op->Describe().freed_by;
    if (!freed.empty()) status_.state_freed_by = freed;
  }
}

Job::~Job() {
  if (state_limit_ > 0) env::LargeMemory::Process().RemoveLimit(state_limit_);
}

Result<std::unique_ptr<Job>> Job::Open(std::unique_ptr<CompiledJob> compiled, JobOptions options) {
  std::unique_ptr<Job> job(new Job(std::move(compiled), std::move(options)));
  MR_RETURN_IF_ERROR(job->Start());
  return job;
}

Status Job::Start() {
  if (options_.state_directory.empty()) {
    store_ = state::StateStore::InMemory();
  } else {
    env::FileSystem* files = options_.files ? options_.files : env::FileSystem::Real();
    MR_RETURN_IF_ERROR(files->CreateDirectories(options_.state_directory));
    MR_ASSIGN_OR_RETURN(store_, state::StateStore::Open(options_.state_directory + "/checkpoint"));
    MR_ASSIGN_OR_RETURN(decisions_, state::DecisionLog::Open(files, options_.state_directory));
    if (!compiled_->plan.lookups.empty()) {
      MR_ASSIGN_OR_RETURN(answers_, state::AnswerJournal::Open(files, options_.state_directory));
      MR_RETURN_IF_ERROR(answers_->KeepPast(compiled_->settings.answers_kept_bytes));
    }
  }
  MR_RETURN_IF_ERROR(FitState());
  if (compiled_->settings.state_memory > 0) {
    MR_RETURN_IF_ERROR(env::LargeMemory::Process().AddLimit(
        compiled_->settings.state_memory, options_.state_directory.empty()
                                              ? std::filesystem::temp_directory_path().string()
                                              : options_.state_directory));
    state_limit_ = compiled_->settings.state_memory;
  }
  MR_RETURN_IF_ERROR(OpenPlans());
  MR_RETURN_IF_ERROR(OpenLedger());
  MR_RETURN_IF_ERROR(OpenDeadLetters());
  epoch_ = store_->epoch();
  last_checkpoint_us_ = clock_->MonotonicMicros();
  // Other jobs do not wait for a system that is away.
  Status opened = duck::AtTheDoor([&] { return Connect(); });
  if (opened.ok()) return CheckStart();
  if (opened.retry() == Retry::kNever) return opened;
  PublishError(JobState::kFailing, opened);
  diag::Warn("job waits at its start job={} error=\"{}\"", compiled_->name, opened.message());
  return Status::Ok();
}

Status Job::OpenPlans() {
  CompiledJob& compiled = *compiled_;
  std::vector<stream::JobPlan*> plans = {&compiled.plan};
  for (stream::JobPlan& plan : compiled.more_shards) plans.push_back(&plan);
  shards_ = std::make_unique<ShardRunner>(plans, *clock_);
  if (!compiled.plan.lookups.empty() && !options_.asker) desk_ = NewLookupDesk();
  std::vector<stream::OperatorContext> contexts(plans.size());
  for (size_t s = 0; s < plans.size(); s++) {
    if (desk_) MR_RETURN_IF_ERROR(desk_->Add(compiled, *plans[s], options_.services));
    contexts[s].asker = options_.asker ? options_.asker : desk_.get();
    contexts[s].client = &compiled.planner->context();
    contexts[s].dead_letters = letters_[s].get();
    contexts[s].job = compiled.name;
    for (const SourceTable& source : compiled.sources) {
      contexts[s].drop_late.push_back(source.settings.late == LateRowsPolicy::kDrop);
    }
  }
  for (size_t i = 0; i < compiled.sources.size(); i++) {
    std::vector<std::unique_ptr<SourceLane>> lanes;
    for (size_t s = 0; s < plans.size(); s++) {
      lanes.push_back(std::make_unique<SourceLane>(static_cast<int>(i), compiled.sources[i],
                                                   plans[s]->sources[i], contexts[s],
                                                   options_.services, compiled.name));
    }
    sources_.push_back(
        std::make_unique<SourceReader>(static_cast<int>(i), compiled.sources[i], std::move(lanes)));
    sources_.back()->Restore(*store_);
    MR_RETURN_IF_ERROR(sources_.back()->Open());
    frontiers_.push_back(sources_.back()->frontier());
  }
  frontiers_.push_back(model::kTimeMin);
  store_->Scan(state::kJobEntries, kClockKey, [&](std::string_view, std::string_view value) {
    std::memcpy(&frontiers_.back(), value.data(), sizeof frontiers_.back());
  });
  for (size_t s = 0; s < plans.size(); s++) {
    stream::JobPlan& plan = *plans[s];
    for (auto& op : plan.operators) MR_RETURN_IF_ERROR(op->Open(contexts[s], *store_));
    sink_ends_.push_back(
        std::make_unique<SinkEnd>(static_cast<uint32_t>(plan.operators.size() + 1), *this));
    plan.output->emitter().Add(sink_ends_.back().get(), 0);
  }
  store_->Scan(state::kJobEntries, kCountersKey, [&](std::string_view, std::string_view value) {
    std::memcpy(&sink_ends_[0]->rows_out, value.data(), 8);
  });
  return Status::Ok();
}

std::unique_ptr<LookupDesk> Job::NewLookupDesk() {
  LookupDesk::Events events;
  events.stopping = [this] { return stop_.load(); };
  events.failing = [this](const Status& error) { PublishError(JobState::kFailing, error); };
  events.answering = [this] {
    std::lock_guard<std::mutex> lock(status_mutex_);
    status_.state = JobState::kRunning;
    status_.error = Status();
  };
  return std::make_unique<LookupDesk>(*clock_, answers_.get(), std::move(events));
}

bool Job::StoppedWaiting(const Status& status) const {
  return stop_ && !status.ok() && status.retry() != Retry::kNever;
}

Status Job::Run() {
  Status status = RunToEnd();
  std::lock_guard<std::mutex> lock(boundary_mutex_);
  run_ended_ = true;
  boundary_done_.notify_all();
  return status;
}

Status Job::RunToEnd() {
  Status status = Recover();
  for (auto& source : sources_) rows_before_run_ += source->counters().rows_in;
  while (status.ok() && !stop_ && !AllEnded()) {
    if (boundary_wanted_) status = ServeBoundary();
    if (status.ok() && checkpoint_.under_way && store_->Settled()) status = FinishCheckpoint();
    if (!status.ok()) break;
    int64_t now = clock_->MonotonicMicros();
    if (now - last_refresh_us_ >= kRefreshEvery) {
      last_refresh_us_ = now;
      for (auto& source : sources_) {
        status = WithRetry([&] { return source->RefreshSplits(now); });
        if (!status.ok()) break;
      }
      if (!status.ok()) break;
    }
    // Read before asking the sources, so that a commit in between is not slept through.
    uint64_t seen = options_.services.log ? options_.services.log->CommitCount() : 0;
    state::Decision decision;
    auto decided = DecideNext(decision);
    if (!decided.ok()) {
      status = decided.status();
      if (status.retry() == Retry::kNever) break;
      PublishError(JobState::kFailing, status);
      status = Status::Ok();
      Sleep(200'000);
      continue;
    }
    if (!*decided && !ledger_->IsDue(decision.clock_us)) {
      // What a sink has gathered is due by time, too: it waits for no further input.
      if (RowsWritten() > 0) status = CommitEpoch(epoch_, false);
      if (!status.ok()) break;
      // A pause between two events is not yet idleness.
      Publish(now - last_epoch_start_us_ < kIdleAfter ? JobState::kRunning : JobState::kIdle);
      WaitForInput(seen);
      continue;
    }
    // Pace: a little gathering makes epochs cheaper, and costs at most the interval in latency.
    int64_t since = clock_->MonotonicMicros() - last_epoch_start_us_;
    if (since < compiled_->settings.epoch_interval_us) {
      Sleep(compiled_->settings.epoch_interval_us - since);
      decision = state::Decision();
      decided = DecideNext(decision);
      if (!decided.ok()) continue;
      if (!*decided && !ledger_->IsDue(decision.clock_us)) continue;
    }
    int64_t started = clock_->MonotonicMicros();
    last_epoch_start_us_ = started;
    if (decisions_) {
      status = WithRetry([&] { return decisions_->Append(decision); });
      if (status.ok()) status = WithRetry([&] { return decisions_->Sync(); });
      if (!status.ok()) break;
    }
    status = RunEpoch(decision);
    if (status.ok()) status = CommitEpoch(decision.epoch, false);
    if (!status.ok()) break;
    busy_us_ += clock_->MonotonicMicros() - started;
    epochs_run_++;
    latencies_ms_.push_back(static_cast<double>(clock_->MonotonicMicros() - started) / 1000.0);
    if (latencies_ms_.size() > 512) latencies_ms_.pop_front();
    bool due = clock_->MonotonicMicros() - last_checkpoint_us_ >=
                   compiled_->settings.checkpoint_interval_us ||
               (RowsRead() - rows_at_checkpoint_ >= checkpoint_rows_ &&
                clock_->MonotonicMicros() >= checkpoint_not_before_us_);
    if (due && !checkpoint_.under_way) status = BeginCheckpoint();
    if (compiled_->settings.state_memory > 0) env::LargeMemory::Process().KeepLimit();
    int64_t lag = 0;
    for (auto& source : sources_) {
      for (const SplitState& split : source->splits()) lag += split.behind;
    }
    Publish(lag > 10'000 ? JobState::kCatchingUp : JobState::kRunning);
  }
  if (StoppedWaiting(status)) {
    diag::Info("job stopped while another system did not answer job={} epoch={} error=\"{}\"",
               compiled_->name, epoch_, status.message());
    Publish(JobState::kStopped);
    return Status::Ok();
  }
  if (status.ok()) status = Finish();
  if (!status.ok()) {
    PublishError(JobState::kFailed, status);
    diag::Error("job failed job={} error=\"{}\"", compiled_->name, status.message());
    return status;
  }
  Publish(stop_ ? JobState::kStopped : JobState::kFinished);
  return status;
}

void Job::WaitForInput(uint64_t seen_commits) {
  bool all_in_log = std::all_of(sources_.begin(), sources_.end(),
                                [](const auto& source) { return source->reads_embedded_log(); });
  if (all_in_log && options_.services.log) {
    options_.services.log->WaitForCommit(seen_commits, kIdleWait);
  } else if (sources_.size() == 1) {
    sources_[0]->source().Wait(clock_->MonotonicMicros() + kIdleWait);
  } else {
    Sleep(5'000);
  }
}

// Runs again what was decided after the last checkpoint.
Status Job::Recover() {
  if (!connected_) {
    MR_RETURN_IF_ERROR(WithRetry([&] { return Connect(); }));
    MR_RETURN_IF_ERROR(CheckStart());
  }
  if (!decisions_) return Status::Ok();
  int64_t replayed = 0;
  for (const state::Decision& decision : decisions_->found()) {
    if (decision.epoch <= epoch_) continue;
    if (decision.epoch != epoch_ + 1) {
      return Status(Code::kCorruption,
                    fmt::format("job \"{}\": the decision of epoch {} is missing", compiled_->name,
                                epoch_ + 1));
    }
    MR_RETURN_IF_ERROR(RunEpoch(decision));
    MR_RETURN_IF_ERROR(CommitEpoch(decision.epoch, false));
    if (compiled_->settings.state_memory > 0) env::LargeMemory::Process().KeepLimit();
    replayed++;
  }
  if (replayed > 0) {
    diag::Info("job recovered job={} checkpoint_epoch={} replayed_epochs={} sink_epoch={}",
               compiled_->name, store_->epoch(), replayed, sink_committed_);
  }
  return Status::Ok();
}

Result<bool> Job::DecideNext(state::Decision& decision) {
  decision.epoch = epoch_ + 1;
  // Never back: what a window of processing time has closed stays closed.
  decision.clock_us = std::max(clock_->WallMicros(), frontiers_.back());
  int64_t now = clock_->MonotonicMicros();
  int64_t share =
      std::max<int64_t>(1, compiled_->settings.epoch_bytes_max /
                               static_cast<int64_t>(std::max<size_t>(1, sources_.size())));
  for (auto& source : sources_) MR_RETURN_IF_ERROR(source->Decide(share, now, decision));
  // A split that fell idle can move the watermark without any data.
  std::string signature;
  for (const state::SplitName& idle : decision.idle) {
    signature += fmt::format("{}/{} ", idle.source, idle.split);
  }
  bool news = !decision.ranges.empty() || signature != idle_signature_ || NeedsTick(decision);
  if (news) idle_signature_ = signature;
  return news;
}

// True when time alone may close a window.
bool Job::NeedsTick(const state::Decision& decision) const {
  if (!compiled_->plan.needs_ticks) return false;
  if (decision.clock_us - frontiers_.back() < kTickEvery) return false;
  for (size_t s = 0; s < shards_->size(); s++) {
    for (const auto& op : shards_->plan(s).operators) {
      if (op->stats().state_rows > 0) return true;
    }
  }
  return false;
}

Status Job::RunEpoch(const state::Decision& decision) {
  duck::SetEpochClock(compiled_->planner->context(), decision.clock_us);
  for (auto& letters : letters_) letters->clock_ms = decision.clock_us / 1000;
  for (auto& end : sink_ends_) end->replayed = decision.epoch <= sink_committed_;
  if (desk_) {
    MR_RETURN_IF_ERROR(desk_->BeginEpoch(decision.epoch, decision.epoch <= sink_committed_));
  }
  int64_t offsets = 0;
  for (const state::SplitRange& range : decision.ranges) offsets += range.to - range.from;
  const bool side_by_side = offsets >= kOffsetsWorthThreads;
  for (auto& source : sources_) source->Prepare(decision);
  auto read_own_splits = [&](size_t shard) -> Status {
    for (const state::SplitRange& range : decision.ranges) {
      SourceReader& source = *sources_[static_cast<size_t>(range.source)];
      if (source.OwnerOf(range.split) != shard) continue;
      const StageClock::At at(shards_->clock(shard), static_cast<size_t>(range.source));
      MR_RETURN_IF_ERROR(source.Read(range, decision.clock_us));
    }
    return Status::Ok();
  };
  MR_RETURN_IF_ERROR(shards_->ForEach(read_own_splits, side_by_side));
  const bool moved = MoveFrontiers(decision);
  MR_RETURN_IF_ERROR(shards_->FinishEpoch(frontiers_, moved, side_by_side));
  if (desk_) {
    MR_RETURN_IF_ERROR(desk_->failure());
    MR_RETURN_IF_ERROR(WithRetry([&] { return desk_->Sync(); }));
  }
  epoch_ = decision.epoch;
  {
    const StageClock::At at(shards_->clock(0), shards_->clock(0).sink_stage());
    for (auto& end : sink_ends_) end->Deliver();
  }
  for (auto& end : sink_ends_) MR_RETURN_IF_ERROR(end->failure);
  AccountEpoch(decision);
  return Status::Ok();
}

bool Job::MoveFrontiers(const state::Decision& decision) {
  const bool ticked = compiled_->plan.needs_ticks && decision.clock_us > frontiers_.back();
  frontiers_.back() = std::max(frontiers_.back(), decision.clock_us);
  const stream::Frontiers before = frontiers_;
  model::EventTime awake = model::kTimeMin;  // the highest of the tables that may still send
  model::EventTime highest = model::kTimeMin;
  for (size_t i = 0; i < sources_.size(); i++) {
    frontiers_[i] = std::max(frontiers_[i], sources_[i]->Advance(decision));
    if (frontiers_[i] == model::kTimeMax) continue;
    highest = std::max(highest, frontiers_[i]);
    if (!sources_[i]->WhollyIdle()) awake = std::max(awake, frontiers_[i]);
  }
  // A table that is idle as a whole holds no join or union back; when all are, none does.
  if (awake == model::kTimeMin) awake = highest;
  for (size_t i = 0; i < sources_.size(); i++) {
    if (!sources_[i]->has_event_time() || !sources_[i]->WhollyIdle()) continue;
    sources_[i]->RaiseFrontier(awake);
    frontiers_[i] = std::max(frontiers_[i], awake);
  }
  return ticked || frontiers_ != before;
}

int64_t Job::RowsWritten() const {
  int64_t rows = 0;
  for (const auto& end : sink_ends_) rows += end->written;
  return rows;
}

int64_t Job::RowsOut() const {
  int64_t rows = 0;
  for (const auto& end : sink_ends_) rows += end->rows_out;
  return rows;
}

int64_t Job::RowsDelivered() const {
  int64_t rows = 0;
  for (const auto& end : sink_ends_) rows += end->delivered;
  return rows;
}

// The letters come after the sink: only then it is settled, and remembered by the sink, which rows
// its target took. After a crash in between the epoch runs again for its letters alone.
Status Job::CommitEpoch(model::Epoch epoch, bool flush) {
  MR_RETURN_IF_ERROR(CommitSink(epoch, flush));
  MR_RETURN_IF_ERROR(CommitLetters(epoch));
  return CommitLedger();
}

Status Job::CommitSink(model::Epoch epoch, bool flush) {
  if (!sink_ || RowsWritten() == 0) return Status::Ok();
  if (sink_->GathersEpochs() && !flush && !sink_->WantsCommit()) return Status::Ok();
  const StageClock::At at(shards_->clock(0), shards_->clock(0).sink_stage());
  MR_RETURN_IF_ERROR(WithRetry([&] { return sink_->Commit(epoch); }));
  for (auto& end : sink_ends_) end->written = 0;
  sink_committed_ = epoch;
  {
    std::lock_guard<std::mutex> lock(status_mutex_);
    status_.last_commit_ms = clock_->WallMicros() / 1000;
  }
  if (options_.on_commit) options_.on_commit(compiled_->sink->name);
  return Status::Ok();
}

void Job::AddRejectedLetters(model::Epoch epoch, std::vector<model::DeadLetter>& letters) const {
  if (!sink_ || epoch != sink_committed_ || epoch <= letters_committed_) return;
  for (const connectors::RejectedRow& rejected : sink_->Rejected().rows) {
    model::DeadLetter& letter = letters.emplace_back();
    letter.time_ms = letters_[0]->clock_ms;
    letter.stage = "sink";
    letter.job = compiled_->name;
    letter.table = compiled_->sink->name;
    letter.kind = model::RowErrorKind::kRejected;
    letter.column = rejected.column;
    letter.reason = rejected.reason;
    letter.payload = rejected.row;
  }
}

Status Job::CommitLetters(model::Epoch epoch) {
  std::vector<model::DeadLetter> letters;
  for (auto& shard : letters_) {
    std::move(shard->pending.begin(), shard->pending.end(), std::back_inserter(letters));
    shard->pending.clear();
  }
  AddRejectedLetters(epoch, letters);
  if (options_.knows_letter) std::erase_if(letters, options_.knows_letter);
  if (letters.empty()) return Status::Ok();
  if (!letter_sink_) {
    for (const model::DeadLetter& letter : letters) {
      diag::Warn("dead letter {}", letter.ToJson());
    }
    letters_committed_ = epoch;
    return Status::Ok();
  }
  if (epoch <= letters_committed_) return Status::Ok();
  duckdb::DataChunk rows;
  rows.Initialize(duckdb::Allocator::DefaultAllocator(), {duckdb::LogicalType::VARCHAR});
  for (size_t i = 0; i < letters.size();) {
    rows.Reset();
    duckdb::idx_t count = 0;
    for (; i < letters.size() && count < STANDARD_VECTOR_SIZE; i++, count++) {
      rows.data[0].SetValue(count, duckdb::Value(letters[i].ToJson()));
    }
    rows.SetCardinality(count);
    MR_RETURN_IF_ERROR(letter_sink_->Write({&rows, nullptr}));
  }
  MR_RETURN_IF_ERROR(WithRetry([&] { return letter_sink_->Commit(epoch); }));
  letters_committed_ = epoch;
  return Status::Ok();
}

Status Job::Finish() {
  MR_RETURN_IF_ERROR(CommitEpoch(epoch_, true));
  MR_RETURN_IF_ERROR(Checkpoint());
  // That the last entry ends here is no function of the decisions: the state has to say it first.
  ledger_->Close();
  if (!ledger_->ended().empty()) MR_RETURN_IF_ERROR(Save());
  MR_RETURN_IF_ERROR(CommitLedger());
  if (ledger_sink_) MR_RETURN_IF_ERROR(ledger_sink_->Close());
  if (sink_) MR_RETURN_IF_ERROR(sink_->Close());
  return letter_sink_ ? letter_sink_->Close() : Status::Ok();
}

Status Job::WithRetry(const std::function<Status()>& action) {
  for (int attempt = 0;; attempt++) {
    Status status = duck::AtTheDoor(action);
    if (status.ok()) {
      if (attempt > 0) Publish(JobState::kRunning);
      return status;
    }
    if (status.retry() == Retry::kNever || stop_) return status;
    PublishError(JobState::kFailing, status);
    if (attempt == 0) {
      diag::Warn("job retries job={} error=\"{}\"", compiled_->name, status.message());
    }
    Sleep(std::min<int64_t>(5'000'000, 50'000LL << std::min(attempt, 7)));
  }
}

void Job::Sleep(int64_t micros) {
  int64_t until = clock_->MonotonicMicros() + micros;
  for (int64_t now = clock_->MonotonicMicros(); now < until && !stop_;
       now = clock_->MonotonicMicros()) {
    std::this_thread::sleep_for(std::chrono::microseconds(std::min<int64_t>(until - now, 50'000)));
  }
}

void Job::RequestStop() {
  stop_ = true;
  for (auto& source : sources_) source->Interrupt();
}

bool Job::AllEnded() const {
  return std::all_of(sources_.begin(), sources_.end(), [](const auto& s) { return s->Ended(); });
}

void Job::PublishError(JobState state, const Status& error) {
  std::lock_guard<std::mutex> lock(status_mutex_);
  if (status_.error.ok()) status_.error_since_ms = clock_->WallMicros() / 1000;
  status_.state = state;
  status_.error = error;
}

void Job::Publish(JobState state) {
  // A picture every 50 ms is enough for people, and gathering one costs more than a small epoch.
  int64_t now = clock_->MonotonicMicros();
  JobStatus next;
  {
    std::lock_guard<std::mutex> lock(status_mutex_);
    if (state == status_.state && now - last_publish_us_ < 50'000) return;
    next = status_;
  }
  last_publish_us_ = now;
  next.state = state;
  next.error = Status();
  next.epoch = epoch_;
  next.checkpoint_epoch = store_->epoch();
  next.sources.clear();
  next.rows_in = next.rows_late = next.rows_filtered = next.rows_dead_lettered = 0;
  next.state_rows = next.state_bytes = next.lag_rows = 0;
  next.frontier = model::kTimeMax;
  bool timed = false;
  std::vector<TableDrift> drift;
  for (auto& source : sources_) {
    SourceStatus status;
    status.table = source->table_name();
    const auto& options = compiled_->sources[next.sources.size()].binding.options;
    if (auto topic = options.find("topic"); topic != options.end()) status.topic = topic->second;
    status.in_log = source->reads_embedded_log();
    status.rows_in = source->counters().rows_in;
    status.dead_lettered = source->counters().dead_lettered;
    status.dropped = source->counters().dropped;
    status.warned = source->counters().warned;
    for (const SplitState& split : source->splits()) {
      status.lag_rows += split.behind;
      status.splits.push_back({split.id, split.first, split.next});
    }
    status.frontier = source->frontier();
    TableDrift found{status.table, status.topic, source->drift()};
    if (!found.fields.empty()) drift.push_back(std::move(found));
    if (source->has_event_time()) {
      timed = true;
      next.frontier = std::min(next.frontier, status.frontier);
    }
    next.rows_in += status.rows_in;
    next.rows_dead_lettered += status.dead_lettered;
    next.rows_filtered += status.dropped;
    next.lag_rows += status.lag_rows;
    next.sources.push_back(std::move(status));
  }
  if (!timed) next.frontier = model::kTimeMin;
  for (size_t s = 0; s < shards_->size(); s++) {
    for (const auto& op : shards_->plan(s).operators) {
      next.state_rows += op->stats().state_rows;
      next.state_bytes += op->stats().state_bytes;
    }
  }
  next.rows_rejected = sink_ ? sink_->Rejected().total : 0;
  next.rows_late += ledger_->Sum(Count::kLate, sources_.size());
  next.rows_filtered += ledger_->Sum(Count::kFiltered, sources_.size());
  next.rows_dead_lettered += ledger_->Sum(Count::kFailed, sources_.size());
  next.stages = ledger_->total().stages;
  next.stage_loads = GatherLoads();
  next.stages_since = ledger_->total().from_epoch;
  next.rows_missing = ledger_->missing();
  next.ledger_gap = ledger_->total().gaps.empty() ? "" : ledger_->total().gaps[0].Text();
  next.rows_out = RowsOut();
  next.rows_per_second = Rate();
  std::vector<double> sorted(latencies_ms_.begin(), latencies_ms_.end());
  if (!sorted.empty()) {
    std::sort(sorted.begin(), sorted.end());
    next.latency_p50_ms = sorted[sorted.size() / 2];
    next.latency_p99_ms = sorted[std::min(sorted.size() - 1, sorted.size() * 99 / 100)];
  }
  next.epochs = epochs_run_;
  next.epoch_seconds = static_cast<double>(busy_us_) / 1e6;
  next.checkpoint_ms = static_cast<double>(checkpoint_us_max_) / 1000;
  std::lock_guard<std::mutex> lock(status_mutex_);
  status_ = std::move(next);
  drift_ = std::move(drift);
}

std::vector<TableDrift> Job::drift() const {
  std::lock_guard<std::mutex> lock(status_mutex_);
  return drift_;
}

JobStatus Job::status() const {
  std::lock_guard<std::mutex> lock(status_mutex_);
  return status_;
}

std::vector<LookupStatus> Job::lookups() const {
  return desk_ ? desk_->Statuses() : std::vector<LookupStatus>();
}

}  // namespace millrace::job
