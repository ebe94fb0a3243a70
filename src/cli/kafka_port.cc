#include "cli/kafka_port.h"

#include <charconv>

#include "env/clock.h"

namespace millrace::cli {

Result<std::unique_ptr<kafka::KafkaServer>> StartKafkaPort(project::Runtime& runtime,
                                                           const std::string& listen) {
  const project::KafkaSettings& settings = runtime.project().config().kafka;
  const std::string& where = listen.empty() ? settings.listen : listen;
  if (where.empty()) return std::unique_ptr<kafka::KafkaServer>();
  kafka::KafkaServerOptions options;
  const size_t colon = where.rfind(':');
  const std::string port = colon == std::string::npos ? where : where.substr(colon + 1);
  if (colon != std::string::npos) options.address = where.substr(0, colon);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return Status(Code::kInvalidArgument, "\"" + where + "\" is not an address for the Kafka port")
        .WithHint("it is like 127.0.0.1:9092, or 9092");
  }
  options.advertised = settings.advertised;
  options.auto_create_topics = settings.auto_create_topics;
  options.default_partitions = settings.partitions;
  registry::RecordCheck& check = runtime.record_check();
  options.record_check.applies = [&check](const std::string& topic) {
    return check.Applies(topic);
  };
  options.record_check.fault = [&check](const std::string& topic, const model::Record& record) {
    return check.Fault(topic, record);
  };
  return kafka::KafkaServer::Start(runtime.log(), *env::Clock::System(), options);
}

}  // namespace millrace::cli
