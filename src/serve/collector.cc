#include "serve/collector.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <unordered_map>

#include "base/strings.h"
#include "base/units.h"
#include "env/diag.h"
#include "log/internal_topics.h"
#include "registry/record_check.h"
#include "serve/event_splitter.h"
#include "serve/event_validator.h"
#include "serve/inflate.h"

namespace millrace::serve {

namespace {
// What one request needs while it is looked at; kept from request to request.
struct Scratch {
  std::shared_ptr<const TopicSchema> schema;  // the validator's
  std::unique_ptr<EventValidator> validator;
  std::vector<std::string_view> events;
  Verdict verdict;
  std::vector<std::vector<log::NewRecord>> by_partition;
  std::vector<model::DeadLetter> dead_letters;
};

struct TopicState {
  std::mutex mutex;
  std::shared_ptr<const TopicSchema> schema;
  bool known = false;  // `schema` was set (it may be null)
  std::vector<std::unique_ptr<Scratch>> free;
  std::atomic<uint32_t> turn{0};  // which partition takes the next request without keys
};

// Requests that wait for their events to become durable.
struct InFlight {
  std::atomic<int64_t> bytes{0};
  std::atomic<int64_t> events{0};
  std::mutex mutex;
  std::condition_variable none;
  int64_t requests = 0;
  CollectorObserver* observer = nullptr;
};

// One request after its events were handed to the log. The last callback answers.
struct Pending {
  Pending(Responder r, std::shared_ptr<InFlight> f, int parts)
      : responder(std::move(r)), in_flight(std::move(f)), remaining(parts) {}

  void Done(const Status& status) {
    if (!status.ok()) {
      std::lock_guard lock(mutex);
      if (failure.ok()) failure = status;
    }
    if (remaining.fetch_sub(1) == 1) Answer();
  }

  void Answer() {
    Response response;
    if (failure.ok()) {
      response.status = rejected == 0 ? 202 : 400;
      response.body = std::move(body);
    } else {
      int status = failure.code() == Code::kFailedPrecondition ? 503 : HttpStatusFor(failure);
      response = ErrorResponse(status, failure);
    }
    if (in_flight->observer) {
      bool ok = failure.ok();
      in_flight->observer->OnEvents(topic, ok ? accepted : 0, ok ? rejected : 0, ok ? bytes : 0);
    }
    // Room first, then the answer: the client's next request finds it.
    in_flight->events -= accepted + rejected;
    in_flight->bytes -= bytes;
    if (in_flight->observer) in_flight->observer->OnInFlight(-accepted - rejected, -bytes);
    responder.Send(std::move(response));
    std::lock_guard lock(in_flight->mutex);
    if (--in_flight->requests == 0) in_flight->none.notify_all();
  }

  Responder responder;
  std::shared_ptr<InFlight> in_flight;
  std::atomic<int> remaining;
  std::mutex mutex;
  Status failure;
  std::string topic;
  std::string body;
  int64_t accepted = 0;
  int64_t rejected = 0;
  int64_t bytes = 0;
};

std::string AnswerBody(const Verdict& verdict, size_t events, int errors_listed_max) {
  std::string body = fmt::format("{{\"accepted\":{},\"rejected\":{}",
                                 events - verdict.errors.size(), verdict.errors.size());
  if (!verdict.errors.empty()) {
    body += ",\"errors\":[";
    int listed = 0;
    for (const model::RowError& error : verdict.errors) {
      if (listed == errors_listed_max) break;
      if (listed++ > 0) body += ',';
      fmt::format_to(
          std::back_inserter(body), "{{\"index\":{},\"kind\":\"{}\",\"column\":{},\"reason\":{}}}",
          error.record_index, model::RowErrorKindName(error.kind),
          error.column.empty() ? "null" : JsonQuote(error.column), JsonQuote(error.message));
    }
    body += ']';
  }
  return body + '}';
}
}  // namespace

class Collector::Impl {
 public:
  Impl(Backend& backend, CollectorOptions options)
      : backend_(backend), options_(std::move(options)) {
    if (options_.clock == nullptr) options_.clock = env::Clock::System();
    in_flight_->observer = options_.observer;
  }

  ~Impl() {
    std::unique_lock lock(in_flight_->mutex);
    in_flight_->none.wait(lock, [this] { return in_flight_->requests == 0; });
  }

