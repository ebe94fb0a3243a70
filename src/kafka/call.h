// Call: one request on its way through a handler to its answer.
//
// Contract: shared by whoever still has to answer. Exactly one of Answer, AnswerNothing and Close
// is called, from any thread; later ones are ignored. Bytes of the request live as long as the
// call.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "kafka/frame.h"
#include "kafka/session.h"
#include "kafka/wire_io.h"

namespace millrace::kafka {

class Worker;

struct RequestHeader {
  int16_t api_key = -1;
  int16_t api_version = 0;
  int32_t correlation_id = 0;
  std::optional<std::string> client_id;
};

class Call {
 public:
  // How the connection learns of the end: `frame` with its length in front, empty for no answer; a
  // `fault` closes the connection, once the frame is written if there is one. `mute_ms`: for as
  // long nothing more is read.
  using Done = std::function<void(Frame frame, std::string fault, int64_t mute_ms)>;

  Call(RequestHeader header, bool flexible, std::string bytes, size_t body_at, SessionPtr session,
       Worker* worker, Done done)
      : header_(std::move(header)),
        flexible_(flexible),
        bytes_(std::move(bytes)),
        body_at_(body_at),
        session_(std::move(session)),
        worker_(worker),
        done_(std::move(done)) {}

  const RequestHeader& header() const { return header_; }
  int version() const { return header_.api_version; }
  std::string client_id() const { return header_.client_id.value_or(""); }
  Session& session() const { return *session_; }
  const SessionPtr& shared_session() const { return session_; }
  const Endpoint& endpoint() const { return *session_->endpoint; }
  Worker& worker() { return *worker_; }

  // False, with the connection closed, when the bytes are not such a message. Bytes behind it are
  // ignored, as Kafka does: librdkafka sends one too many behind Metadata 9.
  template <class Request>
  bool Decode(Request& request) {
    WireReader reader(std::string_view(bytes_).substr(body_at_), version(), flexible_);
    reader.Field(request);
    if (reader.ok()) return true;
    Close("malformed request: API " + std::to_string(header_.api_key) + " version " +
          std::to_string(version()) + ": " + reader.fault());
    return false;
  }
  template <class Response>
  void Answer(Response& response) {
    AnswerIn(response, version(), flexible_, flexible_);
  }
  // For ApiVersions, whose answer always has the plain header.
  template <class Response>
  void AnswerIn(Response& response, int version, bool flexible, bool flexible_header) {
    End(Encode(response, version, flexible, flexible_header), "");
  }
  template <class Response>
  void AnswerAndClose(Response& response, std::string fault) {
    End(Encode(response, version(), flexible_, flexible_), std::move(fault));
  }
  // Nothing more is read from the connection for as long: from the return of the handler on, or the
  // call's end when it waits longer than its handler.
  void MuteFor(int64_t wait_ms) { mute_ms_ = wait_ms; }
  // For the connection: what was asked for since the last time.
  int64_t TakeMute() { return mute_ms_.exchange(0); }
  void AnswerNothing() { End({}, ""); }
  void Close(std::string fault) { End({}, std::move(fault)); }

 private:
  template <class Response>
  Frame Encode(Response& response, int version, bool flexible, bool flexible_header) {
    constexpr size_t kLength = 4;
    Frame frame{std::string(kLength, '\0'), {}};
    WireWriter header(&frame.bytes, 0, flexible_header);
    header(header_.correlation_id);
    header.Tags();
    WireWriter writer(&frame, version, flexible);
    writer.Field(response);
    auto length = static_cast<int64_t>(frame.bytes.size() - kLength);
    for (const Frame::Slice& slice : frame.slices) length += slice.batches.bytes;
    log::StoreBig<int32_t>(frame.bytes.data(), static_cast<int32_t>(length));
    return frame;
  }
  void End(Frame frame, std::string fault) {
    if (!ended_.exchange(true)) done_(std::move(frame), std::move(fault), TakeMute());
  }

  const RequestHeader header_;
  const bool flexible_;
  const std::string bytes_;
  const size_t body_at_;
  const SessionPtr session_;
  Worker* const worker_;
  const Done done_;
  std::atomic<int64_t> mute_ms_{0};
  std::atomic<bool> ended_{false};
};

using CallPtr = std::shared_ptr<Call>;

}  // namespace millrace::kafka
