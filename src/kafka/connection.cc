#include "kafka/connection.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>

#include "env/diag.h"
#include "kafka/login.h"
#include "kafka/worker.h"

namespace millrace::kafka {

namespace asio = boost::asio;

namespace {
constexpr size_t kProduceCallsMax = 32;
constexpr size_t kHeaderBytesMin = 10;  // key, version, correlation id, client id's length
constexpr size_t kReadStep = 1 << 20;   // memory follows what arrives, not what is announced
constexpr size_t kLengthBytes = 4;

bool MayComeBeforeLogin(int16_t key) {
  return key == kApiVersionsKey || key == kSaslHandshakeKey || key == kSaslAuthenticateKey;
}

}  // namespace

bool ParseRequestHeader(std::string_view bytes, RequestHeader* header, const Api** api,
                        bool* flexible, size_t* body_at, std::string* fault) {
  WireReader reader(bytes, 0, false);
  reader(header->api_key, header->api_version, header->correlation_id, header->client_id);
  if (!reader.ok()) {
    *fault = fmt::format("malformed request header: {}", reader.fault());
    return false;
  }
  *api = FindApi(header->api_key);
  if (*api == nullptr) {
    *fault = fmt::format("API {} is not served here", header->api_key);
    return false;
  }
  *flexible = header->api_version >= (*api)->flexible_from;
  *body_at = bytes.size() - reader.left();
  if (!*flexible) return true;
  WireReader tags(bytes.substr(*body_at), 0, true);
  tags.Tags();
  *body_at = bytes.size() - tags.left();
  if (!tags.ok()) *fault = fmt::format("malformed request header: {}", tags.fault());
  return tags.ok();
}

Connection::Connection(Worker& worker, asio::ip::tcp::socket socket, const Endpoint& endpoint)
    : worker_(worker), transport_(std::move(socket), endpoint.tls) {
  boost::system::error_code ignored;
  session_->endpoint = &endpoint;
  session_->authenticated = !endpoint.sasl;
  session_->address = transport_.socket().remote_endpoint(ignored).address().to_string();
  transport_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  std::lock_guard lock(worker_.services().connections_mutex);
  worker_.services().connections++;
}

Connection::~Connection() {
  std::lock_guard lock(worker_.services().connections_mutex);
  worker_.services().connections--;
  worker_.services().connection_gone.notify_all();
}

void Connection::Start() {
  Touch();
  if (transport_.is_tls()) {
    transport_.Handshake([this, self = shared_from_this()](const boost::system::error_code& ec) {
      if (closed_) return;
      if (ec) {
        Close("TLS handshake: " + ec.message());
        return;
      }
      const std::string principal = transport_.CertificatePrincipal();
      if (!principal.empty()) session_->principal = principal;
      Open();
    });
  } else {
    Open();
  }
}

void Connection::Open() {
  open_ = true;
  Touch();
  ReadLength();
}

void Connection::Touch() {
  last_progress_ms_ = worker_.services().now_ms();
}

bool Connection::IsLate(int64_t now_ms) const {
  const KafkaServerOptions& options = worker_.services().options;
  if (writing_) return now_ms - last_progress_ms_ > options.write_timeout_ms;
  if (!slots_.empty()) return false;
  const int64_t silent_ms = now_ms - last_progress_ms_;
  const bool logs_in = !open_ || !session_->authenticated;
  return silent_ms > (logs_in ? options.login_timeout_ms : options.idle_timeout_ms);
}

void Connection::Close(const std::string& fault) {
  if (closed_) return;
  closed_ = true;
  if (!fault.empty()) {
    diag::Warn("kafka: connection closed: peer={} reason=\"{}\"", session_->address, fault);
  }
  transport_.Close();
  worker_.Remove(shared_from_this());
}

void Connection::ReadLength() {
  if (reading_ || held_ || closed_ || mutes_ > 0 || !MayHandle(true)) return;
  reading_ = true;
  const size_t head = TakesToken() ? kLengthBytes : sizeof(length_);
  transport_.Read(asio::buffer(length_, head), [this, head, self = shared_from_this()](
                                                   const boost::system::error_code& ec, size_t) {
    if (closed_) return;
    if (ec) {
      // The client went away; answers on their way to it are lost with it.
      Close("");
      return;
    }
    const auto length = log::LoadBig<int32_t>(length_);
    const int64_t min = TakesToken() ? 0 : kHeaderBytesMin;
    const int64_t max = RequestBytesMax();
    if (length < min || length > max) {
      Close(fmt::format("a request of {} bytes; from {} to {} are accepted", length, min, max));
      return;
    }
    Touch();
    want_ = static_cast<size_t>(length);
    got_ = head - kLengthBytes;
    bytes_.assign(length_ + kLengthBytes, got_);
    ReadBody();
  });
}

int64_t Connection::RequestBytesMax() const {
  const KafkaServerOptions& options = worker_.services().options;
  if (!session_->authenticated) return options.login_bytes_max;
  const auto key = log::LoadBig<int16_t>(length_ + kLengthBytes);
  return key == kProduceKey ? options.produce_bytes_max : options.request_bytes_max;
}

void Connection::ReadBody() {
  const size_t step = std::min(want_ - got_, kReadStep);
  bytes_.resize(got_ + step);
  transport_.Read(
      asio::buffer(bytes_.data() + got_, step),
      [this, step, self = shared_from_this()](const boost::system::error_code& ec, size_t) {
        if (closed_) return;
        if (ec) {
          Close("");
          return;
        }
        Touch();
        got_ += step;
        if (got_ < want_) {
          ReadBody();
          return;
        }
        reading_ = false;
        held_ = true;
        OnRequest();
      });
}

bool Connection::MayHandle(bool is_produce) const {
  if (slots_.empty()) return true;
  const bool room = slots_.size() < kProduceCallsMax &&
                    slot_bytes_ < worker_.services().options.produce_bytes_max;
  return is_produce && slots_.back()->is_produce && room;
}

void Connection::OnRequest() {
  if (!held_ || closed_ || mutes_ > 0) return;
  if (TakesToken()) {
    if (!MayHandle(false)) return;
    held_ = false;
    HandleToken(std::move(bytes_));
    bytes_.clear();
    return;
  }
  if (!MayHandle(log::LoadBig<int16_t>(bytes_.data()) == kProduceKey)) return;
  held_ = false;
  Handle(std::move(bytes_));
  bytes_.clear();
  ReadLength();
}

void Connection::Handle(std::string bytes) {
  RequestHeader header;
  const Api* api = nullptr;
  bool flexible = false;
  size_t body_at = 0;
  std::string fault;
  if (!ParseRequestHeader(bytes, &header, &api, &flexible, &body_at, &fault)) {
    Close(fault);
    return;
  }
  const bool known =
      header.api_version >= api->min_version && header.api_version <= api->max_version;
  if (!known && api->key != kApiVersionsKey) {
    Close(fmt::format("{} version {} is not served here, versions {} to {} are", api->name,
                      header.api_version, api->min_version, api->max_version));
    return;
  }
  if (!session_->authenticated && !MayComeBeforeLogin(api->key)) {
    Close(fmt::format("{} before the client has logged in by SASL", api->name));
    return;
  }
  Call::Done done = AddSlot(std::ssize(bytes), api->key == kProduceKey);
  auto call = std::make_shared<Call>(std::move(header), flexible, std::move(bytes), body_at,
                                     session_, &worker_, std::move(done));
  api->handle(worker_.services(), call);
  Mute(call->TakeMute());
}

void Connection::HandleToken(std::string token) {
  Call::Done done = AddSlot(std::ssize(token), false);
  TakeLoginMessage(worker_.services(), worker_, session_, std::move(token),
                   [done = std::move(done)](const Result<std::string>& answer) {
                     if (!answer.ok()) return done({}, "login refused", 0);
                     std::string length(kLengthBytes, '\0');
                     log::StoreBig<int32_t>(length.data(), static_cast<int32_t>(answer->size()));
                     done({length + *answer, {}}, "", 0);
                   });
}

Call::Done Connection::AddSlot(int64_t request_bytes, bool is_produce) {
  auto slot = std::make_shared<Slot>();
  slot->request_bytes = request_bytes;
  slot->is_produce = is_produce;
  slot_bytes_ += request_bytes;
  slots_.push_back(slot);
  return [this, slot, self = shared_from_this()](Frame frame, std::string fault, int64_t mute_ms) {
    slot->frame = std::move(frame);
    slot->fault = std::move(fault);
    worker_.Post([this, self, slot, mute_ms] {
      Mute(mute_ms);
      slot->done = true;
      OnAnswer(*slot);
    });
  };
}

void Connection::OnAnswer(const Slot& slot) {
  if (slot.frame.empty() && !slot.fault.empty()) Close(slot.fault);
  WriteNext();
}

void Connection::Mute(int64_t wait_ms) {
  if (wait_ms <= 0) return;
  mutes_++;
  worker_.After(wait_ms, [this, self = shared_from_this()] {
    mutes_--;
    OnRequest();
    ReadLength();
  });
}

void Connection::WriteNext() {
  if (closed_ || writing_) return;
  while (!slots_.empty() && slots_.front()->done) {
    const auto slot = slots_.front();
    if (!slot->frame.empty()) {
      writing_ = true;
      Touch();
      writer_.Write(slot->frame, [this, slot, self = shared_from_this()](bool written,
                                                                         const std::string& fault) {
        writing_ = false;
        if (closed_) return;
        if (!written) {
          Close(fault);
          return;
        }
        if (!slot->fault.empty()) {
          Close(slot->fault);
          return;
        }
        Touch();
        slot_bytes_ -= slot->request_bytes;
        slots_.pop_front();
        WriteNext();
      });
      return;
    }
    slot_bytes_ -= slot->request_bytes;
    slots_.pop_front();
  }
  OnRequest();
  ReadLength();
}

}  // namespace millrace::kafka
