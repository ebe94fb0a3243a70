// Job: a running pipeline: sources -> operators -> sink, epoch by epoch.
//
//   ┌► decide   poll the sources; offsets, clock and idle splits become the decision
//   │  log      the decision is appended and synced: durable before any output commits
//   │  run      read the ranges, process, ask other systems, move the frontier, close windows;
//   │           what they answered is journaled and synced
//   │  commit   the sink makes the epoch's rows visible and remembers its number and what its
//   │           target refused; then the epoch's dead letters are written, those rows among them
//   └─ checkpoint, when it is time: what changed in the state is gathered, and becomes durable
//               beside the next epochs; then decisions that it makes unnecessary are forgotten
//
// Recovery: load the last checkpoint, run the decided epochs again, skip the output of epochs that
// the sink already has, go on. Since an epoch is a pure function of state and decision, every row
// reaches the sink exactly once (given an exactly-once sink).
//
// Contract: Run's caller does the work, with a thread for each further shard; status() and
// RequestStop() may be called from any thread. Errors with a retry hint are retried with backoff,
// for ever, while status() says "failing"; other errors end the job.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "env/files.h"
#include "format/drift.h"
#include "job/compiled_job.h"
#include "job/ledger.h"
#include "job/lookup_desk.h"
#include "job/shard_runner.h"
#include "job/source_reader.h"
#include "state/answer_journal.h"
#include "state/decision_log.h"
#include "state/state_store.h"

namespace millrace::job {

enum class JobState {
  kStarting,
  kRunning,
  kCatchingUp,
  kIdle,
  kFailing,
  kFinished,
  kStopped,
  kFailed
};
const char* JobStateName(JobState state);  // "running", "catching_up", ...

// How far a split of a table was read.
struct SplitPosition {
  std::string split;
  model::Offset from = -1;  // where the job began; -1: its state is too old to say
  model::Offset to = 0;     // first offset not read
};

// All that a job has read when it is between two epochs.
struct JobPosition {
  model::Epoch epoch = 0;
  model::Epoch text_since = 0;  // epochs up to this one were another query's; 0: none
  std::vector<std::vector<SplitPosition>> sources;  // as CompiledJob::sources
  std::vector<model::EventTime> frontiers;          // of the sources, then the clock
};

struct SourceStatus {
  std::string table;
  std::vector<SplitPosition> splits;
  std::string topic;    // "" when it is none
  bool in_log = false;  // the topic is one of the embedded log
  int64_t rows_in = 0;
  int64_t dead_lettered = 0;
  int64_t dropped = 0;
  int64_t warned = 0;
  int64_t lag_rows = 0;
  model::EventTime frontier = model::kTimeMin;
};

// Fields of a table's records that it does not declare, since the job was opened.
struct TableDrift {
  std::string table;
  std::string topic;  // "" when it is none
  std::vector<format::FieldDrift> fields;
};

// What a stage costs.
struct StageLoad {
  double busy_seconds = 0;  // since the job was started, over its shards; waiting included
  int64_t state_rows = 0;
  int64_t state_bytes = 0;
};

// A consistent picture of the job, as of its last epoch.
struct JobStatus {
  std::string name;
  JobState state = JobState::kStarting;
  std::string sink_table;
  model::Epoch epoch = 0;
  model::Epoch checkpoint_epoch = 0;
  std::vector<SourceStatus> sources;
  int64_t rows_in = 0;
  int64_t rows_out = 0;
  int64_t rows_late = 0;
  int64_t rows_filtered = 0;
  int64_t rows_dead_lettered = 0;  // decode, checks, event time, failed expressions (not late)
  int64_t rows_rejected = 0;       // by the sink's target; dead letters, too
  int64_t state_rows = 0;
  int64_t state_bytes = 0;
  int64_t lag_rows = 0;
  model::EventTime frontier = model::kTimeMin;  // lowest over sources with event time
  double rows_per_second = 0;                   // while it works; 0: not known
  double latency_p50_ms = 0;                    // of an epoch: from its decision to its commit
  double latency_p99_ms = 0;
  int64_t epochs = 0;        // since the job was started
  double epoch_seconds = 0;  // of all of them: from the decision to the commit
  double checkpoint_ms = 0;  // the longest since the job started: how long it held the job up
  Status error;              // why it is failing or failed
  int64_t error_since_ms = 0;
  int64_t last_commit_ms = 0;
  std::string guarantee;
  std::string state_freed_by;
  std::vector<StageEntry> stages;      // sources, operators, sink: since their ledger began
  model::Epoch stages_since = 0;       // epoch
  std::vector<StageLoad> stage_loads;  // of each of `stages`
  int64_t rows_missing = 0;            // that do not add up; 0: the ledger closes
  std::string ledger_gap;              // the first that was found; "": none
};

struct JobOptions {
  std::string state_directory;  // "": state in memory (one-shot runs)
  env::FileSystem* files = nullptr;
  connectors::Services services;
  // Gets the rows of a SELECT (a job without sink).
  std::function<void(duckdb::DataChunk& rows, const int32_t* weights)> on_rows;
  // Dead letters that it knows were written before, by another version of the job; may be null.
  std::function<bool(const model::DeadLetter& letter)> knows_letter;
  // Answers what the job's lookups ask, instead of their systems; may be null. Outlives the job.
  stream::Asker* asker = nullptr;
  // Called after each commit that wrote rows, with the sink table's name.
  std::function<void(const std::string& table)> on_commit;
};

// What a Step is told beside what the sources have.
struct StepOptions {
  // By table: no row before this time is waited for any more. Lower ones than those reached before
  // change nothing; kTimeMax closes everything that time can close.
  std::map<std::string, model::EventTime> promises = {};
  // False: the decision is durable and the rows are with the sink, then the step ends, as if the
  // process had died there. Only the destructor may follow.
  bool commit = true;
  // False: the sink has committed, and the step ends before the epoch's dead letters are written.
  bool letters = true;
};

constexpr const char* kDeadLetterTopic = "millrace.dead-letters";

class Job {
 public:
  // A source or sink that does not answer now is opened by Run or Recover; until then the job is
  // "failing".
  // Errors: a state that belongs to another version of the query (kFailedPrecondition, with what
  // to do), or whatever sources, sink and state report.
  static Result<std::unique_ptr<Job>> Open(std::unique_ptr<CompiledJob> compiled,
                                           JobOptions options);
  ~Job();

