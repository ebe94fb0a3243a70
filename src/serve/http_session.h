// HttpSession: one connection. Reads a request, hands it to its route, writes the answer, repeats.
//
// Contract: internal to the server; lives on its worker's thread except Send and StartStream,
// which Responder calls from anywhere.
//
//        +-----------------------------------------------+
//        v                                               |
//   kReading --whole request--> kHandling --Send--> kWriting --close--> kLingering --> kClosed
//        |                          |                    ^
//        +--malformed, too large----|--------------------+
//                                   +--StartStream--> kStreaming --> kClosed
#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/http_worker.h"
#include "serve/padded_body.h"
#include "serve/responder.h"

namespace millrace::serve {

class SessionStream;

class HttpSession : public Responder::Sink, public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(std::shared_ptr<HttpWorker> worker, boost::asio::ip::tcp::socket socket);
  ~HttpSession() override;

  void Start(bool refused);
  void Close();
  bool IsLate(int64_t now_ms) const { return deadline_ms_ != 0 && now_ms >= deadline_ms_; }
  void OnTimeout();
  // No request has begun to arrive, or only an endless stream is being sent.
  bool IsIdle() const;

  void Send(Response response) override;
  std::shared_ptr<BodyStream> StartStream(Response head) override;

  // For SessionStream; on the worker's thread.
  void WriteStream(std::shared_ptr<const std::string> bytes);

 private:
  friend class SessionStream;
  enum class State { kReading, kHandling, kWriting, kStreaming, kLingering, kClosed };

  void BeginRequest();
  void Read();
  void OnRead(const boost::system::error_code& ec, size_t bytes);
  void Parse();
  bool OnHeader();
  void RefuseMalformed(const boost::system::error_code& ec);
  void OnEndOfInput();
  void Dispatch();
  void Refuse(int http_status, Status status, StringPairs headers = {});
  void OnAnswer(Response response);
  void WriteHead(const Response& response, size_t body_bytes, bool stream);
  void OnWritten(const boost::system::error_code& ec);
  void Linger();
  void ReadAndDrop();
  void PumpStream();
  void SetDeadline(int64_t in_ms);

  std::shared_ptr<HttpWorker> worker_;
  boost::asio::ip::tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<PaddedBody>> parser_;
  State state_ = State::kReading;
  int64_t deadline_ms_ = 0;  // monotonic; 0: none
  bool header_seen_ = false;
  bool keep_alive_ = false;
  bool http_1_0_ = false;
  int64_t drop_bytes_left_ = 0;

  // Of the request in progress; written before the handler runs.
  std::string route_;
  Method method_ = Method::kOther;
  int64_t begin_us_ = 0;
  int64_t bytes_in_ = 0;
  bool handed_over_ = false;  // counted in HttpCore::handling

  std::string head_;  // the answer being written
  Response response_;
  std::shared_ptr<SessionStream> stream_;
};

// The body of an answer that goes on; keeps its connection alive.
class SessionStream : public BodyStream {
 public:
  SessionStream(std::shared_ptr<HttpSession> session, int64_t bytes_max)
      : session_(std::move(session)), bytes_max_(bytes_max) {}

  bool Write(std::shared_ptr<const std::string> bytes) override;
  bool Closed() const override { return closed_.load(); }
  void Close() override;

 private:
  friend class HttpSession;
  std::shared_ptr<HttpSession> session_;
  const int64_t bytes_max_;
  std::atomic<int64_t> waiting_bytes_{0};
  std::atomic<bool> closed_{false};
  // On the worker's thread.
  std::vector<std::shared_ptr<const std::string>> waiting_;
  std::vector<std::shared_ptr<const std::string>> writing_;
  bool busy_ = true;  // until the head is out
};

}  // namespace millrace::serve
