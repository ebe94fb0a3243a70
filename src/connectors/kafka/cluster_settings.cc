#include "connectors/kafka/cluster_settings.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "base/strings.h"

namespace millrace::connectors::kafka {

namespace {

using Settings = std::map<std::string, std::string>;

constexpr std::string_view kPrefix = "properties.";

const std::set<std::string, std::less<>> kIgnored = {
    // how Java's classes work
    "key.serializer", "value.serializer", "key.deserializer", "value.deserializer",
    "max.poll.records", "default.api.timeout.ms", "auto.include.jmx.reporter", "metric.reporters",
    "metrics.num.samples", "metrics.recording.level", "metrics.sample.window.ms", "max.block.ms",
    "register.consumer.metrics", "register.producer.metrics", "exclude.internal.topics",
    "ssl.protocol", "ssl.enabled.protocols", "ssl.keymanager.algorithm",
    "ssl.trustmanager.algorithm", "ssl.secure.random.implementation", "client.dns.lookup",
    // what the job, its checkpoints and its sink decide
    "enable.auto.commit", "auto.commit.interval.ms", "auto.offset.reset", "enable.idempotence",
    "partition.discovery.interval.ms", "commit.offsets.on.checkpoint", "num.partitions",
    "retention.ms", "retention.bytes"};

const std::map<std::string, std::string, std::less<>> kOtherNames = {
    {"client.id.prefix", "client.id"},
    {"fetch.max.wait.ms", "fetch.wait.max.ms"},
    {"max.request.size", "message.max.bytes"},
    {"receive.buffer.bytes", "socket.receive.buffer.bytes"},
    {"send.buffer.bytes", "socket.send.buffer.bytes"},
    {"ssl.truststore.certificates", "ssl.ca.pem"},
    {"ssl.keystore.certificate.chain", "ssl.certificate.pem"},
    {"ssl.keystore.key", "ssl.key.pem"}};

// What to do instead, by the name of what is refused.
const std::map<std::string, std::string, std::less<>> kRefused = {
    {"buffer.memory", "set 'properties.queue.buffering.max.kbytes'"},
    {"partitioner.class", "choose with 'sink.partitioner'"},
    {"transactional.id", "it is made of 'sink.transactional-id-prefix', the job and the table"},
    {"interceptor.classes", "it names classes of Java, which cannot run here"},
    {"sasl.login.callback.handler.class",
     "for OAUTHBEARER set 'properties.sasl.oauthbearer.method' = 'oidc' and its companions"},
    {"sasl.client.callback.handler.class",
     "for OAUTHBEARER set 'properties.sasl.oauthbearer.method' = 'oidc' and its companions"},
    {"security.providers", "it names classes of Java, which cannot run here"},
    {"ssl.engine.factory.class", "it names classes of Java, which cannot run here"}};

Status Refusal(const std::string& name, const std::string& why) {
  return Status(Code::kBadOption,
                "option \"properties." + name + "\" cannot be carried out: " + why);
}

// The value of `key="value"` in a JAAS entry; nullopt when it is not there. A backslash keeps the
// character after it.
std::optional<std::string> JaasValue(const std::string& entry, const std::string& key) {
  for (size_t at = entry.find(key); at != std::string::npos; at = entry.find(key, at + 1)) {
    const bool begins =
        at == 0 || entry[at - 1] == ' ' || entry[at - 1] == '\n' || entry[at - 1] == '\t';
    size_t i = entry.find_first_not_of(" \t\n", at + key.size());
    if (!begins || i == std::string::npos || entry[i] != '=') continue;
    i = entry.find_first_not_of(" \t\n", i + 1);
    if (i == std::string::npos) return std::nullopt;
    const char quote = entry[i] == '"' || entry[i] == '\'' ? entry[i] : '\0';
    std::string value;
    for (i += quote ? 1 : 0; i < entry.size(); i++) {
      if (quote ? entry[i] == quote : (entry[i] == ' ' || entry[i] == ';')) return value;
      if (entry[i] == '\\' && i + 1 < entry.size()) i++;
      value += entry[i];
    }
    return std::nullopt;  // never closed
  }
  return std::nullopt;
}

// org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";
Status AddJaas(const std::string& entry, Settings& settings) {
  const std::string module(entry.substr(0, entry.find(' ')));
  if (!module.ends_with(".PlainLoginModule") && !module.ends_with(".ScramLoginModule")) {
    return Refusal("sasl.jaas.config",
                   "of its login modules only PlainLoginModule and ScramLoginModule are known")
        .WithHint("set librdkafka's own 'properties.sasl.…' options instead");
  }
  for (const char* part : {"username", "password"}) {
    auto value = JaasValue(entry, part);
    if (!value) {
      return Refusal("sasl.jaas.config", std::string("it has no ") + part)
          .WithHint(
              "as in: org.apache.kafka.common.security.plain.PlainLoginModule required "
              "username=\"…\" password=\"…\";");
    }
    settings[std::string("sasl.") + part] = *value;
  }
  return Status::Ok();
}

// Takes `name` out of the given properties.
std::optional<std::string> Take(Settings& given, const std::string& name) {
  auto found = given.find(name);
  if (found == given.end()) return std::nullopt;
  std::string value = std::move(found->second);
  given.erase(found);
  return value;
}

// Java's stores: librdkafka reads PEM, and PKCS12 for what the client shows of itself.
Status AddStores(Settings& given, Settings& settings) {
  const std::string trust_type = ToUpper(Take(given, "ssl.truststore.type").value_or("JKS"));
  if (auto location = Take(given, "ssl.truststore.location")) {
    if (trust_type != "PEM") {
      return Refusal("ssl.truststore.location",
                     "a store of type " + trust_type + " can be read by Java only")
          .WithHint(
              "export its certificates (keytool -exportcert -rfc …) and name them in "
              "'properties.ssl.ca.location'");
    }
    Take(given, "ssl.truststore.password");
    settings["ssl.ca.location"] = *location;
  }
  const std::string key_type = ToUpper(Take(given, "ssl.keystore.type").value_or("JKS"));
  if (auto location = Take(given, "ssl.keystore.location")) {
    if (key_type == "PKCS12") {
      settings["ssl.keystore.location"] = *location;
    } else if (key_type == "PEM") {
      settings["ssl.certificate.location"] = *location;
      settings["ssl.key.location"] = *location;
    } else {
      return Refusal("ssl.keystore.location",
                     "a store of type " + key_type + " can be read by Java only")
          .WithHint(
              "convert it (keytool -importkeystore … -deststoretype PKCS12) and set "
              "'properties.ssl.keystore.type' = 'PKCS12'");
    }
  }
  return Status::Ok();
}

}  // namespace

Result<Settings> ClusterSettings(const Settings& with) {
  Settings given, settings;
  for (const auto& [name, value] : with) {
    if (name.starts_with(kPrefix)) given[name.substr(kPrefix.size())] = value;
  }
  if (auto jaas = Take(given, "sasl.jaas.config")) {
    MR_RETURN_IF_ERROR(AddJaas(std::string(Trim(*jaas)), settings));
  }
  MR_RETURN_IF_ERROR(AddStores(given, settings));
  if (auto check = Take(given, "ssl.endpoint.identification.algorithm")) {
    settings["ssl.endpoint.identification.algorithm"] = check->empty() ? "none" : *check;
  }
  for (auto& [name, value] : given) {
    if (kIgnored.contains(name)) continue;
    if (auto refused = kRefused.find(name); refused != kRefused.end()) {
      return Refusal(name, refused->second);
    }
    auto other = kOtherNames.find(name);
    settings[other == kOtherNames.end() ? name : other->second] = value;
  }
  return settings;
}

}  // namespace millrace::connectors::kafka
