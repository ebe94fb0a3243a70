// HttpServer: HTTP/1.1 on a TCP port.
//
// Contract
//   threads    `threads` network threads, each with its own event loop; a connection stays on one.
//              Handlers run there and must not wait (blocking_pool.h is for those that do).
//   keep-alive requests of a connection are answered one after the other, in order; a client may
//              pipeline. A client may half-close after its last request and still gets the answer.
//   limits     header over 16 KiB -> 431; body over body_bytes_max -> 413 as soon as it is known,
//              the rest is not read; no free connection -> 503; malformed -> 400 and close.
//   time       a connection without a request is closed after idle_timeout_ms; a request must
//              arrive, and an answer be taken, within io_timeout_ms.
//   browsers   no CORS: a POST, PUT or DELETE whose Origin is another site is refused (403), and a
//              server on a loopback address answers /api/ only to hosts named localhost, an
//              address, or in allowed_hosts (else any web page could reach it by DNS rebinding).
//   shutdown   Shutdown() lets every request that was handed to a handler finish and answers 503 to
//              others; after 0.2 s it accepts no connection any more and closes the idle ones.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "serve/router.h"

namespace millrace::serve {

// Told about every answer; from network threads.
class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  // `route` is the pattern ("" when nothing matched or the request was malformed).
  virtual void OnRequest(const std::string& route, Method method, int status, int64_t micros,
                         int64_t bytes_in, int64_t bytes_out) = 0;
  // By how much the number of open connections grew or, negative, shrank.
  virtual void OnConnections(int64_t more) = 0;
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  int port = 0;  // 0: a free one, see HttpServer::port()
  int threads = 2;
  int64_t header_bytes_max = 16 << 10;
  int64_t body_bytes_max = 1 << 20;
  int64_t stream_buffer_bytes_max = 4 << 20;
  int connections_max = 4096;
  int64_t idle_timeout_ms = 75'000;
  int64_t io_timeout_ms = 30'000;
  std::vector<std::string> allowed_hosts = {};
  RequestObserver* observer = nullptr;  // outlives the server
};

class HttpServer {
 public:
  // Binds and starts. `router` is kept. Errors: kInvalidArgument (address), kUnavailable (port
  // taken, not permitted).
  static Result<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options, Router router);
  virtual ~HttpServer() = default;  // Shutdown(0) when that was not called

  virtual int port() const = 0;
  // "http://127.0.0.1:8080"
  virtual std::string url() const = 0;
  // Blocks until every connection is closed, at most about `grace_ms`; then closes the rest.
  // May be called again. Returns the number of requests that were cut off.
  virtual int64_t Shutdown(int64_t grace_ms) = 0;
};

}  // namespace millrace::serve
