// TLS of a listener: its certificate, and what it asks of its clients'.
//
// Contract: made once, then read by every connection. Files are PEM and read when it is made; who
// makes it again when they change: kafka/security/tls_files.h.
// TLS 1.2 at least; no compression, no renegotiation.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "base/status.h"
#include "kafka/options.h"

namespace millrace::kafka {

// Errors: kInvalidArgument, naming the file and OpenSSL's reason.
Result<std::unique_ptr<boost::asio::ssl::context>> NewTlsContext(const TlsOptions& options);

// "User:CN=alice,O=Example" (RFC 2253), as Kafka names who comes with a certificate that was
// checked; "" for who comes without one.
std::string PrincipalOfCertificate(SSL* connection);

}  // namespace millrace::kafka
