// LiveUpdates: GET /api/stream, server-sent events to every open page.
//
// Contract: one thread builds each event once for all clients, at most every interval_ms:
//   event: pipeline   the body of /api/pipeline; at once to a new client, then when something
//                     changed and at least every refresh_ms (rates fall while nothing happens)
//   event: data       {"tables": [...]} with new results since the last one
// A comment line goes out when nothing else did for 10 s, so that both sides notice a dead
// connection. A client that does not keep up is dropped (BodyStream::Write); pages reconnect.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "serve/backend.h"
#include "serve/responder.h"

namespace millrace::serve {

struct LiveUpdatesOptions {
  int64_t interval_ms = 250;
  int64_t refresh_ms = 1000;
  int clients_max = 256;
};

class LiveUpdates {
 public:
  LiveUpdates(Backend& backend, LiveUpdatesOptions options);
  ~LiveUpdates();  // Stop

  // The handler of GET /api/stream; from any thread.
  void Handle(const Responder& responder);
  // Closes all clients; after it returned the backend is not called any more.
  void Stop();

 private:
  void Loop();
  void OnChange(const Change& change);
  void Broadcast(std::string event);

  Backend& backend_;
  const LiveUpdatesOptions options_;
  std::function<void()> unsubscribe_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<BodyStream>> clients_;
  bool has_new_client_ = false;
  bool pipeline_changed_ = false;
  std::set<std::string> tables_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace millrace::serve