  void Handle(Request request, Responder responder) {
    std::string topic(request.PathArg("topic"));
    if (Status status = log::CheckWritable(topic); !status.ok()) {
      responder.SendError(status);
      return;
    }
    if (IsStrict(topic) && !Waits(topic)) {
      responder.SendError(
          Status(Code::kInvalidArgument,
                 fmt::format("topic \"{}\" is strict: its records carry the number of a schema of "
                             "subject \"{}-value\", which events as JSON do not",
                             topic, topic))
              .WithHint("declare a table over the topic with a format of the schema registry, as "
                        "which events are written; or write them with a Kafka client"));
      return;
    }
    Result<log::TopicInfo> info = backend_.log().Describe(topic);
    if (!info.ok()) {
      responder.SendError(info.status().code() == Code::kNotFound ? UnknownTopic(topic)
                                                                  : info.status());
      return;
    }
    std::string_view encoding = request.Header("Content-Encoding");
    if (!encoding.empty() && !EqualsIgnoreCase(encoding, "identity")) {
      Result<std::string> body = Inflate(encoding, request.body(), options_.inflated_bytes_max);
      if (!body.ok()) {
        Status status = std::move(body).status();
        int code = status.code() == Code::kResourceExhausted ? 413
                   : status.code() == Code::kUnsupported     ? 415
                                                             : 400;
        responder.Send(ErrorResponse(code, status));
        return;
      }
      request.SetBody(std::move(*body));
    }
    int64_t bytes = static_cast<int64_t>(request.body().size());
    if (!Admit(in_flight_->bytes, bytes, options_.bytes_in_flight_max)) {
      responder.Send(TooMany("bytes", options_.bytes_in_flight_max));
      return;
    }
    std::shared_ptr<TopicState> state = StateOf(topic);
    std::unique_ptr<Scratch> scratch;
    if (Status status = TakeScratch(topic, *state, scratch); !status.ok()) {
      in_flight_->bytes -= bytes;
      responder.SendError(std::move(status));
      return;
    }
    Take(request, std::move(responder), topic, info->config.partitions, bytes, *state, *scratch);
    GiveBack(*state, std::move(scratch));
  }

  // Whoever writes in another format may ask a schema registry how.
  bool Waits(const std::string& topic) const {
    const auto schema = backend_.TopicSchemaFor(topic);
    return schema && schema->encoded_as;
  }

 private:
  bool IsStrict(const std::string& topic) const {
    auto* strict = backend_.Strict();
    return strict != nullptr && strict->Applies(topic);
  }

  static bool Admit(std::atomic<int64_t>& gauge, int64_t amount, int64_t max) {
    int64_t before = gauge.fetch_add(amount);
    if (before <= 0 || before + amount <= max) return true;
    gauge.fetch_sub(amount);
    return false;
  }

  static Response TooMany(const char* what, int64_t max) {
    return ErrorResponse(
        429, Status(Code::kResourceExhausted,
                    fmt::format("more {} wait to be stored than the limit of {}", what, max))
                 .WithHint("nothing was accepted; send it again after the time "
                           "in Retry-After")
                 .WithRetry(Retry::kBackoff));
  }

  Status UnknownTopic(const std::string& topic) {
    std::vector<std::string> names;
    for (const log::TopicInfo& info : backend_.log().Topics()) names.push_back(info.name);
    return Status(Code::kNotFound, fmt::format("topic \"{}\" does not exist", topic))
        .WithHint(DidYouMean(topic, names));
  }

  std::shared_ptr<TopicState> StateOf(const std::string& topic) {
    std::lock_guard lock(mutex_);
    auto& state = topics_[topic];
    if (!state) state = std::make_shared<TopicState>();
    return state;
  }

  // A validator for the topic's table as it is now.
  Status TakeScratch(const std::string& topic, TopicState& state, std::unique_ptr<Scratch>& out) {
    std::shared_ptr<const TopicSchema> schema = backend_.TopicSchemaFor(topic);
    {
      std::lock_guard lock(state.mutex);
      if (!state.known || state.schema != schema) {
        state.known = true;
        state.schema = schema;
        state.free.clear();
      }
      if (!state.free.empty()) {
        out = std::move(state.free.back());
        state.free.pop_back();
        return {};
      }
    }
    auto fresh = std::make_unique<Scratch>();
    MR_ASSIGN_OR_RETURN(fresh->validator, EventValidator::New(schema, options_.new_decoder));
    fresh->schema = std::move(schema);
    out = std::move(fresh);
    return {};
  }

  void GiveBack(TopicState& state, std::unique_ptr<Scratch> scratch) {
    std::lock_guard lock(state.mutex);
    if (state.schema == scratch->schema) state.free.push_back(std::move(scratch));
  }

