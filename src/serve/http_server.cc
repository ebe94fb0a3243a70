#include "serve/http_server.h"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>

#include "env/diag.h"
#include "serve/http_session.h"
#include "serve/http_worker.h"

namespace millrace::serve {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {
// While shutting down, requests that are already on their way, on open or new connections, get this
// long to arrive and be answered 503, instead of finding a closed door.
constexpr auto kDrainPause = std::chrono::milliseconds(200);
// Connections beyond the limit that may be told so at the same time.
constexpr int64_t kRefusedMax = 256;

class Server final : public HttpServer {
 public:
  Server(std::shared_ptr<HttpCore> core) : core_(std::move(core)) {
    for (int i = 0; i < std::max(1, core_->options.threads); i++) {
      workers_.push_back(std::make_shared<HttpWorker>(core_));
    }
    acceptor_ = std::make_shared<tcp::acceptor>(workers_[0]->io());
    retry_ = std::make_shared<asio::steady_timer>(workers_[0]->io());
  }

  ~Server() override { Shutdown(0); }

  Status Listen() {
    const HttpServerOptions& options = core_->options;
    boost::system::error_code ec;
    asio::ip::address address =
        asio::ip::make_address(options.address == "localhost" ? "127.0.0.1" : options.address, ec);
    if (ec || options.port < 0 || options.port > 65535) {
      return Status(Code::kInvalidArgument, fmt::format("\"{}\" with port {} is not an address to "
                                                        "listen on",
                                                        options.address, options.port))
          .WithHint("an address is like 127.0.0.1, 0.0.0.0 or ::1, a port 0 to 65535");
    }
    core_->loopback = address.is_loopback();
    tcp::endpoint endpoint(address, static_cast<uint16_t>(options.port));
    acceptor_->open(endpoint.protocol(), ec);
    if (!ec) acceptor_->set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor_->bind(endpoint, ec);
    if (!ec) acceptor_->listen(asio::socket_base::max_listen_connections, ec);
    if (ec) {
      return Status(Code::kUnavailable, fmt::format("cannot listen on {}:{}: {}", options.address,
                                                    options.port, ec.message()))
          .WithHint("another program may use this port; choose another one, or 0 for a free one");
    }
    port_ = acceptor_->local_endpoint().port();
    std::string host = address.is_unspecified() ? "localhost" : address.to_string();
    url_ = address.is_v6() && !address.is_unspecified() ? fmt::format("http://[{}]:{}", host, port_)
                                                        : fmt::format("http://{}:{}", host, port_);
    Accept();
    for (const auto& worker : workers_) worker->Start();
    return {};
  }

  int port() const override { return port_; }
  std::string url() const override { return url_; }

  int64_t Shutdown(int64_t grace_ms) override {
    std::lock_guard lock(shutdown_mutex_);
    if (stopped_) return 0;
    stopped_ = true;
    core_->draining = true;
    if (grace_ms > 0) {
      auto now = std::chrono::steady_clock::now();
      auto deadline = now + std::chrono::milliseconds(grace_ms);
      auto none_left = [this] { return core_->connections == 0; };
      auto pause = std::min(deadline, now + kDrainPause);
      while (now < deadline) {
        std::unique_lock core_lock(core_->mutex);
        auto until = now < pause ? pause : std::min(deadline, now + kDrainPause / 4);
        if (core_->closed.wait_until(core_lock, until, none_left)) break;
        core_lock.unlock();
        now = std::chrono::steady_clock::now();
        if (now < pause) continue;
        StopAccepting();
        for (const auto& worker : workers_) worker->CloseIdle();
      }
    }
    StopAccepting();
    int64_t cut_off = core_->handling;
    if (cut_off > 0) {
      diag::Warn("http: stopped with requests unanswered: requests={} grace_ms={}", cut_off,
                 grace_ms);
    }
    for (const auto& worker : workers_) worker->Stop();
    return cut_off;
  }

 private:
  void StopAccepting() {
    workers_[0]->Run([acceptor = acceptor_, retry = retry_] {
      boost::system::error_code ignored;
      acceptor->close(ignored);
      retry->cancel();
    });
  }

  // On worker 0's thread.
  void Accept() {
    HttpWorker& next = *workers_[next_worker_++ % workers_.size()];
    acceptor_->async_accept(
        next.io(), [this, acceptor = acceptor_, retry = retry_, worker = next.shared_from_this()](
                       const boost::system::error_code& ec, tcp::socket socket) {
          if (ec == asio::error::operation_aborted || !acceptor->is_open()) return;
          if (ec) {
            // Most likely no file descriptor is free: wait for connections to end.
            diag::Error("http: cannot accept connections: reason={}", ec.message());
            retry->expires_after(std::chrono::milliseconds(200));
            retry->async_wait([this, acceptor](const boost::system::error_code& cancelled) {
              if (!cancelled && acceptor->is_open()) Accept();
            });
            return;
          }
          int64_t open = core_->connections;
          int64_t max = core_->options.connections_max;
          if (open < max + kRefusedMax) {
            worker->Run([worker, s = std::move(socket), refused = open >= max]() mutable {
              worker->Adopt(std::move(s), refused);
            });
          }
          Accept();
        });
  }

  std::shared_ptr<HttpCore> core_;
  std::vector<std::shared_ptr<HttpWorker>> workers_;
  std::shared_ptr<tcp::acceptor> acceptor_;
  std::shared_ptr<asio::steady_timer> retry_;
  size_t next_worker_ = 0;
  int port_ = 0;
  std::string url_;
  std::mutex shutdown_mutex_;
  bool stopped_ = false;
};
}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                      Router router) {
  auto core = std::make_shared<HttpCore>();
  core->options = options;
  core->router = std::move(router);
  try {
    auto server = std::make_unique<Server>(std::move(core));
    MR_RETURN_IF_ERROR(server->Listen());
    return std::unique_ptr<HttpServer>(std::move(server));
  } catch (const std::exception& e) {
    return Status(Code::kUnavailable, "the HTTP server cannot start").WithDetail(e.what());
  }
}

}  // namespace millrace::serve
