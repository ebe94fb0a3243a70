#include "cli/kafka_port.h"

#include <charconv>
#include <filesystem>
#include <map>

#include "env/clock.h"

namespace millrace::cli {

namespace {

// "HOST:PORT" or "PORT". False when the port is no number.
bool ReadAddress(const std::string& text, std::string* host, int* port) {
  const size_t colon = text.rfind(':');
  const std::string number = colon == std::string::npos ? text : text.substr(colon + 1);
  if (colon != std::string::npos) *host = text.substr(0, colon);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), *port);
  return error == std::errc() && end == number.data() + number.size();
}

Result<kafka::ListenerOptions> ListenerOf(const project::KafkaSettings::Listener& settings) {
  kafka::ListenerOptions options;
  if (!ReadAddress(settings.listen, &options.address, &options.port)) {
    return Status(Code::kInvalidArgument,
                  "\"" + settings.listen + "\" is not an address for the Kafka port")
        .WithHint("it is like 127.0.0.1:9092, or 9092");
  }
  options.advertised_host = settings.advertised;
  const size_t colon = settings.advertised.find(':');
  const bool has_port = colon != std::string::npos && colon == settings.advertised.rfind(':');
  if (has_port &&
      !ReadAddress(settings.advertised, &options.advertised_host, &options.advertised_port)) {
    return Status(Code::kInvalidArgument,
                  "\"" + settings.advertised + "\" is not an address for clients to connect to")
        .WithHint("it is like kafka.example.org or kafka.example.org:9092");
  }
  options.sasl = settings.sasl;
  options.tls = settings.tls;
  return options;
}

Result<kafka::TlsOptions> TlsOf(const project::KafkaSettings::Tls& settings,
                                const std::string& directory) {
  using Auth = project::KafkaSettings::ClientAuth;
  using ClientAuth = kafka::TlsOptions::ClientAuth;
  const auto path = [&](const std::string& name) {
    return name.empty() ? name : (std::filesystem::path(directory) / name).string();
  };
  kafka::TlsOptions options;
  options.certificate = path(settings.certificate);
  options.key = path(settings.key);
  MR_ASSIGN_OR_RETURN(options.key_password, project::ResolveReferences(settings.key_password));
  options.ca = path(settings.ca);
  options.client_auth = settings.client_auth == Auth::kRequired    ? ClientAuth::kRequired
                        : settings.client_auth == Auth::kRequested ? ClientAuth::kRequested
                                                                   : ClientAuth::kNone;
  options.version_13_only = settings.version_13_only;
  return options;
}

kafka::AclOptions AclsOf(const project::KafkaSettings::Acls& settings) {
  using kafka::AclOperation;
  using kafka::AclResource;
  static const std::map<std::string, AclOperation> kOperations = {
      {"all", AclOperation::kAll},
      {"read", AclOperation::kRead},
      {"write", AclOperation::kWrite},
      {"create", AclOperation::kCreate},
      {"delete", AclOperation::kDelete},
      {"alter", AclOperation::kAlter},
      {"describe", AclOperation::kDescribe},
      {"cluster-action", AclOperation::kClusterAction},
      {"describe-configs", AclOperation::kDescribeConfigs},
      {"alter-configs", AclOperation::kAlterConfigs},
      {"idempotent-write", AclOperation::kIdempotentWrite}};
  static const std::map<std::string, AclResource> kResources = {
      {"topic", AclResource::kTopic},
      {"group", AclResource::kGroup},
      {"transactional-id", AclResource::kTransactionalId},
      {"cluster", AclResource::kCluster}};
  kafka::AclOptions options;
  options.on = settings.on;
  options.allow_without_acl = settings.allow_without_acl;
  for (const std::string& user : settings.super_users) options.super_users.insert("User:" + user);
  for (const auto& rule : settings.rules) {
    kafka::Acl acl;
    acl.resource = kResources.at(rule.kind);
    acl.name = acl.resource == AclResource::kCluster ? kafka::kClusterName : rule.name;
    acl.pattern = rule.prefix ? kafka::AclPattern::kPrefixed : kafka::AclPattern::kLiteral;
    acl.principal = "User:" + rule.user;
    acl.host = rule.host;
    acl.permission = rule.deny ? kafka::AclPermission::kDeny : kafka::AclPermission::kAllow;
    for (const std::string& operation : rule.operations) {
      acl.operation = kOperations.at(operation);
      options.declared.push_back(acl);
    }
  }
  return options;
}

std::vector<kafka::Quota> QuotasOf(const std::vector<project::KafkaSettings::Quota>& settings) {
  std::vector<kafka::Quota> quotas;
  const auto part = [](const std::string& name) {
    if (name.empty()) return std::optional<std::string>();
    return std::optional<std::string>(name == "*" ? "" : name);
  };
  for (const auto& quota : settings) {
    const auto rate = [](int64_t bytes) { return bytes > 0 ? static_cast<double>(bytes) : 0; };
    quotas.push_back({{part(quota.user), part(quota.client_id)},
                      {rate(quota.producer_bytes), rate(quota.consumer_bytes)}});
  }
  return quotas;
}

}  // namespace

Result<std::unique_ptr<kafka::KafkaServer>> StartKafkaPort(project::Runtime& runtime,
                                                           const std::string& listen) {
  const project::KafkaSettings& settings = runtime.project().config().kafka;
  std::vector<project::KafkaSettings::Listener> listeners = {settings.listener};
  if (!listen.empty()) listeners.front().listen = listen;
  if (listeners.front().listen.empty()) listeners.clear();
  listeners.insert(listeners.end(), settings.listeners.begin(), settings.listeners.end());
  if (listeners.empty()) return std::unique_ptr<kafka::KafkaServer>();
  kafka::KafkaServerOptions options;
  options.listeners.clear();
  for (const auto& listener : listeners) {
    MR_ASSIGN_OR_RETURN(options.listeners.emplace_back(), ListenerOf(listener));
  }
  MR_ASSIGN_OR_RETURN(options.tls, TlsOf(settings.tls, runtime.project().directory()));
  options.acls = AclsOf(settings.acls);
  options.quotas = QuotasOf(settings.quotas);
  options.connections_max = settings.connections_max;
  options.auto_create_topics = settings.auto_create_topics;
  options.default_partitions = settings.partitions;
  if (!settings.sasl_mechanisms.empty()) options.sasl_mechanisms = settings.sasl_mechanisms;
  for (const auto& [user, password] : settings.passwords) {
    MR_ASSIGN_OR_RETURN(options.passwords[user], project::ResolveReferences(password));
  }
  options.security_file = runtime.project().data_directory() + "/kafka-security";
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
