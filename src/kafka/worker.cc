#include "kafka/worker.h"

#include <signal.h>

#include <chrono>
#include <vector>

#include "env/diag.h"
#include "kafka/connection.h"

namespace millrace::kafka {

namespace {
constexpr auto kTick = std::chrono::milliseconds(100);
}  // namespace

void Worker::Start(std::function<void()> on_tick) {
  on_tick_ = std::move(on_tick);
  thread_ = std::thread([this] { Loop(); });
}

void Worker::Loop() {
  // sendfile to a client that has gone would end the process; it cannot be told not to, as send
  // can.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  Tick();
  for (;;) {
    try {
      io_.run();
      return;
    } catch (const std::exception& e) {
      // Whatever it was, it concerned one connection, which lives or times out.
      diag::Error("kafka worker: exception, carrying on: what={}", e.what());
    }
  }
}

void Worker::Tick() {
  if (closing_) return;
  if (on_tick_) on_tick_();
  const int64_t now = services_.now_ms();
  std::vector<std::shared_ptr<Connection>> late;
  for (const auto& connection : connections_) {
    if (connection->IsLate(now)) late.push_back(connection);
  }
  for (const auto& connection : late) connection->Close("");
  tick_.expires_after(kTick);
  tick_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) Tick();
  });
}

void Worker::Stop() {
  if (!thread_.joinable()) return;
  Run([this] {
    closing_ = true;
    tick_.cancel();
    const auto connections = connections_;
    for (const auto& connection : connections) connection->Close("");
    for (const auto& timer : timers_) timer->cancel();
    const auto parked = std::move(parked_);
    parked_.clear();
    for (const auto& one : parked) {
      one->deadline.cancel();
      one->waiting->Try(true);
    }
    work_.reset();
  });
  thread_.join();
  {
    std::lock_guard lock(post_mutex_);
    stopped_ = true;
  }
  // Answers that were posted between the end of the loop and the line above hold connections.
  io_.restart();
  io_.poll();
}

void Worker::Adopt(boost::asio::ip::tcp::socket socket, const Endpoint& endpoint) {
  auto connection = std::make_shared<Connection>(*this, std::move(socket), endpoint);
  if (closing_) return;
  connections_.insert(connection);
  connection->Start();
}

void Worker::Remove(const std::shared_ptr<Connection>& connection) {
  connections_.erase(connection);
}

void Worker::Park(std::shared_ptr<Waiting> waiting, int64_t wait_ms) {
  if (closing_) {
    waiting->Try(true);
    return;
  }
  auto parked = std::make_shared<Parked>(std::move(waiting), io_);
  parked->deadline.expires_after(std::chrono::milliseconds(wait_ms));
  parked->deadline.async_wait([this, parked](const boost::system::error_code& ec) {
    if (ec || parked_.erase(parked) == 0) return;
    waiting_count_ = parked_.size();
    parked->waiting->Try(true);
  });
  parked_.insert(parked);
  waiting_count_ = parked_.size();
  // A commit between the last look and here was not told to it.
  if (parked->waiting->Try(false)) {
    parked->deadline.cancel();
    parked_.erase(parked);
    waiting_count_ = parked_.size();
  }
}

void Worker::After(int64_t wait_ms, std::function<void()> task) {
  if (closing_) {
    task();
    return;
  }
  auto timer = std::make_shared<boost::asio::steady_timer>(io_, std::chrono::milliseconds(wait_ms));
  timers_.insert(timer);
  timer->async_wait([this, timer, task = std::move(task)](const boost::system::error_code&) {
    timers_.erase(timer);
    task();
  });
}

void Worker::OnCommit() {
  if (waiting_count_ == 0 || commit_posted_.exchange(true)) return;
  Run([this] { TryAll(); });
}

void Worker::TryAll() {
  commit_posted_ = false;
  const std::vector<std::shared_ptr<Parked>> all(parked_.begin(), parked_.end());
  for (const auto& parked : all) {
    if (!parked->waiting->Try(false)) continue;
    parked->deadline.cancel();
    parked_.erase(parked);
  }
  waiting_count_ = parked_.size();
}

}  // namespace millrace::kafka
