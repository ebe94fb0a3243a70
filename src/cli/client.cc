#include "cli/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <simdjson.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <cstdlib>

#include "env/clock.h"
#include "env/tcp_connect.h"

namespace millrace::cli {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr uint64_t kAnswerBytesMax = 256ULL << 20;

// A socket whose calls give up at a deadline, as a stream that Beast reads from and writes to.
class TimedSocket {
 public:
  explicit TimedSocket(int64_t deadline_us) : deadline_us_(deadline_us) {}
  ~TimedSocket() { Close(); }
  TimedSocket(const TimedSocket&) = delete;
  TimedSocket& operator=(const TimedSocket&) = delete;

  Status Connect(const std::string& host, const std::string& port) {
    const int64_t left_us = deadline_us_ - env::Clock::System()->MonotonicMicros();
    MR_ASSIGN_OR_RETURN(descriptor_, env::ConnectTcp(host, port, left_us / 1000));
    return Status::Ok();
  }

  template <typename Buffers>
  size_t read_some(const Buffers& buffers, error_code& error) {
    auto buffer = First<asio::mutable_buffer>(buffers);
    if (buffer.size() == 0) return 0;
    if ((error = WaitFor(POLLIN))) return 0;
    ssize_t got = recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (got == 0) error = asio::error::eof;
    return Count(got, error);
  }
  template <typename Buffers>
  size_t read_some(const Buffers& buffers) {
    error_code ignored;
    return read_some(buffers, ignored);
  }
  template <typename Buffers>
  size_t write_some(const Buffers& buffers, error_code& error) {
    auto buffer = First<asio::const_buffer>(buffers);
    if (buffer.size() == 0) return 0;
    if ((error = WaitFor(POLLOUT))) return 0;
    return Count(send(descriptor_, buffer.data(), buffer.size(), MSG_NOSIGNAL), error);
  }
  template <typename Buffers>
  size_t write_some(const Buffers& buffers) {
    error_code ignored;
    return write_some(buffers, ignored);
  }

 private:
  template <typename Buffer, typename Buffers>
  static Buffer First(const Buffers& buffers) {
    for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers);
         ++at) {
      if (Buffer(*at).size() > 0) return Buffer(*at);
    }
    return {};
  }

  static error_code LastError() { return {errno, boost::system::system_category()}; }

  static size_t Count(ssize_t count, error_code& error) {
    if (count >= 0) return static_cast<size_t>(count);
    error = LastError();
    return 0;
  }

  error_code WaitFor(short events) {
    for (;;) {
      int64_t left_us = deadline_us_ - env::Clock::System()->MonotonicMicros();
      if (left_us <= 0) return asio::error::timed_out;
      pollfd entry{descriptor_, events, 0};
      int ready = poll(&entry, 1, static_cast<int>(left_us / 1000 + 1));
      if (ready > 0) return {};
      if (ready < 0 && errno != EINTR) return LastError();
    }
  }

  void Close() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
  }

  int64_t deadline_us_;
  int descriptor_ = -1;
};

Status TransportError(const std::string& where, const error_code& error) {
  if (error == asio::error::timed_out) {
    return Status(Code::kDeadlineExceeded, where + " does not answer in time");
  }
  return Status(Code::kUnavailable, fmt::format("{} broke off: {}", where, error.message()));
}

}  // namespace

Result<HttpClient> HttpClient::ForUrl(const std::string& url) {
  constexpr std::string_view kScheme = "http://";
  HttpClient client;
  size_t colon = url.rfind(':');
  if (url.rfind(kScheme, 0) != 0 || colon == std::string::npos || colon < kScheme.size()) {
    return Status(Code::kInvalidArgument, fmt::format("\"{}\" is not http://host:port", url));
  }
  client.host_ = url.substr(kScheme.size(), colon - kScheme.size());
  client.port_ = url.substr(colon + 1);
  if (client.host_.size() > 2 && client.host_.front() == '[') {
    client.host_ = client.host_.substr(1, client.host_.size() - 2);
  }
  return client;
}

Result<HttpReply> HttpClient::Send(const std::string& method, const std::string& target,
                                   const std::string& body) const {
  std::string where = fmt::format("http://{}:{}", host_, port_);
  TimedSocket socket(env::Clock::System()->MonotonicMicros() + timeout_ms_ * 1000);
  MR_RETURN_IF_ERROR(socket.Connect(host_, port_));
  http::request<http::string_body> request(http::string_to_verb(method), target, 11);
  bool ip6 = host_.find(':') != std::string::npos;
  request.set(http::field::host, (ip6 ? "[" + host_ + "]" : host_) + ":" + port_);
  request.set(http::field::user_agent, "millrace");
  request.set(http::field::content_type, "application/json");
  request.keep_alive(false);
  request.body() = body;
  request.prepare_payload();

  error_code error;
  http::write(socket, request, error);
  if (error) return TransportError(where, error);
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kAnswerBytesMax);
  http::read(socket, buffer, parser, error);
  if (error) return TransportError(where, error);
  return HttpReply{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

Result<std::string> HttpClient::Get(const std::string& target) const {
  MR_ASSIGN_OR_RETURN(HttpReply reply, Send("GET", target));
  if (reply.status / 100 == 2) return std::move(reply.body);
  return ErrorOfReply(reply);
}

Result<std::string> HttpClient::Post(const std::string& target, const std::string& body) const {
  MR_ASSIGN_OR_RETURN(HttpReply reply, Send("POST", target, body));
  if (reply.status / 100 == 2) return std::move(reply.body);
  return ErrorOfReply(reply);
}

Status ErrorOfReply(const HttpReply& reply) {
  simdjson::dom::parser parser;
  simdjson::dom::object error;
  std::string_view code, message;
  bool shaped =
      !parser.parse(reply.body.data(), reply.body.size(), true)["error"].get_object().get(error) &&
      !error["code"].get_string().get(code) && !error["message"].get_string().get(message);
  int number = shaped && code.size() > 2 ? std::atoi(std::string(code.substr(2)).c_str()) : 0;
  if (number <= 0) {
    return Status(Code::kUnavailable,
                  fmt::format("the server answered with HTTP status {}", reply.status));
  }
  auto optional_text = [&](const char* name) {
    std::string_view text;
    return error[name].get_string().get(text) ? std::string() : std::string(text);
  };
  return Status(static_cast<Code>(number), std::string(message))
      .WithHint(optional_text("hint"))
      .WithDetail(optional_text("detail"));
}

std::string PercentEncode(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '-' || c == '_' || c == '.' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace millrace::cli
