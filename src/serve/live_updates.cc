#include "serve/live_updates.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/strings.h"

namespace millrace::serve {

namespace {
using Steady = std::chrono::steady_clock;
constexpr auto kHeartbeat = std::chrono::seconds(10);

// A data line may not hold a line break; JSON needs none.
std::string Event(const char* name, std::string json) {
  std::replace(json.begin(), json.end(), '\n', ' ');
  std::replace(json.begin(), json.end(), '\r', ' ');
  return fmt::format("event: {}\ndata: {}\n\n", name, json);
}
}  // namespace

LiveUpdates::LiveUpdates(Backend& backend, LiveUpdatesOptions options)
    : backend_(backend), options_(options) {
  unsubscribe_ = backend_.Subscribe([this](const Change& change) { OnChange(change); });
  thread_ = std::thread([this] { Loop(); });
}

LiveUpdates::~LiveUpdates() {
  Stop();
}

void LiveUpdates::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (unsubscribe_) unsubscribe_();
  unsubscribe_ = nullptr;
  std::vector<std::shared_ptr<BodyStream>> clients;
  {
    std::lock_guard lock(mutex_);
    clients.swap(clients_);
  }
  for (const auto& client : clients) client->Close();
}

void LiveUpdates::OnChange(const Change& change) {
  {
    std::lock_guard lock(mutex_);
    if (clients_.empty()) return;
    pipeline_changed_ = pipeline_changed_ || change.pipeline;
    tables_.insert(change.tables.begin(), change.tables.end());
  }
  changed_.notify_all();
}

void LiveUpdates::Handle(const Responder& responder) {
  std::lock_guard lock(mutex_);
  std::erase_if(clients_, [](const auto& client) { return client->Closed(); });
  if (stopped_ || clients_.size() >= static_cast<size_t>(options_.clients_max)) {
    responder.SendError(Status(Code::kUnavailable, "no further live connection is possible now")
                            .WithHint("close other pages, or ask /api/pipeline from time to time")
                            .WithRetry(Retry::kBackoff));
    return;
  }
  Response head;
  head.content_type = "text/event-stream";
  std::shared_ptr<BodyStream> stream = responder.StartStream(std::move(head));
  if (!stream) return;
  // Tells the page how soon to come back after a broken connection.
  stream->Write(std::make_shared<const std::string>("retry: 1000\n\n"));
  clients_.push_back(std::move(stream));
  has_new_client_ = true;
  changed_.notify_all();
}

void LiveUpdates::Broadcast(std::string event) {
  auto bytes = std::make_shared<const std::string>(std::move(event));
  std::lock_guard lock(mutex_);
  std::erase_if(clients_, [&](const auto& client) { return !client->Write(bytes); });
}

void LiveUpdates::Loop() {
  const auto interval = std::chrono::milliseconds(options_.interval_ms);
  const auto refresh = std::chrono::milliseconds(options_.refresh_ms);
  Steady::time_point last_pipeline{};
  Steady::time_point last_sent{};
  Steady::time_point next_round{};
  for (;;) {
    std::set<std::string> tables;
    bool send_pipeline = false;
    {
      std::unique_lock lock(mutex_);
      auto something = [this] {
        return stopped_ || has_new_client_ || pipeline_changed_ || !tables_.empty();
      };
      if (clients_.empty()) {
        changed_.wait(lock, something);
      } else {
        changed_.wait_until(lock, last_pipeline + refresh, something);
      }
      // No more than one round an interval, whatever happens meanwhile.
      changed_.wait_until(lock, next_round, [this] { return stopped_; });
      if (stopped_) return;
      next_round = Steady::now() + interval;
      send_pipeline =
          has_new_client_ || pipeline_changed_ || Steady::now() >= last_pipeline + refresh;
      has_new_client_ = pipeline_changed_ = false;
      tables.swap(tables_);
      if (clients_.empty()) continue;
    }
    if (!tables.empty()) {
      std::string list;
      for (const std::string& table : tables) list += (list.empty() ? "" : ",") + JsonQuote(table);
      Broadcast(Event("data", "{\"tables\":[" + list + "]}"));
      last_sent = Steady::now();
    }
    if (send_pipeline) {
      last_pipeline = Steady::now();
      Result<std::string> json = backend_.PipelineJson();
      if (json.ok()) {
        Broadcast(Event("pipeline", std::move(*json)));
        last_sent = Steady::now();
      }
    }
    if (Steady::now() - last_sent >= kHeartbeat) {
      Broadcast(": still here\n\n");
      last_sent = Steady::now();
    }
  }
}

}  // namespace millrace::serve
