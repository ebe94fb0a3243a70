#include "serve/http_worker.h"

#include <fmt/chrono.h>

#include <chrono>
#include <vector>

#include "env/diag.h"
#include "serve/http_session.h"

namespace millrace::serve {

namespace {
// How often connections are looked through for passed deadlines: one timer per thread instead of
// several per request.
constexpr auto kTick = std::chrono::milliseconds(100);
}  // namespace

void HttpCore::OnOpened() {
  connections++;
  if (options.observer) options.observer->OnConnections(1);
}

void HttpCore::OnClosed() {
  if (options.observer) options.observer->OnConnections(-1);
  {
    std::lock_guard lock(mutex);
    connections--;
  }
  closed.notify_all();
}

HttpWorker::HttpWorker(std::shared_ptr<HttpCore> core) : core_(std::move(core)) {}

HttpWorker::~HttpWorker() = default;

void HttpWorker::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void HttpWorker::Loop() {
  Tick();
  for (;;) {
    try {
      io_.run();
      return;
    } catch (const std::exception& e) {
      // A handler is guarded by its connection; what arrives here is a fault of the server itself.
      diag::Error("http worker: exception, carrying on: what={}", e.what());
    }
  }
}

void HttpWorker::Tick() {
  int64_t second = core_->clock->WallMicros() / 1'000'000;
  if (second != date_second_) {
    date_second_ = second;
    date_ =
        fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(static_cast<std::time_t>(second)));
  }
  int64_t now = now_ms();
  // A connection may leave the set while it is told.
  std::vector<std::shared_ptr<HttpSession>> late;
  for (const auto& session : sessions_) {
    if (session->IsLate(now)) late.push_back(session);
  }
  for (const auto& session : late) session->OnTimeout();
  if (closing_) return;
  tick_.expires_after(kTick);
  tick_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) Tick();
  });
}

void HttpWorker::CloseIdle() {
  Run([this] {
    std::vector<std::shared_ptr<HttpSession>> idle;
    for (const auto& session : sessions_) {
      if (session->IsIdle()) idle.push_back(session);
    }
    for (const auto& session : idle) session->Close();
  });
}

void HttpWorker::Stop() {
  if (!thread_.joinable()) return;
  Run([this] {
    closing_ = true;
    tick_.cancel();
    auto sessions = sessions_;
    for (const auto& session : sessions) session->Close();
    work_.reset();
  });
  thread_.join();
  {
    std::lock_guard lock(post_mutex_);
    stopped_ = true;
  }
  // Answers that were posted between the end of the loop and the line above hold connections,
  // and through them this worker: let them go.
  io_.restart();
  io_.poll();
}

void HttpWorker::Adopt(boost::asio::ip::tcp::socket socket, bool refused) {
  auto session = std::make_shared<HttpSession>(shared_from_this(), std::move(socket));
  if (closing_) {
    session->Close();
    return;
  }
  sessions_.insert(session);
  session->Start(refused);
}

void HttpWorker::Remove(const std::shared_ptr<HttpSession>& session) {
  sessions_.erase(session);
}

}  // namespace millrace::serve
