#include "kafka/listener.h"
#include "env/diag.h"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <chrono>

namespace millrace::kafka {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

Listener::Listener(const ListenerOptions& options, Services& services,
                   std::span<const std::unique_ptr<Worker>> workers, const TlsFiles* tls)
    : options_(options),
      services_(services),
      workers_(workers),
      acceptor_(workers[0]->io()),
      retry_(workers[0]->io()) {
  endpoint_.tls = options.tls ? tls : nullptr;
}

Status Listener::Listen() {
  boost::system::error_code ec;
  const asio::ip::address address =
      asio::ip::make_address(options_.address == "localhost" ? "127.0.0.1" : options_.address, ec);
  if (ec || options_.port < 0 || options_.port > 65535) {
    return Status(Code::kInvalidArgument,
                  fmt::format("\"{}\" with port {} is not an address for the Kafka port",
                              options_.address, options_.port))
        .WithHint("an address is like 127.0.0.1, 0.0.0.0 or ::1, a port 0 to 65535");
  }
  if (!options_.tls && options_.sasl && !address.is_loopback()) {
    diag::Warn("kafka: logins and records are not encrypted: address={}", options_.address);
  }
  const tcp::endpoint endpoint(address, static_cast<uint16_t>(options_.port));
  acceptor_.open(endpoint.protocol(), ec);
  if (!ec) acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) acceptor_.bind(endpoint, ec);
  if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) {
    return Status(Code::kUnavailable, fmt::format("cannot listen for Kafka clients on {}:{}: {}",
                                                  options_.address, options_.port, ec.message()))
        .WithHint("another program may use this port; choose another one, or 0 for a free one");
  }
  port_ = acceptor_.local_endpoint().port();
  endpoint_.host = options_.advertised_host;
  if (endpoint_.host.empty()) {
    endpoint_.host = address.is_unspecified() ? "localhost" : address.to_string();
  }
  endpoint_.port = options_.advertised_port == 0 ? port_ : options_.advertised_port;
  endpoint_.sasl = options_.sasl;
  Accept();
  return {};
}

void Listener::Close() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  retry_.cancel();
}

void Listener::Accept() {
  Worker& next = *workers_[next_worker_++ % workers_.size()];
  acceptor_.async_accept(
      next.io(), [this, &next](const boost::system::error_code& ec, tcp::socket socket) {
        if (ec == asio::error::operation_aborted || !acceptor_.is_open()) return;
        if (ec) {
          // Most likely no file descriptor is free: wait for connections to end.
          diag::Error("kafka: cannot accept connections: reason={}", ec.message());
          retry_.expires_after(std::chrono::milliseconds(200));
          retry_.async_wait([this](const boost::system::error_code& cancelled) {
            if (!cancelled && acceptor_.is_open()) Accept();
          });
          return;
        }
        if (MayConnect()) {
          next.Run([this, &next, s = std::move(socket)]() mutable {
            next.Adopt(std::move(s), endpoint_);
          });
        } else {
          diag::Warn("kafka: connection refused: reason=\"{} are open\"",
                     services_.options.connections_max);
        }
        Accept();
      });
}

bool Listener::MayConnect() {
  std::lock_guard lock(services_.connections_mutex);
  return services_.connections < services_.options.connections_max;
}

}  // namespace millrace::kafka
