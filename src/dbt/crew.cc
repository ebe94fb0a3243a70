#include "dbt/crew.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace::dbt {

namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(20);

class Crew {
 public:
  Crew(Schedule& schedule, size_t threads, const Work& work)
      : schedule_(schedule), work_(work), busy_(threads), at_work_(threads) {}

  Status Carry() {
    std::vector<std::thread> threads;
    for (size_t worker = 0; worker < busy_.size(); worker++) {
      threads.emplace_back([this, worker] { Labour(worker); });
    }
    Watch();
    for (std::thread& thread : threads) thread.join();
    return status_;
  }

 private:
  // Breaks off what runs once the run is to end.
  void Watch() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (at_work_ > 0) {
      changed_.wait_for(lock, kLookEvery);
      if (work_.stopped().empty()) continue;
      const std::vector<char> busy = busy_;
      lock.unlock();
      for (size_t worker = 0; worker < busy.size(); worker++) {
        if (busy[worker]) work_.break_off(worker);
      }
      lock.lock();
      changed_.wait_for(lock, kLookEvery);
    }
  }

  void Labour(size_t worker) {
    std::unique_lock<std::mutex> lock(mutex_);
    while (status_.ok() && !schedule_.ended()) {
      const auto turn = schedule_.Next();
      if (!turn) {
        changed_.wait(lock);
        continue;
      }
      const size_t number = ++turns_;
      const std::string stopped = work_.stopped();
      const std::string reason =
          stopped.empty() && !turn->because.empty() ? "because of " + turn->because : stopped;
      bool good = false;
      if (!reason.empty()) {
        Note(work_.skip(turn->index, number, reason));
      } else {
        work_.start(turn->index, number);
        busy_[worker] = 1;
        lock.unlock();
        auto carried = work_.carry(turn->index, number, worker);
        lock.lock();
        busy_[worker] = 0;
        if (carried.ok()) {
          good = *carried;
          Note(work_.end(turn->index, number));
        } else {
          Note(carried.status());
        }
      }
      schedule_.Done(turn->index, good);
      changed_.notify_all();
    }
    at_work_--;
    changed_.notify_all();
  }

  void Note(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  Schedule& schedule_;
  const Work& work_;
  std::mutex mutex_;  // of all below, and of the schedule
  std::condition_variable changed_;
  Status status_;
  size_t turns_ = 0;
  std::vector<char> busy_;  // by worker
  size_t at_work_;          // threads that have not ended
};

}  // namespace

Status Carry(Schedule& schedule, size_t threads, const Work& work) {
  return Crew(schedule, threads, work).Carry();
}

}  // namespace millrace::dbt
