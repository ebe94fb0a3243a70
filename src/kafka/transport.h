// Transport: the bytes of one client, plain or inside TLS.
//
// Contract: one thread. At most one Read and one Write (or WaitWritable) are under way; handlers
// are called as asio's are, with an error when Close comes first. Without TLS it costs one branch.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <string>
#include <utility>

#include "kafka/security/tls.h"
#include "kafka/security/tls_files.h"

namespace millrace::kafka {

class Transport {
 public:
  // `tls` null: plain.
  Transport(boost::asio::ip::tcp::socket socket, const TlsFiles* tls)
      : socket_(std::move(socket)) {
    // OpenSSL keeps what a connection needs of the context.
    if (tls != nullptr) tls_ = std::make_unique<TlsStream>(socket_, *tls->current());
  }

  bool is_tls() const { return tls_ != nullptr; }
  // Of TLS, before anything else. `handler(error)`.
  template <class Handler>
  void Handshake(Handler handler) {
    tls_->async_handshake(boost::asio::ssl::stream_base::server, std::move(handler));
  }
  // "" without a checked certificate; after the handshake.
  std::string CertificatePrincipal() { return PrincipalOfCertificate(tls_->native_handle()); }

  // Fills the buffer. `handler(error, count)`.
  template <class Buffer, class Handler>
  void Read(Buffer buffer, Handler handler) {
    if (tls_) {
      boost::asio::async_read(*tls_, buffer, std::move(handler));
    } else {
      boost::asio::async_read(socket_, buffer, std::move(handler));
    }
  }
  // Writes all of the buffer. `handler(error, count)`.
  template <class Buffer, class Handler>
  void Write(Buffer buffer, Handler handler) {
    if (tls_) {
      boost::asio::async_write(*tls_, buffer, std::move(handler));
    } else {
      boost::asio::async_write(socket_, buffer, std::move(handler));
    }
  }
  // Until a plain socket takes bytes again. `handler(error)`.
  template <class Handler>
  void WaitWritable(Handler handler) {
    socket_.async_wait(boost::asio::ip::tcp::socket::wait_write, std::move(handler));
  }
  void Close() {
    boost::system::error_code ignored;
    socket_.shutdown(boost::asio::ip::tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }
  boost::asio::ip::tcp::socket& socket() { return socket_; }

 private:
  using TlsStream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>;

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<TlsStream> tls_;
};

}  // namespace millrace::kafka
