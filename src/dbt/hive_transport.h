// HiveTransport: the bytes to and from a HiveServer2, over TCP.
//
// Contract: one thread at a time, but Abort, which any thread may call. Reads wait as long as the
// server lives: a host that is gone is found by TCP within about a minute. After an error it is
// closed, and may be connected again.
//
// Format: with a login every message is a frame, i32 size and that many bytes, after the exchange
// of SASL's mechanism PLAIN: byte status (1 start, 2 ok, 3 bad, 4 error, 5 complete), i32 size,
// bytes. Without one (hive.server2.authentication: NOSASL) messages follow each other bare. Source:
// org.apache.thrift.transport.TSaslTransport; RFC 4616.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "base/status.h"

namespace millrace::dbt {

class HiveTransport {
 public:
  HiveTransport() = default;
  ~HiveTransport() { Close(); }
  HiveTransport(const HiveTransport&) = delete;
  HiveTransport& operator=(const HiveTransport&) = delete;

  Status Connect(const std::string& host, const std::string& port, int64_t timeout_ms);
  // Frames from here on.
  Status Login(const std::string& user, const std::string& password);
  Status Send(const std::string& message);
  Status Read(char* to, size_t count);
  bool is_open() const { return socket_ >= 0; }
  void Close();
  // Whoever waits in Read or Send gets an error.
  void Abort();

 private:
  Status Lost(const std::string& doing);
  Status SendAll(const std::string& bytes);
  Status SendSasl(int status, const std::string& payload);
  Status Receive(char* to, size_t count);
  Status NextFrame();

  int socket_ = -1;
  std::mutex mutex_;  // over closing and aborting
  std::string shown_;
  bool framed_ = false;
  std::string buffer_;  // what came and was not taken: from `taken_` on
  size_t taken_ = 0;
  size_t frame_left_ = 0;
};

}  // namespace millrace::dbt
