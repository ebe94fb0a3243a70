// HttpWorker: one network thread with its event loop and connections; HttpCore: what all share.
//
// Contract: internal to the server. A worker's connections are touched on its thread only; Post is
// the way in from other threads, and after Stop it drops what it is given. Connections hold the
// worker, so its event loop outlives every answer that is still to come.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>

#include "env/clock.h"
#include "serve/http_server.h"

namespace millrace::serve {

class HttpSession;

struct HttpCore {
  HttpServerOptions options;
  Router router;
  bool loopback = true;
  env::Clock* clock = env::Clock::System();
  std::atomic<bool> draining{false};
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> handling{0};  // requests handed to a handler and not yet answered
  std::mutex mutex;
  std::condition_variable closed;  // a connection went away

  void OnOpened();
  void OnClosed();
};

class HttpWorker : public std::enable_shared_from_this<HttpWorker> {
 public:
  explicit HttpWorker(std::shared_ptr<HttpCore> core);
  ~HttpWorker();

  void Start();
  // Closes all connections, ends the thread. From any other thread.
  void Stop();
  // Closes connections that have no request in progress; streams too. From any thread.
  void CloseIdle();

  // Runs `task` on this worker's thread: at once when called there, else later.
  template <typename Task>
  void Run(Task&& task) {
    if (io_.get_executor().running_in_this_thread()) {
      task();
      return;
    }
    std::lock_guard lock(post_mutex_);
    if (!stopped_) boost::asio::post(io_, std::forward<Task>(task));
  }

  // On the worker's thread.
  // `refused`: answer 503 and close, there are too many connections.
  void Adopt(boost::asio::ip::tcp::socket socket, bool refused);
  void Remove(const std::shared_ptr<HttpSession>& session);
  const std::string& date() const { return date_; }  // for the Date header, a second old at most
  int64_t now_ms() const { return core_->clock->MonotonicMicros() / 1000; }

  HttpCore& core() { return *core_; }
  boost::asio::io_context& io() { return io_; }

 private:
  void Tick();
  void Loop();

  std::shared_ptr<HttpCore> core_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  boost::asio::steady_timer tick_{io_};
  std::unordered_set<std::shared_ptr<HttpSession>> sessions_;
  std::string date_;
  int64_t date_second_ = -1;
  bool closing_ = false;  // on the worker's thread

  std::mutex post_mutex_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace millrace::serve
