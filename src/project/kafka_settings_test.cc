// The section "kafka" of millrace.yml: what is read, and what is a fault.
#include "project/kafka_settings.h"

#include <gtest/gtest.h>

#include "project/yaml_reader.h"

namespace millrace::project {
namespace {

struct Read {
  KafkaSettings settings;
  std::vector<Status> faults;
};

Read ReadText(const std::string& text) {
  Read read;
  YamlReader reader("millrace.yml", read.faults);
  ReadKafkaSettings(reader, YAML::Load(text), read.settings);
  return read;
}

TEST(KafkaSettingsTest, WithoutSectionsEverythingIsOpen) {
  const Read read = ReadText("{listen: 9092, advertised: localhost, partitions: 3}");
  EXPECT_TRUE(read.faults.empty());
  EXPECT_EQ(read.settings.listener.listen, "9092");
  EXPECT_EQ(read.settings.partitions, 3);
  EXPECT_FALSE(read.settings.listener.sasl);
  EXPECT_FALSE(read.settings.listener.tls);
  EXPECT_FALSE(read.settings.acls.on);
  EXPECT_EQ(read.settings.connections_max, 1024);
}

TEST(KafkaSettingsTest, ListenersTakeAfterTheSectionsWhereverThoseStand) {
  const Read read = ReadText(R"(
listeners:
  - {listen: "127.0.0.1:1", sasl: false, tls: false}
  - {listen: "0.0.0.0:2", advertised: "kafka:2"}
listen: "127.0.0.1:3"
sasl: {mechanisms: [PLAIN], users: {alice: {password: "${env:A}"}}}
tls: {certificate: a.pem, key: a.key, ca: ca.pem, client-auth: required, minimum: TLSv1.3}
)");
  EXPECT_TRUE(read.faults.empty());
  const KafkaSettings& settings = read.settings;
  ASSERT_EQ(settings.listeners.size(), 2u);
  EXPECT_FALSE(settings.listeners[0].sasl || settings.listeners[0].tls);
  EXPECT_TRUE(settings.listeners[1].sasl && settings.listeners[1].tls);
  EXPECT_TRUE(settings.listener.sasl && settings.listener.tls);
  EXPECT_EQ(settings.listeners[1].advertised, "kafka:2");
  EXPECT_EQ(settings.passwords.at("alice"), "${env:A}");
  EXPECT_EQ(settings.sasl_mechanisms, std::vector<std::string>{"PLAIN"});
  EXPECT_EQ(settings.tls.client_auth, KafkaSettings::ClientAuth::kRequired);
  EXPECT_TRUE(settings.tls.version_13_only);
}

TEST(KafkaSettingsTest, PermissionsAndQuotas) {
  const Read read = ReadText(R"(
acls:
  super-users: admin
  allow-without-acl: true
  rules:
    - {user: alice, allow: [read, describe-configs], topic: "orders*"}
    - {user: "*", deny: all, cluster: true, host: 10.0.0.1}
    - {user: bob, allow: read, group: "*"}
quotas:
  - {user: alice, client-id: "*", producer-byte-rate: 1 MB}
connections: 20000
)");
  EXPECT_TRUE(read.faults.empty());
  const auto& acls = read.settings.acls;
  EXPECT_TRUE(acls.on && acls.allow_without_acl);
  EXPECT_EQ(acls.super_users, std::vector<std::string>{"admin"});
  ASSERT_EQ(acls.rules.size(), 3u);
  EXPECT_EQ(acls.rules[0].operations, (std::vector<std::string>{"read", "describe-configs"}));
  EXPECT_EQ(acls.rules[0].name, "orders");
  EXPECT_TRUE(acls.rules[0].prefix);
  EXPECT_TRUE(acls.rules[1].deny);
  EXPECT_EQ(acls.rules[1].kind, "cluster");
  EXPECT_EQ(acls.rules[1].host, "10.0.0.1");
  EXPECT_EQ(acls.rules[2].name, "*");
  EXPECT_FALSE(acls.rules[2].prefix) << "every name, not those that begin with nothing";
  ASSERT_EQ(read.settings.quotas.size(), 1u);
  EXPECT_EQ(read.settings.quotas[0].client_id, "*");
  EXPECT_GT(read.settings.quotas[0].producer_bytes, 0);
  EXPECT_EQ(read.settings.quotas[0].consumer_bytes, -1);
  EXPECT_EQ(read.settings.connections_max, 20'000);
}

TEST(KafkaSettingsTest, FaultsAreTold) {
  for (const char* text : {"{sasl: {users: {alice: {password: secret}}}}",
                           "{sasl: {users: {alice: {}}}}",
                           "{sasl: {mechanisms: [GSSAPI]}}",
                           "{sasl: {users: [alice]}}",
                           "{tls: {}}",
                           "{tls: {certificate: a}}",
                           "{tls: {certificate: a, key: b, client-auth: required}}",
                           "{tls: {certificate: a, key: b, client-auth: maybe}}",
                           "{tls: {certificate: a, key: b, minimum: SSLv3}}",
                           "{listeners: [{sasl: true}]}",
                           "{listeners: [{listen: 1, tls: true}]}",
                           "{listeners: [{listen: 1, port: 2}]}",
                           "{acls: {rules: [{user: a, allow: read}]}}",
                           "{acls: {rules: [{allow: read, topic: t}]}}",
                           "{acls: {rules: [{user: a, allow: read, topic: t, group: g}]}}",
                           "{acls: {rules: [{user: a, allow: read, deny: write, topic: t}]}}",
                           "{acls: {rules: [{user: a, allow: reed, topic: t}]}}",
                           "{quotas: [{user: a}]}",
                           "{quotas: [{producer-byte-rate: 1 MB}]}",
                           "{connections: 0}"}) {
    EXPECT_FALSE(ReadText(text).faults.empty()) << text;
  }
}

}  // namespace
}  // namespace millrace::project
