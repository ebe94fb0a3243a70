// Listener: accepts the clients of one address and gives them to the workers in turn.
//
// Contract: internal to the server. Listen once, before the workers start; Close on the first
// worker's thread, where accepting happens.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <span>

#include "base/status.h"
#include "kafka/security/tls_files.h"
#include "kafka/session.h"
#include "kafka/worker.h"

namespace millrace::kafka {

class Listener {
 public:
  // All outlive this. `tls`: of a listener that has it.
  Listener(const ListenerOptions& options, Services& services,
           std::span<const std::unique_ptr<Worker>> workers, const TlsFiles* tls);

  // Binds and begins to accept. Errors: kInvalidArgument (address), kUnavailable (port taken).
  Status Listen();
  void Close();

  const Endpoint& endpoint() const { return endpoint_; }
  int port() const { return port_; }

 private:
  void Accept();
  bool MayConnect();

  const ListenerOptions options_;
  Services& services_;
  const std::span<const std::unique_ptr<Worker>> workers_;
  Endpoint endpoint_;
  int port_ = 0;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  size_t next_worker_ = 0;
};

}  // namespace millrace::kafka
