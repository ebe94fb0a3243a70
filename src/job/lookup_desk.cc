#include "job/lookup_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "duck/door.h"
#include "env/diag.h"
#include "job/circuit_breaker.h"
#include "stream/columns.h"
#include "stream/lookup_answer.h"
#include "stream/row_codec.h"

namespace millrace::job {

namespace {

constexpr int64_t kFirstPause = 50'000;
constexpr int64_t kPauseMax = 2'000'000;
constexpr int64_t kStep = 50'000;  // how soon a stop, or an open circuit that closes, is noticed

int64_t PauseAfter(int64_t attempts) {
  return std::min(kPauseMax, kFirstPause << std::min<int64_t>(attempts, 10));
}

bool IsMissing(const stream::LookupAnswer& answer) {
  return answer.kind == stream::AnswerKind::kRows && answer.count == 0;
}

// Encodes what a connector finds.
class Answers : public connectors::LookupOutput {
 public:
  Answers(stream::RowCodec& codec, const std::vector<size_t>& wanted, size_t first,
          std::vector<std::string>& responses)
      : codec_(codec),
        columns_(stream::FirstColumns(codec.types().size())),
        wanted_(wanted),
        first_(first),
        responses_(responses) {}

  void OnRows(duckdb::DataChunk& rows, const std::vector<uint32_t>& keys) override {
    if (!columns_.empty()) codec_.Bind(rows, columns_);
    for (uint32_t row = 0; row < keys.size(); row++) {
      std::string& response = responses_[wanted_[first_ + keys[row]]];
      if (stream::LookupAnswer::Read(response).kind == stream::AnswerKind::kBad) continue;
      stream::LookupAnswer::AddRow(response, columns_.empty() ? "" : codec_.Encode(row));
    }
  }
  void OnBad(uint32_t key, const std::string& why) override {
    responses_[wanted_[first_ + key]] = stream::LookupAnswer::Bad(why);
  }
  void OnVersion(const std::string& version) override { version_ = version; }

  // Once all `count` answers are there.
  LookupMeter::Outcome Finish(size_t count) {
    LookupMeter::Outcome outcome;
    outcome.keys = static_cast<int64_t>(count);
    outcome.version = version_;
    for (size_t i = 0; i < count; i++) {
      std::string& response = responses_[wanted_[first_ + i]];
      const stream::LookupAnswer answer = stream::LookupAnswer::Read(response);
      outcome.missing += IsMissing(answer);
      outcome.unusable += answer.kind == stream::AnswerKind::kBad;
      if (!version_.empty()) response = stream::LookupAnswer::WithVersion(version_, response);
    }
    return outcome;
  }

