// Responder: the one answer to one request, given now or later, from any thread.
//
// Contract: exactly one of Send and StartStream counts, later calls do nothing. Copies share that
// answer. When the last copy goes away unanswered the client gets a 500, so a forgotten request
// never hangs. A client that left meanwhile is no error: the answer is dropped.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "serve/http_types.h"

namespace millrace::serve {

// A response body without an end (server-sent events). Every method from any thread.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // Queues bytes; false when the client is gone, or was dropped now because more than the server's
  // stream_buffer_bytes_max wait for it.
  virtual bool Write(std::shared_ptr<const std::string> bytes) = 0;
  virtual bool Closed() const = 0;
  virtual void Close() = 0;
};

class Responder {
 public:
  // Where an answer goes: a connection, or a lambda in tests.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void Send(Response response) = 0;
    // Sends the head, returns the body; null when the client is gone.
    virtual std::shared_ptr<BodyStream> StartStream(Response head) = 0;
  };

  explicit Responder(std::shared_ptr<Sink> sink);

  void Send(Response response) const;
  void Send(Result<std::string> json) const;
  void SendError(const Status& status) const { Send(ErrorResponse(status)); }
  std::shared_ptr<BodyStream> StartStream(Response head) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace millrace::serve
