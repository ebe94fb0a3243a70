// ServerMetrics: what the server and the collector count, in Prometheus' format.
//
// Contract: every method from any thread. Labels are bounded: routes are patterns, topics exist.
//
//   millrace_http_requests_total{route,method,status}   millrace_http_request_seconds{route}
//   millrace_http_received_bytes_total, millrace_http_sent_bytes_total, millrace_http_connections
//   millrace_collector_events_total{topic,result="accepted"|"rejected"}
//   millrace_collector_bytes_total{topic}
//   millrace_collector_in_flight_events, millrace_collector_in_flight_bytes
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <tuple>

#include "serve/collector.h"
#include "serve/http_server.h"

namespace millrace::serve {

class ServerMetrics final : public RequestObserver, public CollectorObserver {
 public:
  ServerMetrics();

  void OnRequest(const std::string& route, Method method, int status, int64_t micros,
                 int64_t bytes_in, int64_t bytes_out) override;
  void OnConnections(int64_t more) override;
  void OnEvents(const std::string& topic, int64_t accepted, int64_t rejected,
                int64_t bytes) override;
  void OnInFlight(int64_t events_more, int64_t bytes_more) override;

  // The text of /metrics; `more` may be null.
  std::string Text(std::span<const std::shared_ptr<prometheus::Collectable>> more) const;

 private:
  struct RouteMetrics {
    prometheus::Counter* requests;
    prometheus::Histogram* seconds;
  };
  struct TopicMetrics {
    prometheus::Counter* accepted;
    prometheus::Counter* rejected;
    prometheus::Counter* bytes;
  };

  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  prometheus::Family<prometheus::Counter>& events_;
  prometheus::Family<prometheus::Counter>& event_bytes_;
  prometheus::Counter& received_;
  prometheus::Counter& sent_;
  prometheus::Gauge& connections_;
  prometheus::Gauge& in_flight_events_;
  prometheus::Gauge& in_flight_bytes_;

  std::mutex mutex_;
  std::map<std::tuple<std::string, Method, int>, RouteMetrics> by_route_;
  std::map<std::string, TopicMetrics> by_topic_;
};

}  // namespace millrace::serve