 private:
  stream::RowCodec& codec_;
  std::vector<duckdb::idx_t> columns_;
  const std::vector<size_t>& wanted_;  // which of the requests are asked
  size_t first_;                       // of them is the first of this chunk
  std::vector<std::string>& responses_;
  std::string version_;
};

}  // namespace

// What the shards share of one table.
struct LookupDesk::Station {
  Station(int64_t failures, int64_t pause_us) : circuit(failures, pause_us) {}
  CircuitBreaker circuit;
  LookupMeter meter;
  std::mutex mutex;  // of last_error
  Status last_error;
};

// One lookup join of one shard.
struct LookupDesk::Table {
  Table(const duckdb::vector<duckdb::LogicalType>& key_types,
        const duckdb::vector<duckdb::LogicalType>& answer_types)
      : key_codec(key_types), answer_codec(answer_types) {
    keys.Initialize(duckdb::Allocator::DefaultAllocator(), key_types);
  }
  std::string job;
  std::string name;
  Station* station = nullptr;
  std::unique_ptr<connectors::Lookup> lookup;
  bool open = false;
  stream::RowCodec key_codec;
  stream::RowCodec answer_codec;
  duckdb::DataChunk keys;
  int64_t retry_missing_us = 0;
};

LookupDesk::LookupDesk(env::Clock& clock, state::AnswerJournal* journal, Events events)
    : clock_(clock), journal_(journal), events_(std::move(events)) {}
LookupDesk::~LookupDesk() = default;

Status LookupDesk::Add(const CompiledJob& job, const stream::JobPlan& plan,
                       const connectors::Services& services) {
  for (const stream::LookupUse& use : plan.lookups) {
    const LookupTable& source = job.lookups.at(use.table);
    connectors::TableContext context;
    context.name = use.table;
    context.schema = source.table->schema;
    context.primary_key = source.table->primary_key;
    context.options = source.options;
    context.job = job.name;
    context.services = services;
    connectors::LookupQuery query;
    auto physical = [&](const std::vector<size_t>& columns, std::vector<size_t>& out,
                        duckdb::vector<duckdb::LogicalType>& types) {
      for (size_t c : columns) {
        out.push_back(static_cast<size_t>(source.base_column[c]));
        types.push_back(source.columns.columns[c].type);
      }
    };
    duckdb::vector<duckdb::LogicalType> key_types;
    duckdb::vector<duckdb::LogicalType> answer_types;
    physical(use.keys, query.keys, key_types);
    physical(use.columns, query.columns, answer_types);
    auto table = std::make_unique<Table>(key_types, answer_types);
    table->job = job.name;
    table->name = use.table;
    table->retry_missing_us = source.retry_missing_us;
    auto& station = stations_[use.table];
    if (!station) {
      station = std::make_unique<Station>(source.circuit_failures, source.circuit_pause_us);
    }
    table->station = station.get();
    auto made = source.binding.connector->new_lookup(context, query);
    if (!made.ok()) return std::move(made).status().At(source.table->span);
    table->lookup = std::move(*made);
    tables_[use.asker] = std::move(table);
  }
  return Status::Ok();
}

Status LookupDesk::BeginEpoch(model::Epoch epoch, bool committed) {
  epoch_ = epoch;
  committed_ = committed;
  return journal_ ? journal_->BeginEpoch(epoch) : Status::Ok();
}

Status LookupDesk::failure() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return failure_;
}

std::vector<LookupStatus> LookupDesk::Statuses() const {
  std::vector<LookupStatus> statuses;
  for (const auto& [name, station] : stations_) {
    statuses.push_back(station->meter.Status(clock_.MonotonicMicros()));
    statuses.back().name = name;
    statuses.back().circuit = CircuitStateName(station->circuit.state());
  }
  return statuses;
}

Status LookupDesk::Fail(Status status) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (failure_.ok()) failure_ = status;
  return status;
}

Status LookupDesk::Ask(uint32_t asker, const stream::EncodedKeys& requests,
                       std::vector<std::string>& responses) {
  Table& table = *tables_.at(asker);
  if (journal_ && (journal_->Replays() || committed_)) {
    return FromJournal(asker, table, requests, responses);
  }
  std::vector<size_t> wanted(requests.size());
  for (size_t i = 0; i < wanted.size(); i++) wanted[i] = i;
  responses.resize(requests.size());
  MR_RETURN_IF_ERROR(FromSystem(table, requests, wanted, responses));
  MR_RETURN_IF_ERROR(AskAgainWhereMissing(table, requests, responses));
  if (!journal_) return Status::Ok();
  const int64_t now_us = clock_.WallMicros();
  for (size_t i = 0; i < requests.size(); i++) {
    journal_->Add(asker, now_us, requests[i], responses[i]);
  }
  return Status::Ok();
}

Status LookupDesk::FromJournal(uint32_t asker, const Table& table,
                               const stream::EncodedKeys& requests,
                               std::vector<std::string>& responses) {
  responses.clear();
  for (size_t i = 0; i < requests.size(); i++) {
    const auto response = journal_->Find(asker, requests[i]);
    if (!response) {
      return Fail(Status(Code::kCorruption,
                         fmt::format("job \"{}\": the journal lacks an answer of table \"{}\" that "
                                     "epoch {} was computed with",
                                     table.job, table.name, epoch_))
                      .WithHint("put the lookup options of that table back as they were when the "
                                "job died; else the journal's file was damaged or removed"));
    }
    responses.emplace_back(*response);
  }
  return Status::Ok();
}

