#include "serve/http_session.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>

#include "base/strings.h"
#include "base/units.h"
#include "env/diag.h"
#include "serve/browser_guard.h"

namespace millrace::serve {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kBodyReadBytes = 64 << 10;
// After a last answer the client may still be sending. Its bytes are dropped for a while: closing
// at once would reset the connection and could destroy the answer on its way.
constexpr int64_t kLingerMs = 2'000;
constexpr int64_t kLingerBytes = 64 << 20;

Method MethodOf(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::kGet;
    case http::verb::head:
      return Method::kHead;
    case http::verb::post:
      return Method::kPost;
    case http::verb::put:
      return Method::kPut;
    case http::verb::delete_:
      return Method::kDelete;
    case http::verb::options:
      return Method::kOptions;
    default:
      return Method::kOther;
  }
}
}  // namespace

HttpSession::HttpSession(std::shared_ptr<HttpWorker> worker, asio::ip::tcp::socket socket)
    : worker_(std::move(worker)), socket_(std::move(socket)) {
  worker_->core().OnOpened();
}

HttpSession::~HttpSession() {
  if (state_ != State::kClosed) worker_->core().OnClosed();
}

void HttpSession::Start(bool refused) {
  boost::system::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (refused) {
    Refuse(503, Status(Code::kUnavailable, "the server has no free connection")
                    .WithHint("try again, or keep connections open for several requests")
                    .WithRetry(Retry::kBackoff));
    return;
  }
  BeginRequest();
  Read();
}

void HttpSession::SetDeadline(int64_t in_ms) {
  deadline_ms_ = worker_->now_ms() + in_ms;
}

void HttpSession::BeginRequest() {
  const HttpServerOptions& options = worker_->core().options;
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(options.header_bytes_max));
  parser_->body_limit(static_cast<uint64_t>(options.body_bytes_max));
  state_ = State::kReading;
  header_seen_ = false;
  bytes_in_ = 0;
  route_.clear();
  method_ = Method::kOther;
  begin_us_ = 0;
  if (buffer_.size() == 0 && buffer_.capacity() > kBodyReadBytes) buffer_ = {};
  SetDeadline(buffer_.size() > 0 ? options.io_timeout_ms : options.idle_timeout_ms);
}

bool HttpSession::IsIdle() const {
  if (state_ == State::kReading) return buffer_.size() == 0 && parser_ && !parser_->got_some();
  return state_ == State::kStreaming || state_ == State::kLingering;
}

void HttpSession::Read() {
  size_t bytes = header_seen_ ? kBodyReadBytes : kReadBytes;
  socket_.async_read_some(buffer_.prepare(bytes),
                          [self = shared_from_this()](const boost::system::error_code& ec,
                                                      size_t n) { self->OnRead(ec, n); });
}

void HttpSession::OnRead(const boost::system::error_code& ec, size_t bytes) {
  if (state_ != State::kReading) return;
  if (ec == asio::error::eof) {
    OnEndOfInput();
    return;
  }
  if (ec) {
    Close();
    return;
  }
  if (buffer_.size() == 0 && !parser_->got_some()) {
    SetDeadline(worker_->core().options.io_timeout_ms);
  }
  buffer_.commit(bytes);
  Parse();
}

void HttpSession::OnEndOfInput() {
  if (!parser_->got_some()) {
    Close();
    return;
  }
  Refuse(400, Status(Code::kInvalidArgument, "the request ends in the middle")
                  .WithHint("the body is shorter than its Content-Length, or its last chunk is "
                            "missing; nothing of it was accepted"));
}

void HttpSession::Parse() {
  while (buffer_.size() > 0) {
    boost::system::error_code ec;
    size_t used = 0;
    try {
      used = parser_->put(buffer_.data(), ec);
    } catch (const std::exception& e) {  // memory
      Refuse(503, Status(Code::kResourceExhausted, "the request could not be held in memory")
                      .WithDetail(e.what()));
      return;
    }
    buffer_.consume(used);
    bytes_in_ += static_cast<int64_t>(used);
    if (ec == http::error::need_more) break;
    if (ec) {
      RefuseMalformed(ec);
      return;
    }
    if (!header_seen_ && parser_->is_header_done()) {
      header_seen_ = true;
      if (!OnHeader()) return;
    }
    if (parser_->is_done()) {
      Dispatch();
      return;
    }
    if (used == 0) break;
  }
  Read();
}

