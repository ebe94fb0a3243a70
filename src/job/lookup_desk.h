// LookupDesk: answers what the lookup joins of a job ask: from the journal when an epoch runs
// again, else from the tables' systems; then the answers are journaled.
//
// A system that fails is asked again, with growing pauses; after some failures in a row nobody asks
// it for a while, then one question tries (job/circuit_breaker.h), until it answers or the job is
// told to stop. The epoch waits meanwhile, so nothing is lost and nothing doubled.
//
// Contract: Ask on the shards' threads; Statuses on any; everything else on the job's, between
// epochs. After failure() is an error, the epoch is void and the desk of no further use.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "connectors/lookup.h"
#include "env/clock.h"
#include "job/compiled_job.h"
#include "job/lookup_meter.h"
#include "state/answer_journal.h"
#include "stream/asker.h"

namespace millrace::job {

class LookupDesk : public stream::Asker {
 public:
  struct Events {
    std::function<bool()> stopping;
    std::function<void(const Status&)> failing;  // a system does not answer; any thread
    std::function<void()> answering;             // it does again
  };
  // `journal`: null where nothing is kept (one-shot runs).
  LookupDesk(env::Clock& clock, state::AnswerJournal* journal, Events events);
  ~LookupDesk() override;

  // Makes the connector of each lookup of `plan` (a shard's copy); connects when first asked.
  Status Add(const CompiledJob& job, const stream::JobPlan& plan,
             const connectors::Services& services);
  // `committed`: the sink has this epoch, so its answers must be in the journal.
  Status BeginEpoch(model::Epoch epoch, bool committed);
  Status Ask(uint32_t asker, const stream::EncodedKeys& requests,
             std::vector<std::string>& responses) override;
  Status failure() const;
  // Of each table and service, by name.
  std::vector<LookupStatus> Statuses() const;
  // Answers of the running epoch become durable.
  Status Sync() { return journal_ ? journal_->Sync() : Status::Ok(); }

 private:
  struct Table;
  struct Station;
  Status FromJournal(uint32_t asker, const Table& table, const stream::EncodedKeys& requests,
                     std::vector<std::string>& responses);
  Status FromSystem(Table& table, const stream::EncodedKeys& requests,
                    const std::vector<size_t>& wanted, std::vector<std::string>& responses);
  Status UntilAnswered(Table& table, const std::function<Result<LookupMeter::Outcome>()>& ask);
  Status WaitForCircuit(Station& station);
  Status AskAgainWhereMissing(Table& table, const stream::EncodedKeys& requests,
                              std::vector<std::string>& responses);
  void Sleep(int64_t micros);
  Status Fail(Status status);

  env::Clock& clock_;
  state::AnswerJournal* journal_;
  Events events_;
  std::map<std::string, std::unique_ptr<Station>> stations_;  // by table
  std::map<uint32_t, std::unique_ptr<Table>> tables_;         // by asker
  model::Epoch epoch_ = 0;
  bool committed_ = false;
  mutable std::mutex mutex_;  // of failure_
  Status failure_;
};

}  // namespace millrace::job