Status LookupDesk::FromSystem(Table& table, const stream::EncodedKeys& requests,
                              const std::vector<size_t>& wanted,
                              std::vector<std::string>& responses) {
  const std::vector<duckdb::idx_t> columns = stream::FirstColumns(table.key_codec.types().size());
  const size_t keys_max = table.lookup->keys_max();
  for (size_t first = 0; first < wanted.size(); first += keys_max) {
    const size_t count = std::min(wanted.size() - first, keys_max);
    table.keys.Reset();
    for (size_t i = 0; i < count; i++) {
      table.key_codec.Decode(requests[wanted[first + i]], table.keys, columns, i);
    }
    table.keys.SetCardinality(count);
    auto ask = [&]() -> Result<LookupMeter::Outcome> {
      Answers answers(table.answer_codec, wanted, first, responses);
      // Half of an answer may be there from a failed attempt.
      for (size_t i = 0; i < count; i++) {
        responses[wanted[first + i]] = stream::LookupAnswer::Nothing();
      }
      if (!table.open) {
        Status opened = table.lookup->Open();
        if (!opened.ok()) return opened;
        table.open = true;
      }
      MR_RETURN_IF_ERROR(table.lookup->Ask(table.keys, answers));
      return answers.Finish(count);
    };
    MR_RETURN_IF_ERROR(UntilAnswered(table, ask));
  }
  return Status::Ok();
}

// Until it may be asked.
Status LookupDesk::WaitForCircuit(Station& station) {
  while (!station.circuit.MayAsk(clock_.MonotonicMicros())) {
    if (events_.stopping()) {
      std::lock_guard<std::mutex> lock(station.mutex);
      return Fail(station.last_error);
    }
    Sleep(kStep);
  }
  return Status::Ok();
}

Status LookupDesk::UntilAnswered(Table& table,
                                 const std::function<Result<LookupMeter::Outcome>()>& ask) {
  Station& station = *table.station;
  for (int64_t failures = 0;;) {
    MR_RETURN_IF_ERROR(WaitForCircuit(station));
    const int64_t begun_us = clock_.MonotonicMicros();
    station.meter.Begin(begun_us);
    auto outcome = duck::AtTheDoor(ask);
    const int64_t now_us = clock_.MonotonicMicros();
    if (outcome.ok()) {
      station.meter.Answered(begun_us, now_us, std::move(*outcome));
      station.circuit.OnAnswer();
      if (failures > 0) {
        events_.answering();
        diag::Info("lookup answers again job={} table={} failures={}", table.job, table.name,
                   failures);
      }
      return Status::Ok();
    }
    const Status& status = outcome.status();
    station.meter.Failed(begun_us, now_us);
    {
      std::lock_guard<std::mutex> lock(station.mutex);
      station.last_error = status;
    }
    const bool opened = station.circuit.OnFailure(now_us);
    if (status.retry() == Retry::kNever) return Fail(status);
    failures++;
    events_.failing(status);
    if (failures == 1 || opened) {
      diag::Warn("lookup {} job={} table={} failures={} error=\"{}\"",
                 opened ? "pauses" : "retries", table.job, table.name, failures, status.message());
    }
    if (!opened) Sleep(PauseAfter(failures - 1));
    if (events_.stopping()) return Fail(status);
  }
}

Status LookupDesk::AskAgainWhereMissing(Table& table, const stream::EncodedKeys& requests,
                                        std::vector<std::string>& responses) {
  const int64_t until_us = clock_.MonotonicMicros() + table.retry_missing_us;
  for (int64_t attempt = 0;; attempt++) {
    std::vector<size_t> missing;
    for (size_t i = 0; i < responses.size(); i++) {
      if (IsMissing(stream::LookupAnswer::Read(responses[i]))) missing.push_back(i);
    }
    const int64_t left_us = until_us - clock_.MonotonicMicros();
    if (missing.empty() || left_us <= 0) return Status::Ok();
    Sleep(std::min(left_us, PauseAfter(attempt)));
    if (events_.stopping()) {
      return Fail(Status(Code::kUnavailable,
                         fmt::format("job \"{}\" was told to stop while it waited for keys that "
                                     "table \"{}\" lacks",
                                     table.job, table.name))
                      .WithRetry(Retry::kBackoff));
    }
    MR_RETURN_IF_ERROR(FromSystem(table, requests, missing, responses));
  }
}

void LookupDesk::Sleep(int64_t micros) {
  const int64_t until = clock_.MonotonicMicros() + micros;
  for (int64_t now = clock_.MonotonicMicros(); now < until && !events_.stopping();
       now = clock_.MonotonicMicros()) {
    std::this_thread::sleep_for(std::chrono::microseconds(std::min(until - now, kStep)));
  }
}

}  // namespace millrace::job
