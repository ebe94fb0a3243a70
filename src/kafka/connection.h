// Connection: one client. Takes requests apart, hands them to their API, answers in order.
//
// Contract: lives on its worker's thread; calls end on any. One request is handled at a time,
// except that Produce requests follow each other while earlier ones wait for the disk, up to
// kProduceCallsMax calls and produce_bytes_max bytes. So memory per connection is bounded by those
// and one answer. A frame that cannot be understood closes this connection, with a logged reason.
// Where clients have to log in, nothing but that, in small frames and in time, is taken before.
//
// Format: int32 length; header: int16 API key, int16 version, int32 correlation id, nullable string
// client id, in flexible versions tags; then the message. Source: Kafka protocol guide; KIP-482.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <memory>
#include <string>

#include "kafka/api_table.h"
#include "kafka/call.h"
#include "kafka/frame_writer.h"
#include "kafka/transport.h"

namespace millrace::kafka {

class Worker;

// The header at the start of `bytes`, and where the message begins. False when it is malformed;
// then *fault says how.
bool ParseRequestHeader(std::string_view bytes, RequestHeader* header, const Api** api,
                        bool* flexible, size_t* body_at, std::string* fault);

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Worker& worker, boost::asio::ip::tcp::socket socket, const Endpoint& endpoint);
  ~Connection();

  void Start();
  // `fault` "": an ordinary end, not worth a line in the log.
  void Close(const std::string& fault);
  bool IsLate(int64_t now_ms) const;

 private:
  struct Slot {
    int64_t request_bytes = 0;
    bool is_produce = false;
    bool done = false;
    Frame frame;
    std::string fault;  // closes the connection when the frame is written
  };

  void Open();
  void ReadLength();
  void ReadBody();
  void OnRequest();
  void Handle(std::string bytes);
  void HandleToken(std::string token);
  bool MayHandle(bool is_produce) const;
  int64_t RequestBytesMax() const;
  // A slot behind the others, and what fills it in.
  Call::Done AddSlot(int64_t request_bytes, bool is_produce);
  void OnAnswer(const Slot& slot);
  void Mute(int64_t wait_ms);
  // The next frame is a bare token of a login, without header.
  bool TakesToken() const { return session_->bare_tokens && !session_->authenticated; }
  void WriteNext();
  void Touch();

  Worker& worker_;
  Transport transport_;
  FrameWriter writer_{transport_};
  const SessionPtr session_ = std::make_shared<Session>();
  char length_[6];  // and the API key, which says how long a frame may be
  std::string bytes_;
  size_t got_ = 0;
  size_t want_ = 0;
  bool open_ = false;  // TLS, if any, is
  bool reading_ = false;
  bool held_ = false;  // bytes_ is a whole request that waits for earlier ones
  bool writing_ = false;
  int mutes_ = 0;  // that last: nothing is read or handled (KIP-219)
  bool closed_ = false;
  std::deque<std::shared_ptr<Slot>> slots_;
  int64_t slot_bytes_ = 0;
  int64_t last_progress_ms_ = 0;
};

}  // namespace millrace::kafka