// False when reading goes on later, after "100 Continue" is out.
bool HttpSession::OnHeader() {
  if (parser_->is_done() || buffer_.size() > 0) return true;
  if (!EqualsIgnoreCase(parser_->get()[http::field::expect], "100-continue")) return true;
  asio::async_write(socket_, asio::buffer(kContinue),
                    [self = shared_from_this()](const boost::system::error_code& ec, size_t) {
                      if (self->state_ != State::kReading) return;
                      ec ? self->Close() : self->Read();
                    });
  return false;
}

void HttpSession::RefuseMalformed(const boost::system::error_code& ec) {
  const HttpServerOptions& options = worker_->core().options;
  if (ec == http::error::body_limit) {
    Refuse(413,
           Status(Code::kInvalidArgument, fmt::format("the body is larger than the limit of {}",
                                                      FormatBytes(options.body_bytes_max)))
               .WithHint("nothing of it was accepted; send smaller batches"));
  } else if (ec == http::error::header_limit) {
    Refuse(431, Status(Code::kInvalidArgument,
                       fmt::format("the request's header is larger than the limit of {}",
                                   FormatBytes(options.header_bytes_max))));
  } else {
    Refuse(400,
           Status(Code::kInvalidArgument, "the request is not valid HTTP/1.1: " + ec.message()));
  }
}

