#include "project/kafka_settings.h"

#include <algorithm>

#include "project/yaml_reader.h"

namespace millrace::project {

namespace {

void ReadMechanisms(YamlReader& reader, const YAML::Node& node, KafkaSettings& settings) {
  static const std::vector<std::string> kMechanisms = {"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"};
  for (const auto& entry : node) {
    std::string name;
    reader.Text(entry, name);
    if (std::find(kMechanisms.begin(), kMechanisms.end(), name) == kMechanisms.end()) {
      reader.Fault(entry, Code::kBadOption, fmt::format("there is no SASL mechanism \"{}\"", name),
                   DidYouMean(name, kMechanisms));
    }
    settings.sasl_mechanisms.push_back(std::move(name));
  }
}

void ReadUsers(YamlReader& reader, const YAML::Node& node, KafkaSettings& settings) {
  if (!node.IsMap()) {
    reader.Fault(node, Code::kBadOption, "users are a map of names", "");
    return;
  }
  for (const auto& entry : node) {
    std::string& password = settings.passwords[entry.first.Scalar()];
    reader.Map(
        entry.second, "user \"" + entry.first.Scalar() + "\"",
        {{"password", [&](const YAML::Node& n) { reader.Secret(n, "password", password); }}});
    if (password.empty()) {
      reader.Fault(entry.first, Code::kBadOption, "a user has a password",
                   "write password: \"${env:NAME}\" or \"${file:/path}\"");
    }
  }
}

// One of `words`, as its place in them.
template <typename Enum>
void ReadWord(YamlReader& reader, const YAML::Node& node, const std::string& what,
              const std::vector<std::pair<std::string, Enum>>& words, Enum& out) {
  std::string word;
  reader.Text(node, word);
  std::vector<std::string> known;
  for (const auto& [name, value] : words) {
    known.push_back(name);
    if (name != word) continue;
    out = value;
    return;
  }
  reader.Fault(node, Code::kBadOption, fmt::format("there is no {} \"{}\"", what, word),
               DidYouMean(word, known));
}

void ReadTls(YamlReader& reader, const YAML::Node& node, KafkaSettings::Tls& tls) {
  using ClientAuth = KafkaSettings::ClientAuth;
  static const std::vector<std::pair<std::string, ClientAuth>> kClientAuths = {
      {"none", ClientAuth::kNone},
      {"requested", ClientAuth::kRequested},
      {"required", ClientAuth::kRequired}};
  static const std::vector<std::pair<std::string, bool>> kVersions = {{"TLSv1.2", false},
                                                                      {"TLSv1.3", true}};
  reader.Map(node, "tls",
             {{"certificate", [&](const YAML::Node& n) { reader.Text(n, tls.certificate); }},
              {"key", [&](const YAML::Node& n) { reader.Text(n, tls.key); }},
              {"key-password",
               [&](const YAML::Node& n) { reader.Secret(n, "key-password", tls.key_password); }},
              {"ca", [&](const YAML::Node& n) { reader.Text(n, tls.ca); }},
              {"client-auth",
               [&](const YAML::Node& n) {
                 ReadWord(reader, n, "client-auth", kClientAuths, tls.client_auth);
               }},
              {"minimum", [&](const YAML::Node& n) {
                 ReadWord(reader, n, "TLS version to serve", kVersions, tls.version_13_only);
               }}});
  if (tls.certificate.empty() || tls.key.empty()) {
    reader.Fault(node, Code::kBadOption, "tls needs a certificate and a key",
                 "write certificate: server.pem, key: server.key");
  }
  if (tls.client_auth != ClientAuth::kNone && tls.ca.empty()) {
    reader.Fault(node, Code::kBadOption, "clients' certificates need a ca to be checked by",
                 "write ca: clients-ca.pem");
  }
}

void ReadListeners(YamlReader& reader, const std::vector<YAML::Node>& list,
                   const KafkaSettings& defaults, std::vector<KafkaSettings::Listener>& listeners) {
  for (const auto& node : list) {
    KafkaSettings::Listener listener;
    listener.sasl = defaults.listener.sasl;
    listener.tls = defaults.listener.tls;
    reader.Map(node, "listener",
               {{"listen", [&](const YAML::Node& n) { reader.Text(n, listener.listen); }},
                {"advertised", [&](const YAML::Node& n) { reader.Text(n, listener.advertised); }},
                {"sasl", [&](const YAML::Node& n) { reader.Flag(n, listener.sasl); }},
                {"tls", [&](const YAML::Node& n) { reader.Flag(n, listener.tls); }}});
    if (listener.listen.empty()) {
      reader.Fault(node, Code::kBadOption, "a listener has an address",
                   "write listen: \"0.0.0.0:9094\"");
    }
    if (listener.tls && !defaults.listener.tls) {
      reader.Fault(node, Code::kBadOption, "a listener with tls needs the section tls",
                   "write tls: {certificate: server.pem, key: server.key} below kafka");
    }
    listeners.push_back(std::move(listener));
  }
}

void ReadSasl(YamlReader& reader, const YAML::Node& node, KafkaSettings& settings) {
  settings.listener.sasl = true;
  reader.Map(node, "sasl",
             {{"mechanisms", [&](const YAML::Node& n) { ReadMechanisms(reader, n, settings); }},
              {"users", [&](const YAML::Node& n) { ReadUsers(reader, n, settings); }}});
}

// A text, or a list of texts.
std::vector<std::string> ReadTexts(YamlReader& reader, const YAML::Node& node) {
  std::vector<std::string> texts;
  if (!node.IsSequence()) {
    reader.Text(node, texts.emplace_back());
    return texts;
  }
  for (const auto& entry : node) reader.Text(entry, texts.emplace_back());
  return texts;
}

std::vector<std::string> ReadOperations(YamlReader& reader, const YAML::Node& node) {
  static const std::vector<std::string> kOperations = {"all",
                                                       "read",
                                                       "write",
                                                       "create",
                                                       "delete",
                                                       "alter",
                                                       "describe",
                                                       "cluster-action",
                                                       "describe-configs",
                                                       "alter-configs",
                                                       "idempotent-write"};
  const std::vector<std::string> operations = ReadTexts(reader, node);
  for (const std::string& name : operations) {
    if (std::find(kOperations.begin(), kOperations.end(), name) != kOperations.end()) continue;
    reader.Fault(node, Code::kBadOption, fmt::format("there is no operation \"{}\"", name),
                 DidYouMean(name, kOperations));
  }
  return operations;
}

void ReadRule(YamlReader& reader, const YAML::Node& node, KafkaSettings::AclRule& rule) {
  int resources = 0;
  const auto resource = [&](const char* kind) {
    return [&reader, &rule, &resources, kind](const YAML::Node& n) {
      resources++;
      rule.kind = kind;
      reader.Text(n, rule.name);
      rule.prefix = rule.name.size() > 1 && rule.name.ends_with('*');
      if (rule.prefix) rule.name.pop_back();
    };
  };
  const auto operations = [&](bool deny) {
    return [&reader, &rule, deny](const YAML::Node& n) {
      rule.deny = deny;
      rule.operations = ReadOperations(reader, n);
    };
  };
  reader.Map(node, "rule",
             {{"user", [&](const YAML::Node& n) { reader.Text(n, rule.user); }},
              {"host", [&](const YAML::Node& n) { reader.Text(n, rule.host); }},
              {"allow", operations(false)},
              {"deny", operations(true)},
              {"topic", resource("topic")},
              {"group", resource("group")},
              {"transactional-id", resource("transactional-id")},
              {"cluster", [&](const YAML::Node&) {
                 resources++;
                 rule.kind = "cluster";
               }}});
  if (rule.user.empty() || resources != 1 || rule.operations.empty() ||
      (node.IsMap() && node["allow"] && node["deny"])) {
    reader.Fault(node, Code::kBadOption, "a rule has a user, operations, and one resource",
                 "like {user: alice, allow: [read, describe], topic: orders}");
  }
}

void ReadAcls(YamlReader& reader, const YAML::Node& node, KafkaSettings::Acls& acls) {
  acls.on = true;
  reader.Map(
      node, "acls",
      {{"super-users", [&](const YAML::Node& n) { acls.super_users = ReadTexts(reader, n); }},
       {"allow-without-acl", [&](const YAML::Node& n) { reader.Flag(n, acls.allow_without_acl); }},
       {"rules", [&](const YAML::Node& n) {
          for (const auto& entry : n) ReadRule(reader, entry, acls.rules.emplace_back());
        }}});
}

void ReadQuota(YamlReader& reader, const YAML::Node& node, KafkaSettings::Quota& quota) {
  reader.Map(
      node, "quota",
      {{"user", [&](const YAML::Node& n) { reader.Text(n, quota.user); }},
       {"client-id", [&](const YAML::Node& n) { reader.Text(n, quota.client_id); }},
       {"producer-byte-rate", [&](const YAML::Node& n) { reader.Bytes(n, quota.producer_bytes); }},
       {"consumer-byte-rate",
        [&](const YAML::Node& n) { reader.Bytes(n, quota.consumer_bytes); }}});
  const bool limits = quota.producer_bytes > 0 || quota.consumer_bytes > 0;
  if ((quota.user.empty() && quota.client_id.empty()) || !limits) {
    reader.Fault(node, Code::kBadOption, "a quota is for someone, and limits something",
                 "like {user: alice, producer-byte-rate: 1 MB}");
  }
}

}  // namespace

void ReadKafkaSettings(YamlReader& reader, const YAML::Node& node, KafkaSettings& settings) {
  std::vector<YAML::Node> listeners;  // read when all sections are known
  reader.Map(
      node, "kafka",
      {{"listen", [&](const YAML::Node& n) { reader.Text(n, settings.listener.listen); }},
       {"advertised", [&](const YAML::Node& n) { reader.Text(n, settings.listener.advertised); }},
       {"auto-create-topics",
        [&](const YAML::Node& n) { reader.Flag(n, settings.auto_create_topics); }},
       {"partitions",
        [&](const YAML::Node& n) { reader.Number(n, settings.partitions, 1, 10'000); }},
       {"listeners",
        [&](const YAML::Node& n) {
          for (const auto& entry : n) listeners.push_back(entry);
        }},
       {"tls",
        [&](const YAML::Node& n) {
          settings.listener.tls = true;
          ReadTls(reader, n, settings.tls);
        }},
       {"sasl", [&](const YAML::Node& n) { ReadSasl(reader, n, settings); }},
       {"acls", [&](const YAML::Node& n) { ReadAcls(reader, n, settings.acls); }},
       {"quotas",
        [&](const YAML::Node& n) {
          for (const auto& entry : n) ReadQuota(reader, entry, settings.quotas.emplace_back());
        }},
       {"connections",
        [&](const YAML::Node& n) { reader.Number(n, settings.connections_max, 1, 1'000'000); }}});
  ReadListeners(reader, listeners, settings, settings.listeners);
}

}  // namespace millrace::project
