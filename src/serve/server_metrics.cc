#include "serve/server_metrics.h"

#include <prometheus/text_serializer.h>

namespace millrace::serve {

namespace {
using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

prometheus::Histogram::BucketBoundaries SecondsBuckets() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};
}
}  // namespace

ServerMetrics::ServerMetrics()
    : requests_(BuildCounter()
                    .Name("millrace_http_requests_total")
                    .Help("HTTP requests answered")
                    .Register(registry_)),
      seconds_(BuildHistogram()
                   .Name("millrace_http_request_seconds")
                   .Help("Time from a whole request to the start of its answer")
                   .Register(registry_)),
      events_(BuildCounter()
                  .Name("millrace_collector_events_total")
                  .Help("Events that the collector stored or put to the dead letters")
                  .Register(registry_)),
      event_bytes_(BuildCounter()
                       .Name("millrace_collector_bytes_total")
                       .Help("Bytes of request bodies that the collector stored")
                       .Register(registry_)),
      received_(BuildCounter()
                    .Name("millrace_http_received_bytes_total")
                    .Help("Bytes of HTTP requests")
                    .Register(registry_)
                    .Add({})),
      sent_(BuildCounter()
                .Name("millrace_http_sent_bytes_total")
                .Help("Bytes of HTTP answers, without streams")
                .Register(registry_)
                .Add({})),
      connections_(BuildGauge()
                       .Name("millrace_http_connections")
                       .Help("Open HTTP connections")
                       .Register(registry_)
                       .Add({})),
      in_flight_events_(BuildGauge()
                            .Name("millrace_collector_in_flight_events")
                            .Help("Events that wait for their answer")
                            .Register(registry_)
                            .Add({})),
      in_flight_bytes_(BuildGauge()
                           .Name("millrace_collector_in_flight_bytes")
                           .Help("Bytes of bodies that wait for their answer")
                           .Register(registry_)
                           .Add({})) {}

void ServerMetrics::OnRequest(const std::string& route, Method method, int status, int64_t micros,
                              int64_t bytes_in, int64_t bytes_out) {
  RouteMetrics metrics;
  {
    std::lock_guard lock(mutex_);
    auto [it, is_new] = by_route_.try_emplace({route, method, status});
    if (is_new) {
      std::string label = route.empty() ? "other" : route;
      it->second.requests = &requests_.Add(
          {{"route", label}, {"method", MethodName(method)}, {"status", std::to_string(status)}});
      it->second.seconds = &seconds_.Add({{"route", label}}, SecondsBuckets());
    }
    metrics = it->second;
  }
  metrics.requests->Increment();
  metrics.seconds->Observe(static_cast<double>(micros) / 1e6);
  received_.Increment(static_cast<double>(bytes_in));
  sent_.Increment(static_cast<double>(bytes_out));
}

void ServerMetrics::OnConnections(int64_t more) {
  connections_.Increment(static_cast<double>(more));
}

void ServerMetrics::OnEvents(const std::string& topic, int64_t accepted, int64_t rejected,
                             int64_t bytes) {
  TopicMetrics metrics;
  {
    std::lock_guard lock(mutex_);
    auto [it, is_new] = by_topic_.try_emplace(topic);
    if (is_new) {
      it->second.accepted = &events_.Add({{"topic", topic}, {"result", "accepted"}});
      it->second.rejected = &events_.Add({{"topic", topic}, {"result", "rejected"}});
      it->second.bytes = &event_bytes_.Add({{"topic", topic}});
    }
    metrics = it->second;
  }
  metrics.accepted->Increment(static_cast<double>(accepted));
  metrics.rejected->Increment(static_cast<double>(rejected));
  metrics.bytes->Increment(static_cast<double>(bytes));
}

void ServerMetrics::OnInFlight(int64_t events_more, int64_t bytes_more) {
  in_flight_events_.Increment(static_cast<double>(events_more));
  in_flight_bytes_.Increment(static_cast<double>(bytes_more));
}

std::string ServerMetrics::Text(
    std::span<const std::shared_ptr<prometheus::Collectable>> more) const {
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  for (const auto& collectable : more) {
    if (!collectable) continue;
    std::vector<prometheus::MetricFamily> others = collectable->Collect();
    families.insert(families.end(), std::make_move_iterator(others.begin()),
                    std::make_move_iterator(others.end()));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace millrace::serve
