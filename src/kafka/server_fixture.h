// For tests: a KafkaServer over a log in memory, and a client that sends what it is told to.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/base64.h"
#include "base/strings.h"
#include "env/fault_files.h"
#include "kafka/api_table.h"
#include "kafka/error_codes.h"
#include "kafka/message_list.h"
#include "kafka/server.h"

namespace millrace::kafka {

class TestClient {
 public:
  explicit TestClient(int port) {
    socket_.connect({boost::asio::ip::address_v4::loopback(), static_cast<uint16_t>(port)});
  }

  void SendBytes(const std::string& bytes) {
    boost::system::error_code ignored;  // a connection that is closed shows when it is read from
    boost::asio::write(socket_, boost::asio::buffer(bytes), ignored);
  }
  // Length and bytes.
  void SendFrame(const std::string& body) {
    std::string frame(4, '\0');
    log::StoreBig<int32_t>(frame.data(), static_cast<int32_t>(body.size()));
    SendBytes(frame + body);
  }
  // Nullopt when the server has closed the connection.
  std::optional<std::string> ReadFrame() {
    boost::system::error_code ec;
    char length[4];
    boost::asio::read(socket_, boost::asio::buffer(length), ec);
    if (ec) return std::nullopt;
    std::string body(static_cast<size_t>(log::LoadBig<int32_t>(length)), '\0');
    boost::asio::read(socket_, boost::asio::buffer(body), ec);
    if (ec) return std::nullopt;
    return body;
  }
  template <class Response, class Request>
  std::optional<Response> Ask(int16_t key, int version, Request request) {
    Send(key, version, std::move(request));
    return Receive<Response>(key, version);
  }
  template <class Request>
  void Send(int16_t key, int version, Request request) {
    const bool flexible = version >= FindApi(key)->flexible_from;
    std::string body;
    RequestHeader header{key, static_cast<int16_t>(version), ++sent_, "test"};
    WireWriter(&body, 0, false)(header.api_key, header.api_version, header.correlation_id,
                                header.client_id);
    if (flexible) WireWriter(&body, 0, true).Tags();
    WireWriter(&body, version, flexible).Field(request);
    SendFrame(body);
  }
  // Nullopt when the server has closed the connection.
  template <class Response>
  std::optional<Response> Receive(int16_t key, int version) {
    auto frame = ReadFrame();
    if (!frame) return std::nullopt;
    const bool flexible = version >= FindApi(key)->flexible_from;
    int32_t correlation = 0;
    WireReader head(*frame, 0, flexible && key != kApiVersionsKey);
    head(correlation);
    head.Tags();
    EXPECT_EQ(correlation, ++received_);
    Response response;
    WireReader reader(std::string_view(*frame).substr(frame->size() - head.left()), version,
                      flexible);
    reader.Field(response);
    EXPECT_TRUE(reader.ok()) << FindApi(key)->name << ": " << reader.fault();
    kept_ = *std::move(frame);
    return response;
  }

  // The error codes of a login; kNone when it is done. Nullopt: the server closed the connection.
  std::optional<int16_t> LogIn(const std::string& user, const std::string& password,
                               const std::string& mechanism = kPlainMechanism) {
    const auto handshake = Ask<SaslHandshakeResponse>(17, 1, SaslHandshakeRequest{mechanism});
    if (!handshake) return std::nullopt;
    if (handshake->error_code != kNone) return handshake->error_code;
    if (mechanism == kPlainMechanism) {
      return Token(std::string(1, '\0') + user + std::string(1, '\0') + password);
    }
    const auto hash =
        mechanism == MechanismOf(ScramHash::kSha256) ? ScramHash::kSha256 : ScramHash::kSha512;
    const std::string bare = "n=" + user + ",r=client";
    const auto refused = Token("n,," + bare);
    if (refused != kNone) return refused;
    const auto parts = Split(message_, ',');  // r, s, i
    const std::string salted = SaltPassword(hash, password, DecodeBase64(parts.at(1).substr(2)),
                                            std::stoi(parts.at(2).substr(2)));
    const std::string without_proof = "c=biws," + parts.at(0);
    const std::string stored_key = CredentialOf(hash, "", 0, salted).stored_key;
    std::string proof = Hmac(hash, salted, "Client Key");
    const std::string signature =
        Hmac(hash, stored_key, bare + "," + message_ + "," + without_proof);
    for (size_t i = 0; i < proof.size(); i++) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
    return Token(without_proof + ",p=" + Base64(proof));
  }

 private:
  std::optional<int16_t> Token(const std::string& token) {
    const auto answer = Ask<SaslAuthenticateResponse>(36, 2, SaslAuthenticateRequest{{token}});
    if (!answer) return std::nullopt;
    message_ = answer->message.value;
    return answer->error_code;
  }

  std::unique_ptr<boost::asio::io_context> io_ = std::make_unique<boost::asio::io_context>();
  boost::asio::ip::tcp::socket socket_{*io_};
  int32_t sent_ = 0;  // correlation ids
  int32_t received_ = 0;
  std::string message_;  // of the server, in the login
  std::string kept_;     // the last frame: views in a response point into it
};

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.listeners.front().port = 0;
    options_.files = &files_;
    options_.security_file = "/security";
    log::LogOptions options;
    options.directory = "/log";
    options.files = &files_;
    auto log = log::Log::Open(options);
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    log_ = *std::move(log);
  }
  // Again: a restart.
  void Start() {
    server_.reset();
    auto server = KafkaServer::Start(*log_, *env::Clock::System(), options_);
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = *std::move(server);
  }
  TestClient Connect() { return TestClient(server_->port()); }

  env::FaultFileSystem files_{1};
  KafkaServerOptions options_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<KafkaServer> server_;
};

}  // namespace millrace::kafka
