#include "kafka/security/tls.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <functional>

namespace millrace::kafka {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

namespace {

Status Load(const char* what, const std::string& path, const std::string& setting,
            const std::function<void(error_code&)>& load) {
  if (path.empty()) {
    return Status(Code::kInvalidArgument, fmt::format("TLS of the Kafka port needs {}", what))
        .WithHint(fmt::format("name a PEM file as {} in the section tls of kafka", setting));
  }
  error_code ec;
  load(ec);
  if (!ec) return {};
  return Status(Code::kInvalidArgument, fmt::format("cannot use \"{}\" as {} of the Kafka port: {}",
                                                    path, what, ec.message()))
      .WithHint("it is a PEM file that this process may read; a key that is encrypted needs its "
                "password (key-password), and belongs to the certificate");
}

}  // namespace

Result<std::unique_ptr<ssl::context>> NewTlsContext(const TlsOptions& options) {
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  SSL_CTX* const native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, options.version_13_only ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // idle connections hold no buffers
  MR_RETURN_IF_ERROR(Load("a certificate", options.certificate, "certificate", [&](auto& ec) {
    context->use_certificate_chain_file(options.certificate, ec);
  }));
  // Always: without it OpenSSL asks whoever sits at the terminal.
  context->set_password_callback(
      [password = options.key_password](size_t, ssl::context::password_purpose) {
        return password;
      });
  MR_RETURN_IF_ERROR(Load("a key", options.key, "key", [&](auto& ec) {
    context->use_private_key_file(options.key, ssl::context::pem, ec);
  }));
  if (options.client_auth == TlsOptions::ClientAuth::kNone) return context;
  MR_RETURN_IF_ERROR(Load("a CA of its clients", options.ca, "ca",
                          [&](auto& ec) { context->load_verify_file(options.ca, ec); }));
  SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(options.ca.c_str()));
  ssl::verify_mode mode = ssl::verify_peer;
  if (options.client_auth == TlsOptions::ClientAuth::kRequired) {
    mode |= ssl::verify_fail_if_no_peer_cert;
  }
  context->set_verify_mode(mode);
  // Sessions that are resumed carry a client's certificate only under a name.
  constexpr std::string_view kSessions = "millrace";
  SSL_CTX_set_session_id_context(native, reinterpret_cast<const unsigned char*>(kSessions.data()),
                                 kSessions.size());
  return context;
}

std::string PrincipalOfCertificate(SSL* connection) {
  const std::unique_ptr<X509, void (*)(X509*)> certificate(SSL_get1_peer_certificate(connection),
                                                           X509_free);
  if (!certificate || SSL_get_verify_result(connection) != X509_V_OK) return "";
  const std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new(BIO_s_mem()), BIO_free);
  X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate.get()), 0,
                     XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* bytes = nullptr;
  const auto length = static_cast<size_t>(BIO_get_mem_data(text.get(), &bytes));
  return "User:" + std::string(bytes, length);
}

}  // namespace millrace::kafka
