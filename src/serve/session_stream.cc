// The part of a connection that sends an endless body.
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "serve/http_session.h"

namespace millrace::serve {

namespace asio = boost::asio;

std::shared_ptr<BodyStream> HttpSession::StartStream(Response head) {
  if (method_ == Method::kHead) {
    Send(std::move(head));
    return nullptr;
  }
  auto stream = std::make_shared<SessionStream>(shared_from_this(),
                                                worker_->core().options.stream_buffer_bytes_max);
  auto task = [self = shared_from_this(), stream, answer = std::move(head)]() mutable {
    HttpCore& core = self->worker_->core();
    self->handed_over_ = false;
    core.handling.fetch_sub(1);
    if (self->state_ == State::kClosed || core.draining) {
      stream->closed_ = true;
      self->Close();
      return;
    }
    self->state_ = State::kStreaming;
    self->stream_ = stream;
    self->keep_alive_ = false;  // the end of the body is the end of the connection
    self->WriteHead(answer, 0, true);
    if (core.options.observer) {
      core.options.observer->OnRequest(self->route_, self->method_, answer.status, 0,
                                       self->bytes_in_, static_cast<int64_t>(self->head_.size()));
    }
    self->drop_bytes_left_ = 1 << 20;
    self->SetDeadline(core.options.io_timeout_ms);
    asio::async_write(self->socket_, asio::buffer(self->head_),
                      [self](const boost::system::error_code& ec, size_t) {
                        if (self->state_ != State::kStreaming) return;
                        if (ec) {
                          self->Close();
                          return;
                        }
                        self->stream_->busy_ = false;
                        self->PumpStream();
                      });
    self->ReadAndDrop();
  };
  worker_->Run(std::move(task));
  return stream;
}

void HttpSession::WriteStream(std::shared_ptr<const std::string> bytes) {
  if (state_ != State::kStreaming) return;
  stream_->waiting_.push_back(std::move(bytes));
  PumpStream();
}

void HttpSession::PumpStream() {
  SessionStream& stream = *stream_;
  if (stream.busy_) return;
  if (stream.waiting_.empty()) {
    deadline_ms_ = 0;
    return;
  }
  stream.busy_ = true;
  stream.writing_.swap(stream.waiting_);
  std::vector<asio::const_buffer> buffers;
  for (const auto& part : stream.writing_) buffers.push_back(asio::buffer(*part));
  SetDeadline(worker_->core().options.io_timeout_ms);
  asio::async_write(socket_, buffers,
                    [self = shared_from_this()](const boost::system::error_code& ec, size_t n) {
                      if (self->state_ != State::kStreaming) return;
                      if (ec) {
                        self->Close();
                        return;
                      }
                      self->stream_->waiting_bytes_ -= static_cast<int64_t>(n);
                      self->stream_->writing_.clear();
                      self->stream_->busy_ = false;
                      self->PumpStream();
                    });
}

bool SessionStream::Write(std::shared_ptr<const std::string> bytes) {
  if (closed_) return false;
  int64_t size = static_cast<int64_t>(bytes->size());
  if (waiting_bytes_.fetch_add(size) + size > bytes_max_) {
    Close();
    return false;
  }
  session_->worker_->Run([session = session_, part = std::move(bytes)]() mutable {
    session->WriteStream(std::move(part));
  });
  return true;
}

void SessionStream::Close() {
  if (closed_.exchange(true)) return;
  session_->worker_->Run([session = session_] { session->Close(); });
}

}  // namespace millrace::serve
