// Arbitrary bytes as a request frame: header, then the message that it announces; as a record
// batch; as both messages of a SCRAM login; as the file of users, permissions and quotas. Never
// crash, never take more memory than the bytes warrant.
#include <cstdint>

#include "kafka/connection.h"
#include "kafka/message_list.h"
#include "kafka/security/scram.h"
#include "kafka/security/security_file.h"
#include "log/record_batch.h"

namespace millrace::kafka {
namespace {

void DecodeRequest(std::string_view bytes) {
  RequestHeader header;
  const Api* api = nullptr;
  bool flexible = false;
  size_t body_at = 0;
  std::string fault;
  if (!ParseRequestHeader(bytes, &header, &api, &flexible, &body_at, &fault)) return;
  ForEachApi([&]<class Request, class Response>(int16_t key) {
    if (key != header.api_key) return;
    Request request;
    WireReader reader(bytes.substr(body_at), header.api_version, flexible);
    reader.Field(request);
    if constexpr (std::is_same_v<Request, ProduceRequest>) {
      for (const auto& topic : request.topics) {
        for (const auto& partition : topic.partitions) {
          (void)log::CheckProducedBatch(partition.records).ok();
        }
      }
    }
  });
}

void LogIn(std::string_view bytes) {
  ScramExchange exchange(ScramHash::kSha256, "nonce", [](const std::string&) {
    return ScramCredential{"salt", kScramIterationsMin, std::string(32, 's'), std::string(32, 'k')};
  });
  const size_t first = bytes.find('\n');
  if (!exchange.Take(bytes.substr(0, first)).ok() || first == std::string_view::npos) return;
  (void)exchange.Take(bytes.substr(first + 1)).ok();
}

}  // namespace
}  // namespace millrace::kafka

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  millrace::kafka::DecodeRequest(bytes);
  (void)millrace::log::CheckProducedBatch(bytes).ok();
  millrace::kafka::LogIn(bytes);
  (void)millrace::kafka::DecodeSecurity(bytes).ok();
  return 0;
}
