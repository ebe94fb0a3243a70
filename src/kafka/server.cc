#include "kafka/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/thread_pool.hpp>
#include <vector>

#include "base/strings.h"
#include "env/descriptor_limit.h"
#include "env/diag.h"
#include "kafka/listener.h"

namespace millrace::kafka {

namespace asio = boost::asio;

namespace {

constexpr int64_t kWatchSliceUs = 200'000;
constexpr int64_t kCompactRecordsMin = 10'000;
constexpr int64_t kCompactEveryMs = 60'000;

class Server final : public KafkaServer {
 public:
  Server(log::Log& log, env::Clock& clock, const KafkaServerOptions& options,
         std::unique_ptr<OffsetStore> offsets, std::unique_ptr<SecurityFile> security)
      : services_(log, clock, options, std::move(offsets), std::move(security)) {
    services_.in_background = [this](std::function<void()> task) {
      asio::post(background_, std::move(task));
    };
    services_.offsets->SetInUse(
        [this](const std::string& group) { return services_.groups.HasMembers(group); });
    services_.groups.Recover(services_.now_ms());
    services_.transactions.Recover();
    for (int i = 0; i < std::max(1, options.threads); i++) {
      workers_.push_back(std::make_unique<Worker>(services_));
    }
  }

  ~Server() override { Shutdown(); }

  Status Listen() {
    const uint64_t seen = services_.log.CommitCount();  // before anyone can wait for more
    for (const ListenerOptions& options : services_.options.listeners) {
      if (options.tls && !tls_) {
        MR_ASSIGN_OR_RETURN(tls_, TlsFiles::Open(services_.options.tls));
      }
      listeners_.push_back(std::make_unique<Listener>(options, services_, workers_, tls_.get()));
      MR_RETURN_IF_ERROR(listeners_.back()->Listen());
    }
    for (size_t i = 0; i < workers_.size(); i++) {
      workers_[i]->Start(i == 0 ? [this] { Tick(); } : std::function<void()>());
    }
    watcher_ = std::thread([this, seen] { Watch(seen); });
    return {};
  }

  int port() const override { return listeners_.front()->port(); }
  std::string address() const override {
    std::vector<std::string> addresses;
    for (const auto& listener : listeners_) {
      const Endpoint& endpoint = listener->endpoint();
      addresses.push_back(fmt::format("{}:{}", endpoint.host, endpoint.port));
    }
    return Join(addresses, ",");
  }

  ServerState State() override { return StateOf(services_); }

  void Shutdown() override {
    if (stopped_.exchange(true)) return;
    workers_[0]->Run([this] {
      for (const auto& listener : listeners_) listener->Close();
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
  void Tick() {
    const int64_t now_ms = services_.now_ms();
    services_.groups.Tick(now_ms);
    services_.transactions.Tick();
    if (now_ms - compacted_ms_ < kCompactEveryMs) return;
    compacted_ms_ = now_ms;
    services_.in_background([this] {
      const Status status = services_.offsets->Compact(kCompactRecordsMin);
      if (!status.ok()) diag::Error("kafka: offsets not compacted: {}", status.message());
    });
  }

  void Watch(uint64_t seen) {
    while (!stopped_) {
      const uint64_t now = services_.log.WaitForCommit(seen, kWatchSliceUs);
      if (now == seen) continue;
      seen = now;
      for (const auto& worker : workers_) worker->OnCommit();
    }
  }

  Services services_;
  asio::thread_pool background_{1};
  std::unique_ptr<TlsFiles> tls_;  // null: no listener has it
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  int64_t compacted_ms_ = 0;  // on worker 0's thread
  std::atomic<bool> stopped_{false};
  std::thread watcher_;
};

}  // namespace

namespace {

void RaiseDescriptorLimit(int connections_max) {
  constexpr int64_t kOthers = 1024;  // the log's files, HTTP, what connectors open
  const int64_t limit = env::RaiseDescriptorLimit(connections_max + kOthers);
  if (limit >= connections_max + kOthers) return;
  diag::Warn(
      "kafka: the system lets this process open {} files and sockets: too few for {} connections",
      limit, connections_max);
}

}  // namespace

Result<std::unique_ptr<KafkaServer>> KafkaServer::Start(log::Log& log, env::Clock& clock,
                                                        const KafkaServerOptions& options) {
  RaiseDescriptorLimit(options.connections_max);
  MR_ASSIGN_OR_RETURN(auto offsets, OffsetStore::Open(log, clock));
  env::FileSystem& files = options.files == nullptr ? *env::FileSystem::Real() : *options.files;
  MR_ASSIGN_OR_RETURN(auto security, SecurityFile::Open(files, options.security_file));
  try {
    auto server =
        std::make_unique<Server>(log, clock, options, std::move(offsets), std::move(security));
    MR_RETURN_IF_ERROR(server->Listen());
    return std::unique_ptr<KafkaServer>(std::move(server));
  } catch (const std::exception& e) {
    return Status(Code::kUnavailable, "the Kafka port cannot start").WithDetail(e.what());
  }
}

}  // namespace millrace::kafka