void HttpSession::Dispatch() {
  HttpCore& core = worker_->core();
  http::request<PaddedBody> message = parser_->release();
  deadline_ms_ = 0;
  begin_us_ = core.clock->MonotonicMicros();
  keep_alive_ = message.keep_alive();
  http_1_0_ = message.version() < 11;

  Request request;
  request.method = method_ = MethodOf(message.method());
  request.target = std::string(message.target());
  for (const auto& field : message) {
    request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  request.buffer = std::move(message.body());
  if (request.buffer.size() >= model::kRecordPadding) {
    request.body_size = request.buffer.size() - model::kRecordPadding;
  } else {
    request.buffer.append(model::kRecordPadding, '\0');
  }

  if (core.draining) {
    Refuse(503, Status(Code::kUnavailable, "the server is shutting down")
                    .WithHint("nothing of the request was accepted; send it again later")
                    .WithRetry(Retry::kBackoff));
    return;
  }
  if (request.method == Method::kOptions && request.target == "*") {
    Response response;
    response.status = 204;
    OnAnswer(std::move(response));
    return;
  }
  if (!ParseTarget(request)) {
    Refuse(400, Status(Code::kInvalidArgument,
                       fmt::format("\"{}\" is not a path on this server",
                                   std::string_view(request.target).substr(0, 200)))
                    .WithHint("a target starts with \"/\" and escapes bytes as %XX"));
    return;
  }
  if (Status refusal = CheckBrowser(request, core); !refusal.ok()) {
    Refuse(403, std::move(refusal));
    return;
  }
  Router::Found found = core.router.Match(request);
  if (found.handler == nullptr) {
    Response response;
    if (found.status == 405 && request.method == Method::kOptions) {
      response.status = 204;
    } else if (found.status == 405) {
      response = ErrorResponse(
          405, Status(Code::kInvalidArgument, fmt::format("{} is not possible on \"{}\"",
                                                          message.method_string(), request.path))
                   .WithHint("possible: " + found.allow));
    } else {
      response = ErrorResponse(
          404, Status(Code::kNotFound, fmt::format("there is nothing at \"{}\"", request.path)));
    }
    if (!found.allow.empty()) response.headers.emplace_back("Allow", found.allow);
    OnAnswer(std::move(response));
    return;
  }
  route_ = request.route;
  state_ = State::kHandling;
  handed_over_ = true;
  core.handling.fetch_add(1);
  Responder responder(shared_from_this());
  try {
    (*found.handler)(std::move(request), responder);
  } catch (const std::exception& e) {
    diag::Error("http: handler threw: route={} what={}", route_, e.what());
    responder.SendError(
        Status(Code::kInternal, "the request failed inside the server").WithDetail(e.what()));
  }
}

void HttpSession::Refuse(int http_status, Status status, StringPairs headers) {
  keep_alive_ = false;
  if (http_status < 500 && diag::IsWritten(diag::Severity::kInfo)) {
    boost::system::error_code ignored;
    auto peer = socket_.remote_endpoint(ignored);
    diag::Info("http: refused: peer={}:{} status={} reason={}", peer.address().to_string(),
               peer.port(), http_status, JsonQuote(status.message()));
  }
  Response response = ErrorResponse(http_status, status);
  response.headers = std::move(headers);
  if (status.retry() == Retry::kBackoff) response.headers.emplace_back("Retry-After", "1");
  OnAnswer(std::move(response));
}

void HttpSession::Send(Response response) {
  auto task = [self = shared_from_this(), answer = std::move(response)]() mutable {
    self->OnAnswer(std::move(answer));
  };
  worker_->Run(std::move(task));
}

void HttpSession::WriteHead(const Response& response, size_t body_bytes, bool stream) {
  head_.clear();
  auto out = std::back_inserter(head_);
  fmt::format_to(out, "HTTP/1.1 {} {}\r\nDate: {}\r\nServer: millrace\r\n", response.status,
                 ReasonPhrase(response.status), worker_->date());
  bool has_body = response.status != 204 && response.status != 304;
  if (has_body) {
    fmt::format_to(out, "Content-Type: {}\r\nX-Content-Type-Options: nosniff\r\n",
                   response.content_type);
    if (!stream) fmt::format_to(out, "Content-Length: {}\r\n", body_bytes);
  }
  bool has_cache_rule = false;
  for (const auto& [name, value] : response.headers) {
    fmt::format_to(out, "{}: {}\r\n", name, value);
    has_cache_rule = has_cache_rule || name == "Cache-Control";
  }
  if (!has_cache_rule) head_ += "Cache-Control: no-store\r\n";
  if (!keep_alive_) {
    head_ += "Connection: close\r\n";
  } else if (http_1_0_) {
    head_ += "Connection: keep-alive\r\n";
  }
  head_ += "\r\n";
}

void HttpSession::OnAnswer(Response response) {
  HttpCore& core = worker_->core();
  if (handed_over_) {
    handed_over_ = false;
    core.handling.fetch_sub(1);
  }
  if (state_ == State::kClosed) return;
  state_ = State::kWriting;
  SetDeadline(core.options.io_timeout_ms);
  if (core.draining) keep_alive_ = false;
  response_ = std::move(response);
  std::string_view body =
      response_.static_body.empty() ? std::string_view(response_.body) : response_.static_body;
  WriteHead(response_, body.size(), false);
  if (method_ == Method::kHead || response_.status == 204 || response_.status == 304) body = {};
  if (core.options.observer) {
    int64_t micros = begin_us_ == 0 ? 0 : core.clock->MonotonicMicros() - begin_us_;
    core.options.observer->OnRequest(route_, method_, response_.status, micros, bytes_in_,
                                     static_cast<int64_t>(head_.size() + body.size()));
  }
  if (response_.status == 500) {
    diag::Error("http: failed: method={} route={} status=500 body={}", MethodName(method_), route_,
                std::string_view(response_.body).substr(0, 1000));
  }
  std::array<asio::const_buffer, 2> buffers = {asio::buffer(head_), asio::buffer(body)};
  asio::async_write(socket_, buffers,
                    [self = shared_from_this()](const boost::system::error_code& ec, size_t) {
                      self->OnWritten(ec);
                    });
}

void HttpSession::OnWritten(const boost::system::error_code& ec) {
  if (state_ != State::kWriting) return;
  if (ec) {
    Close();
    return;
  }
  response_ = {};
  if (!keep_alive_) {
    Linger();
    return;
  }
  BeginRequest();
  Parse();
}

void HttpSession::OnTimeout() {
  if (state_ == State::kReading && (header_seen_ || parser_->got_some() || buffer_.size() > 0)) {
    // The read in progress ends with "aborted" and finds another state.
    boost::system::error_code ignored;
    socket_.cancel(ignored);
    Refuse(408,
           Status(Code::kDeadlineExceeded, fmt::format("the request did not arrive within {} ms",
                                                       worker_->core().options.io_timeout_ms)));
    return;
  }
  Close();
}

void HttpSession::Linger() {
  state_ = State::kLingering;
  SetDeadline(kLingerMs);
  drop_bytes_left_ = kLingerBytes;
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  parser_.reset();
  buffer_ = {};
  ReadAndDrop();
}

void HttpSession::ReadAndDrop() {
  // A stream's client has nothing to say; only its leaving is of interest.
  buffer_.clear();
  socket_.async_read_some(
      buffer_.prepare(kReadBytes),
      [self = shared_from_this()](const boost::system::error_code& ec, size_t n) {
        if (self->state_ != State::kLingering && self->state_ != State::kStreaming) return;
        self->drop_bytes_left_ -= static_cast<int64_t>(n);
        if (ec || self->drop_bytes_left_ <= 0) {
          self->Close();
        } else {
          self->ReadAndDrop();
        }
      });
}

void HttpSession::Close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  deadline_ms_ = 0;
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  auto self = shared_from_this();
  if (stream_) {
    stream_->closed_ = true;
    stream_.reset();
  }
  worker_->Remove(self);
  worker_->core().OnClosed();
}

}  // namespace millrace::serve
