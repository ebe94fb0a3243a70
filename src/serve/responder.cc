#include "serve/responder.h"

#include <atomic>

namespace millrace::serve {

struct Responder::State {
  explicit State(std::shared_ptr<Sink> s) : sink(std::move(s)) {}
  ~State() {
    if (!answered.exchange(true)) {
      sink->Send(ErrorResponse(Status(Code::kInternal, "the request was dropped unanswered")
                                   .WithHint("this is a fault of the server; its log says more")));
    }
  }
  std::shared_ptr<Sink> sink;
  std::atomic<bool> answered{false};
};

Responder::Responder(std::shared_ptr<Sink> sink)
    : state_(std::make_shared<State>(std::move(sink))) {}

void Responder::Send(Response response) const {
  if (!state_->answered.exchange(true)) state_->sink->Send(std::move(response));
}

void Responder::Send(Result<std::string> json) const {
  if (!json.ok()) {
    Send(ErrorResponse(json.status()));
    return;
  }
  Response response;
  response.body = std::move(*json);
  Send(std::move(response));
}

std::shared_ptr<BodyStream> Responder::StartStream(Response head) const {
  if (state_->answered.exchange(true)) return nullptr;
  return state_->sink->StartStream(std::move(head));
}

}  // namespace millrace::serve