  // Runs until the sources end, RequestStop, or an error that no retry mends.
  Status Run();
  void RequestStop();

  // From another thread: has the job's thread call `body` between two epochs, when all output is
  // committed; it goes on when `body` returns. After the job has ended `body` runs on the caller's
  // thread. Errors: those of `body`; kUnavailable when no epoch ends within 30 s (the sink is away,
  // say); kFailedPrecondition when the job has failed.
  Status AtBoundary(const std::function<Status(const JobPosition& position)>& body);

  // For who drives the job himself, in one thread, instead of Run: Recover once, then Step until it
  // says false, which means that there was nothing to do. The clock of the services then only
  // counts, nothing waits for it. Its destructor leaves behind what
  // a crash does.
  Status Recover();
  Result<bool> Step(const StepOptions& options = {});
  // What changed in the state becomes durable, and older decisions are forgotten. Waits for it.
  Status Checkpoint();

  JobStatus status() const;
  // What it asks other systems, as of now: also while an epoch waits for an answer. Any thread.
  std::vector<LookupStatus> lookups() const;
  // As of the last epoch; tables without any are left out. Any thread.
  std::vector<TableDrift> drift() const;
  // Of the state that was found when it was opened: kNew, kSame or kKeeps.
  const StateFit& fit() const { return fit_; }
  const CompiledJob& compiled() const { return *compiled_; }
  std::string explain() const { return explain_; }