  // `bytes` are admitted already; whoever answers gives them back.
  void Take(const Request& request, Responder responder, const std::string& topic, int partitions,
            int64_t bytes, TopicState& state, Scratch& scratch) {
    std::vector<std::string_view>& events = scratch.events;
    events.clear();
    if (!scratch.schema || scratch.schema->encoded_as || scratch.schema->format == "json") {
      SplitEvents(request.body(), events);
    } else {
      SplitLines(request.body(), events);
    }
    if (events.empty() && Trim(request.body()).empty()) {
      in_flight_->bytes -= bytes;
      responder.Send(ErrorResponse(
          400, Status(Code::kInvalidArgument, "the body holds no event")
                   .WithHint("send a JSON object, one object a line, or an array of objects")));
      return;
    }
    int64_t count = static_cast<int64_t>(events.size());
    if (!Admit(in_flight_->events, count, options_.events_in_flight_max)) {
      in_flight_->bytes -= bytes;
      responder.Send(TooMany("events", options_.events_in_flight_max));
      return;
    }
    if (Status status = scratch.validator->Validate(events, scratch.verdict); !status.ok()) {
      diag::Error("collector: cannot check events: topic={} reason={}", topic,
                  JsonQuote(status.message() + ": " + status.detail()));
      in_flight_->bytes -= bytes;
      in_flight_->events -= count;
      responder.SendError(std::move(status));
      return;
    }
    if (IsStrict(topic)) CheckStrict(topic, scratch.verdict);
    Sort(topic, partitions, state, scratch);

    int parts = scratch.dead_letters.empty() ? 0 : 1;
    for (const auto& records : scratch.by_partition) parts += records.empty() ? 0 : 1;
    // One part more, given back at the end: the answer cannot go out before all was handed over.
    auto pending = std::make_shared<Pending>(std::move(responder), in_flight_, parts + 1);
    {
      std::lock_guard lock(in_flight_->mutex);
      in_flight_->requests++;
    }
    pending->topic = topic;
    pending->rejected = static_cast<int64_t>(scratch.verdict.errors.size());
    pending->accepted = count - pending->rejected;
    pending->bytes = bytes;
    if (options_.observer) options_.observer->OnInFlight(count, bytes);
    pending->body = AnswerBody(scratch.verdict, events.size(), options_.errors_listed_max);
    for (size_t p = 0; p < scratch.by_partition.size(); p++) {
      if (scratch.by_partition[p].empty()) continue;
      backend_.log().Append(
          topic, static_cast<int>(p), scratch.by_partition[p], {},
          [pending](const log::AppendResult& result) { pending->Done(result.status); });
    }
    if (!scratch.dead_letters.empty()) {
      backend_.WriteDeadLetters(scratch.dead_letters,
                                [pending](const Status& status) { pending->Done(status); });
    }
    pending->Done({});
  }

  // What the topic does not take becomes an error of its event.
  void CheckStrict(const std::string& topic, Verdict& verdict) {
    std::vector<model::RowError> errors;
    auto known = verdict.errors.begin();
    for (uint32_t i = 0; i < verdict.values.size(); i++) {
      if (known != verdict.errors.end() && known->record_index == i) {
        errors.push_back(std::move(*known++));
        continue;
      }
      model::Record record;
      record.has_key = verdict.keys[i].has_value();
      if (record.has_key) record.key = *verdict.keys[i];
      record.has_value = true;
      record.value = verdict.values[i];
      if (auto fault = backend_.Strict()->Fault(topic, record)) {
        errors.push_back({i, model::RowErrorKind::kConstraint, "",
                          "the strict topic does not take it: " + *fault});
      }
    }
    verdict.errors = std::move(errors);
  }

  // Valid events to their partitions, the others to the dead letters.
  void Sort(const std::string& topic, int partitions, TopicState& state, Scratch& scratch) {
    scratch.by_partition.resize(static_cast<size_t>(partitions));
    for (auto& records : scratch.by_partition) records.clear();
    scratch.dead_letters.clear();
    int without_key = static_cast<int>(state.turn.fetch_add(1) % static_cast<uint32_t>(partitions));
    int64_t now_ms = 0;
    auto error = scratch.verdict.errors.begin();
    for (size_t i = 0; i < scratch.events.size(); i++) {
      if (error != scratch.verdict.errors.end() && error->record_index == i) {
        if (now_ms == 0) now_ms = options_.clock->WallMicros() / 1000;
        model::DeadLetter letter;
        letter.time_ms = now_ms;
        letter.stage = "collector";
        if (scratch.schema) letter.table = scratch.schema->table;
        letter.topic = topic;
        letter.kind = error->kind;
        letter.column = error->column;
        letter.reason = error->message;
        letter.payload = std::string(scratch.events[i]);
        scratch.dead_letters.push_back(std::move(letter));
        ++error;
        continue;
      }
      const auto& key = scratch.verdict.keys[i];
      int partition = key ? log::PartitionForKey(*key, partitions) : without_key;
      log::NewRecord& record = scratch.by_partition[static_cast<size_t>(partition)].emplace_back();
      record.key = key;
      record.value = scratch.verdict.values.empty() ? scratch.events[i] : scratch.verdict.values[i];
    }
  }

  Backend& backend_;
  CollectorOptions options_;
  std::shared_ptr<InFlight> in_flight_ = std::make_shared<InFlight>();
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<TopicState>> topics_;
};

Collector::Collector(Backend& backend, CollectorOptions options)
    : impl_(std::make_unique<Impl>(backend, std::move(options))) {}
Collector::~Collector() = default;

bool Collector::Waits(const std::string& topic) const {
  return impl_->Waits(topic);
}

void Collector::Handle(Request request, Responder responder) {
  impl_->Handle(std::move(request), std::move(responder));
}

}  // namespace millrace::serve
