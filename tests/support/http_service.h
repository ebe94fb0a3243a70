// HttpService: an HTTP server of one test, on a free port of 127.0.0.1. Whole requests in, whole
// answers out; connections are kept.
//
// Contract: `handler` is called by several threads at once.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace millrace::test {

struct HttpRequest {
  std::string head;  // request line and headers
  std::string body;
};

struct HttpAnswer {
  int status = 200;
  std::string body;
  int delay_ms = 0;
};

class HttpService {
 public:
  using Handler = std::function<HttpAnswer(const HttpRequest&)>;
  explicit HttpService(Handler handler);
  ~HttpService();
  HttpService(const HttpService&) = delete;
  HttpService& operator=(const HttpService&) = delete;

  std::string Url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  // Closes the port and all connections; Start opens the same port again. False: it is taken.
  void Stop();
  bool Start();

 private:
  void Accept();
  void Serve(int connection);

  Handler handler_;
  int port_ = 0;
  int listener_ = -1;
  std::atomic<bool> stop_{false};
  std::thread acceptor_;
  std::vector<std::thread> connections_;  // the acceptor's, until it has ended
};

}  // namespace millrace::test
