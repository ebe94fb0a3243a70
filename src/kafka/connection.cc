#include "kafka/connection.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "kafka/worker.h"

namespace millrace::kafka {

namespace asio = boost::asio;

namespace {
constexpr size_t kProduceCallsMax = 32;
constexpr size_t kHeaderBytesMin = 10;  // key, version, correlation id, client id's length
constexpr size_t kReadStep = 1 << 20;   // memory follows what arrives, not what is announced
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

Connection::Connection(Worker& worker, asio::ip::tcp::socket socket)
    : worker_(worker), socket_(std::move(socket)) {
  boost::system::error_code ignored;
  peer_.address = socket_.remote_endpoint(ignored).address().to_string();
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
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
  ReadLength();
}

void Connection::Touch() {
  last_progress_ms_ = worker_.services().now_ms();
}

bool Connection::IsLate(int64_t now_ms) const {
  const KafkaServerOptions& options = worker_.services().options;
  if (writing_) return now_ms - last_progress_ms_ > options.write_timeout_ms;
  return slots_.empty() && now_ms - last_progress_ms_ > options.idle_timeout_ms;
}

void Connection::Close(const std::string& fault) {
  if (closed_) return;
  closed_ = true;
  if (!fault.empty()) {
    spdlog::warn("kafka: connection closed: peer={} reason=\"{}\"", peer_.address, fault);
  }
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  worker_.Remove(shared_from_this());
}

void Connection::ReadLength() {
  if (reading_ || held_ || closed_ || !MayHandle(true)) return;
  reading_ = true;
  asio::async_read(socket_, asio::buffer(length_, sizeof(length_)),
                   [this, self = shared_from_this()](const boost::system::error_code& ec, size_t) {
                     if (closed_) return;
                     if (ec) {
                       // The client went away; answers on their way to it are lost with it.
                       Close("");
                       return;
                     }
                     const KafkaServerOptions& options = worker_.services().options;
                     const auto length = log::LoadBig<int32_t>(length_);
                     const auto key = log::LoadBig<int16_t>(length_ + 4);
                     const int64_t max =
                         key == kProduceKey ? options.produce_bytes_max : options.request_bytes_max;
                     if (length < static_cast<int64_t>(kHeaderBytesMin) || length > max) {
                       Close(fmt::format("a request of {} bytes; from {} to {} are accepted",
                                         length, kHeaderBytesMin, max));
                       return;
                     }
                     Touch();
                     want_ = static_cast<size_t>(length);
                     bytes_.assign(length_ + 4, 2);
                     got_ = 2;
                     ReadBody();
                   });
}

void Connection::ReadBody() {
  const size_t step = std::min(want_ - got_, kReadStep);
  bytes_.resize(got_ + step);
  asio::async_read(
      socket_, asio::buffer(bytes_.data() + got_, step),
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
  if (!held_ || closed_) return;
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
  auto slot = std::make_shared<Slot>();
  slot->request_bytes = static_cast<int64_t>(bytes.size());
  slot->is_produce = api->key == kProduceKey;
  slot_bytes_ += slot->request_bytes;
  slots_.push_back(slot);
  Call::Done done = [this, slot, self = shared_from_this()](std::string frame, std::string f) {
    worker_.Post([this, self, slot, frame = std::move(frame), f = std::move(f)]() mutable {
      OnAnswer(*slot, std::move(frame), f);
    });
  };
  auto call = std::make_shared<Call>(std::move(header), flexible, std::move(bytes), body_at, peer_,
                                     &worker_, std::move(done));
  api->handle(worker_.services(), call);
}

void Connection::OnAnswer(Slot& slot, std::string frame, const std::string& fault) {
  slot.done = true;
  slot.frame = std::move(frame);
  if (!fault.empty()) Close("malformed request: " + fault);
  WriteNext();
}

void Connection::WriteNext() {
  if (closed_ || writing_) return;
  while (!slots_.empty() && slots_.front()->done) {
    const auto slot = slots_.front();
    if (!slot->frame.empty()) {
      writing_ = true;
      Touch();
      asio::async_write(
          socket_, asio::buffer(slot->frame),
          [this, slot, self = shared_from_this()](const boost::system::error_code& ec, size_t) {
            writing_ = false;
            if (closed_) return;
            if (ec) {
              Close("");
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
