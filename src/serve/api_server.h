// ApiServer: everything under one port: collector, API, live updates, metrics, web page.
//
// docs/reference/http-api.md lists the routes. Owns its threads; see http_server.h for how
// requests are limited and shut down.
#pragma once

#include <prometheus/collectable.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "serve/backend.h"
#include "serve/collector.h"
#include "serve/http_server.h"

namespace millrace::serve {

struct ApiServerOptions {
  HttpServerOptions http;
  CollectorOptions collector;
  int blocking_threads = 4;        // for the routes that query
  int blocking_queue_max = 256;    // requests that wait for one; beyond -> 503
  int64_t live_interval_ms = 250;  // least time between two events of one kind to a client
  int64_t live_refresh_ms = 1000;  // pipeline is sent this often though nothing was announced
  int live_clients_max = 256;
  // Shown at /metrics beside the server's own and the backend's; asked from network threads.
  std::vector<std::shared_ptr<prometheus::Collectable>> metrics;
};

class ApiServer {
 public:
  // `backend` outlives the server. Errors: as HttpServer::Start.
  static Result<std::unique_ptr<ApiServer>> Start(Backend& backend, ApiServerOptions options);
  virtual ~ApiServer() = default;  // Shutdown(0) when that was not called

  virtual int port() const = 0;
  virtual std::string url() const = 0;
  // See HttpServer::Shutdown. After it returned no method of the backend is called any more.
  virtual int64_t Shutdown(int64_t grace_ms) = 0;
};

}  // namespace millrace::serve
