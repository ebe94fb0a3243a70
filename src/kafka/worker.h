// Worker: one network thread with its connections and the fetches that wait for records.
//
// Contract: internal to the server. Connections and waiting fetches are touched on its thread only;
// Run and Post are the way in from others, and drop what they are given after Stop.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "kafka/services.h"

namespace millrace::kafka {

class Connection;
struct Endpoint;

// Something that waits for the log to grow.
class Waiting {
 public:
  virtual ~Waiting() = default;
  // Looks whether it can end now, and ends; then true. `late`: it has to.
  virtual bool Try(bool late) = 0;
};

class Worker {
 public:
  explicit Worker(Services& services) : services_(services) {}
  ~Worker() { Stop(); }

  // `on_tick` runs on the thread about ten times a second.
  void Start(std::function<void()> on_tick);
  // Closes all connections, ends the thread. From any other thread.
  void Stop();

  // Runs the task on this worker's thread: at once when called there, else later.
  template <class Task>
  void Run(Task&& task) {
    if (io_.get_executor().running_in_this_thread()) {
      task();
    } else {
      Post(std::forward<Task>(task));
    }
  }
  // Always later: for callers that may hold a lock.
  template <class Task>
  void Post(Task&& task) {
    std::lock_guard lock(post_mutex_);
    if (!stopped_) boost::asio::post(io_, std::forward<Task>(task));
  }

  // On the worker's thread.
  void Adopt(boost::asio::ip::tcp::socket socket, const Endpoint& endpoint);
  void Remove(const std::shared_ptr<Connection>& connection);
  // Tries `waiting` after every commit, and a last time after `wait_ms`.
  void Park(std::shared_ptr<Waiting> waiting, int64_t wait_ms);
  // Runs the task after `wait_ms`, or when the worker stops.
  void After(int64_t wait_ms, std::function<void()> task);

  // The log has grown. From any thread; calls that come close together count as one.
  void OnCommit();

  Services& services() { return services_; }
  boost::asio::io_context& io() { return io_; }
  size_t waiting_count() const { return waiting_count_; }

 private:
  struct Parked {
    std::shared_ptr<Waiting> waiting;
    boost::asio::steady_timer deadline;
    Parked(std::shared_ptr<Waiting> w, boost::asio::io_context& io)
        : waiting(std::move(w)), deadline(io) {}
  };
  void Loop();
  void Tick();
  void TryAll();

  Services& services_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  boost::asio::steady_timer tick_{io_};
  std::function<void()> on_tick_;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::unordered_set<std::shared_ptr<Parked>> parked_;
  std::unordered_set<std::shared_ptr<boost::asio::steady_timer>> timers_;  // of After
  std::atomic<size_t> waiting_count_{0};
  std::atomic<bool> commit_posted_{false};
  bool closing_ = false;  // on the worker's thread

  std::mutex post_mutex_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace millrace::kafka
