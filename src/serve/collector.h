// Collector: events over HTTP into topics (POST /v1/events/{topic}).
//
// Contract
//   body      one JSON object (over any number of lines), NDJSON, or a JSON array of objects; the
//             stored record is the event's bytes as sent, or, where the table's format is a binary
//             one, what the table would write for it. gzip and deflate are accepted.
//   valid     fits the topic's table (format decoder, NOT NULL, CHECK); without a table any valid
//             JSON object is. The others go to the dead letters with their bytes.
//   answer    only after all accepted events and all dead letters of the request are durable.
//             An error answer (5xx) may come after a part became durable: repeat the request, the
//             delivery is at least once.
//   order     events of one request to the same partition are one append, in order. The partition
//             follows from the key column (murmur2, as Kafka); without key, or where it is NULL,
//             a request's events go to one partition, and requests take turns.
//   limits    bytes and events that wait for durability; beyond -> 429 with Retry-After. One
//             request alone is always let in.
//   threads   Handle from any thread; it waits only where Waits says so. The destructor waits for
//             open requests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/status.h"
#include "env/clock.h"
#include "format/decoder.h"
#include "serve/backend.h"
#include "serve/http_types.h"
#include "serve/responder.h"

namespace millrace::serve {

using DecoderFactory =
    std::function<Result<std::unique_ptr<format::Decoder>>(const format::DecoderOptions&)>;

// Told what happened to each request's events; from any thread.
class CollectorObserver {
 public:
  virtual ~CollectorObserver() = default;
  // Once per answered request; zero events for one refused as a whole.
  virtual void OnEvents(const std::string& topic, int64_t accepted, int64_t rejected,
                        int64_t bytes) = 0;
  // By how much what waits for durability grew or, negative, shrank.
  virtual void OnInFlight(int64_t events_more, int64_t bytes_more) = 0;
};

struct CollectorOptions {
  int64_t bytes_in_flight_max = 64 << 20;
  int64_t events_in_flight_max = 500'000;
  int64_t inflated_bytes_max = 8 << 20;  // of one compressed body
  int errors_listed_max = 100;
  DecoderFactory new_decoder = format::NewDecoder;
  env::Clock* clock = nullptr;            // default: the system's
  CollectorObserver* observer = nullptr;  // outlives the collector
};

class Collector {
 public:
  Collector(Backend& backend, CollectorOptions options);
  ~Collector();

  // Whether Handle may wait for a schema registry.
  bool Waits(const std::string& topic) const;
  // The handler of POST /v1/events/{topic}.
  void Handle(Request request, Responder responder);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::serve