 private:
  class SinkEnd;
  class Letters;
  Job(std::unique_ptr<CompiledJob> compiled, JobOptions options);
  Status Start();
  Status ResultsWithoutState() const;
  Status OpenPlans();
  std::unique_ptr<LookupDesk> NewLookupDesk();
  Status MakeSink();
  Status Connect();     // finds the splits and opens the sink: what may have to wait for others
  Status CheckStart();  // the last step of Start, once connected
  Status OpenDeadLetters();
  Result<bool> DecideNext(state::Decision& decision);
  bool NeedsTick(const state::Decision& decision) const;
  Status RunEpoch(const state::Decision& decision);
  // Whether `status` only says that another system did not answer before the job was told to stop:
  // the epoch then runs again at the next start.
  bool StoppedWaiting(const Status& status) const;
  bool MoveFrontiers(const state::Decision& decision);  // whether any moved
  Status CommitEpoch(model::Epoch epoch, bool flush);
  Status CommitSink(model::Epoch epoch, bool flush);
  Status CommitLetters(model::Epoch epoch);
  // Of what the sink's target refused of `epoch`.
  void AddRejectedLetters(model::Epoch epoch, std::vector<model::DeadLetter>& letters) const;
  Status OpenLedger();
  std::vector<StageCounts> GatherCounts() const;
  std::vector<StageLoad> GatherLoads() const;
  void AccountEpoch(const state::Decision& decision);
  Status CommitLedger();
  int64_t RowsRead() const;
  Status BeginCheckpoint();   // gathers what changed; it is written while the job goes on
  Status FinishCheckpoint();  // waits for the one under way, if any
  void WriteState(state::StateWriter& writer);
  Status Save();  // the first checkpoint, before the job runs
  Status WithRetry(const std::function<Status()>& action);
  Status Finish();
  void Publish(JobState state);
  void PublishError(JobState state, const Status& error);
  void Sleep(int64_t micros);
  void WaitForInput(uint64_t seen_commits);
  bool AllEnded() const;
  Status RunToEnd();
  JobPosition Position() const;
  double Rate() const;            // records per second of work
  Status ServeBoundary();         // calls the waiting body, if any
  Status FitState();              // whether the state found is this query's
  int64_t RowsWritten() const;    // to the sink, since the last commit
  int64_t RowsOut() const;        // since the job began
  int64_t RowsDelivered() const;  // of those: with the sink

  std::unique_ptr<CompiledJob> compiled_;
  JobOptions options_;
  std::string explain_;
  env::Clock* clock_;
  std::vector<std::unique_ptr<Letters>> letters_;  // by shard
  std::unique_ptr<state::StateStore> store_;
  std::unique_ptr<state::DecisionLog> decisions_;
  std::unique_ptr<state::AnswerJournal> answers_;  // null: no lookups, or state in memory
  std::unique_ptr<LookupDesk> desk_;               // null: no lookups
  std::vector<std::unique_ptr<SourceReader>> sources_;
  std::unique_ptr<connectors::Sink> sink_;
  bool connected_ = false;
  std::unique_ptr<connectors::Sink> letter_sink_;
  std::unique_ptr<connectors::Sink> ledger_sink_;  // null: no log, or state in memory
  std::unique_ptr<Ledger> ledger_;
  std::vector<StageCounts> counts_at_open_;
  std::string ledger_run_;
  std::vector<std::unique_ptr<SinkEnd>> sink_ends_;  // by shard
  std::unique_ptr<ShardRunner> shards_;              // its threads end before what they use
  stream::Frontiers frontiers_;  // of the sources, then the clock of the last epoch
  model::Epoch epoch_ = 0;
  model::Epoch sink_committed_ = 0;
  model::Epoch letters_committed_ = 0;
  struct CheckpointUnderWay {
    bool under_way = false;
    model::Epoch epoch = 0;
    int64_t rows = 0;      // read since the one before
    int64_t pause_us = 0;  // how long the job was held up for it
  };
  CheckpointUnderWay checkpoint_;
  int64_t last_checkpoint_us_ = 0;  // when it was begun
  model::Epoch ledger_committed_ = 0;
  int64_t checkpoint_us_max_ = 0;
  int64_t checkpoint_rows_ = 200'000;  // after so many rows it is time for one, whatever the clock
  int64_t rows_at_checkpoint_ = 0;
  int64_t checkpoint_not_before_us_ = 0;
  int64_t last_refresh_us_ = 0;
  int64_t last_epoch_start_us_ = 0;
  int64_t last_publish_us_ = 0;
  int64_t state_limit_ = 0;  // bytes that this job gave the process's state; 0: no limit
  StateFit fit_;
  model::Epoch text_since_ = 0;
  int64_t busy_us_ = 0;          // in epochs of this run
  int64_t epochs_run_ = 0;       // how many these are
  int64_t rows_before_run_ = 0;  // read before it
  double saved_rate_ = 0;        // rows per second of the run before
  std::string idle_signature_;
  std::deque<double> latencies_ms_;
  std::atomic<bool> stop_{false};
  // One caller of AtBoundary at a time hands over its body.
  std::mutex callers_mutex_;
  std::mutex boundary_mutex_;
  std::condition_variable boundary_done_;
  const std::function<Status(const JobPosition&)>* boundary_body_ = nullptr;
  std::optional<Status> boundary_result_;
  std::atomic<bool> boundary_wanted_{false};
  bool run_ended_ = false;  // before Run its position is not that of the sink
  mutable std::mutex status_mutex_;
  JobStatus status_;
  std::vector<TableDrift> drift_;
};

}  // namespace millrace::job
