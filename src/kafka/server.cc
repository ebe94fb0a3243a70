#include "kafka/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <vector>

#include "kafka/worker.h"

namespace millrace::kafka {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr int64_t kWatchSliceUs = 200'000;
constexpr int64_t kCompactRecordsMin = 10'000;
constexpr int64_t kCompactEveryMs = 60'000;

class Server final : public KafkaServer {
 public:
  Server(log::Log& log, env::Clock& clock, const KafkaServerOptions& options,
         std::unique_ptr<OffsetStore> offsets)
      : services_(log, clock, options, std::move(offsets)) {
    services_.in_background = [this](std::function<void()> task) {
      asio::post(background_, std::move(task));
    };
    services_.offsets->SetInUse(
        [this](const std::string& group) { return services_.groups.HasMembers(group); });
    services_.transactions.Recover();
    for (int i = 0; i < std::max(1, options.threads); i++) {
      workers_.push_back(std::make_unique<Worker>(services_));
    }
    acceptor_ = std::make_unique<tcp::acceptor>(workers_[0]->io());
    retry_ = std::make_unique<asio::steady_timer>(workers_[0]->io());
  }

  ~Server() override { Shutdown(); }

  Status Listen() {
    const KafkaServerOptions& options = services_.options;
    boost::system::error_code ec;
    const asio::ip::address address =
        asio::ip::make_address(options.address == "localhost" ? "127.0.0.1" : options.address, ec);
    if (ec || options.port < 0 || options.port > 65535) {
      return Status(Code::kInvalidArgument,
                    fmt::format("\"{}\" with port {} is not an address for the Kafka port",
                                options.address, options.port))
          .WithHint("an address is like 127.0.0.1, 0.0.0.0 or ::1, a port 0 to 65535");
    }
    const tcp::endpoint endpoint(address, static_cast<uint16_t>(options.port));
    acceptor_->open(endpoint.protocol(), ec);
    if (!ec) acceptor_->set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor_->bind(endpoint, ec);
    if (!ec) acceptor_->listen(asio::socket_base::max_listen_connections, ec);
    if (ec) {
      return Status(Code::kUnavailable, fmt::format("cannot listen for Kafka clients on {}:{}: {}",
                                                    options.address, options.port, ec.message()))
          .WithHint("another program may use this port; choose another one, or 0 for a free one");
    }
    services_.port = acceptor_->local_endpoint().port();
    services_.host = options.advertised;
    if (services_.host.empty()) {
      services_.host = address.is_unspecified() ? "localhost" : address.to_string();
    }
    Accept();
    for (size_t i = 0; i < workers_.size(); i++) {
      workers_[i]->Start(i == 0 ? [this] { Tick(); } : std::function<void()>());
    }
    watcher_ = std::thread([this] { Watch(); });
    return {};
  }

  int port() const override { return services_.port; }
  std::string address() const override {
    return fmt::format("{}:{}", services_.host, services_.port);
  }

  void Shutdown() override {
    if (stopped_.exchange(true)) return;
    workers_[0]->Run([this] {
      boost::system::error_code ignored;
      acceptor_->close(ignored);
      retry_->cancel();
    });
    services_.log.WakeWaiters();
    if (watcher_.joinable()) watcher_.join();
    for (const auto& worker : workers_) worker->Stop();
    services_.transactions.Stop();
    background_.join();  // nobody gives it anything any more
    services_.groups.Clear();
    // Appends that are on their way to the disk hold their connections.
    std::unique_lock lock(services_.connections_mutex);
    services_.connection_gone.wait(lock, [this] { return services_.connections == 0; });
  }

 private:
  // On worker 0's thread.
  void Accept() {
    Worker& next = *workers_[next_worker_++ % workers_.size()];
    acceptor_->async_accept(
        next.io(), [this, &next](const boost::system::error_code& ec, tcp::socket socket) {
          if (ec == asio::error::operation_aborted || !acceptor_->is_open()) return;
          if (ec) {
            // Most likely no file descriptor is free: wait for connections to end.
            spdlog::error("kafka: cannot accept connections: reason={}", ec.message());
            retry_->expires_after(std::chrono::milliseconds(200));
            retry_->async_wait([this](const boost::system::error_code& cancelled) {
              if (!cancelled && acceptor_->is_open()) Accept();
            });
            return;
          }
          if (OpenConnections() < services_.options.connections_max) {
            next.Run([&next, s = std::move(socket)]() mutable { next.Adopt(std::move(s)); });
          } else {
            spdlog::warn("kafka: connection refused: reason=\"{} are open\"",
                         services_.options.connections_max);
          }
          Accept();
        });
  }

  int OpenConnections() {
    std::lock_guard lock(services_.connections_mutex);
    return services_.connections;
  }

  void Tick() {
    const int64_t now_ms = services_.now_ms();
    services_.groups.Tick(now_ms);
    services_.transactions.Tick();
    if (now_ms - compacted_ms_ < kCompactEveryMs) return;
    compacted_ms_ = now_ms;
    services_.in_background([this] {
      const Status status = services_.offsets->Compact(kCompactRecordsMin);
      if (!status.ok()) spdlog::error("kafka: offsets not compacted: {}", status.message());
    });
  }

  void Watch() {
    uint64_t seen = services_.log.CommitCount();
    while (!stopped_) {
      const uint64_t now = services_.log.WaitForCommit(seen, kWatchSliceUs);
      if (now == seen) continue;
      seen = now;
      for (const auto& worker : workers_) worker->OnCommit();
    }
  }

  Services services_;
  asio::thread_pool background_{1};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<tcp::acceptor> acceptor_;
  std::unique_ptr<asio::steady_timer> retry_;
  size_t next_worker_ = 0;
  int64_t compacted_ms_ = 0;  // on worker 0's thread
  std::atomic<bool> stopped_{false};
  std::thread watcher_;
};

}  // namespace

Result<std::unique_ptr<KafkaServer>> KafkaServer::Start(log::Log& log, env::Clock& clock,
                                                        const KafkaServerOptions& options) {
  MR_ASSIGN_OR_RETURN(auto offsets, OffsetStore::Open(log, clock));
  try {
    auto server = std::make_unique<Server>(log, clock, options, std::move(offsets));
    MR_RETURN_IF_ERROR(server->Listen());
    return std::unique_ptr<KafkaServer>(std::move(server));
  } catch (const std::exception& e) {
    return Status(Code::kUnavailable, "the Kafka port cannot start").WithDetail(e.what());
  }
}

}  // namespace millrace::kafka
