#include "connectors/kafka/cluster_settings.h"

#include "connectors/connector_fixture.h"

namespace millrace::connectors::kafka {

namespace {

using Settings = std::map<std::string, std::string>;

Result<Settings> SettingsOf(const Settings& properties) {
  Settings with = {{"topic", "t"}, {"format", "json"}, {"properties.bootstrap.servers", "b:9092"}};
  for (const auto& [name, value] : properties) with["properties." + name] = value;
  auto options = ParseOptions((*FindConnector("kafka-cluster"))->spec, with);
  if (!options.ok()) return options.status();
  auto settings = ClusterSettings(options->raw());
  if (settings.ok()) settings->erase("bootstrap.servers");
  return settings;
}

TEST(ClusterSettings, NamesOfJavasClientAreTranslated) {
  EXPECT_EQ(*SettingsOf({}), Settings{});
  EXPECT_EQ(*SettingsOf({{"security.protocol", "SASL_SSL"},
                         {"sasl.mechanism", "SCRAM-SHA-512"},
                         {"sasl.jaas.config",
                          "org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram."
                          "ScramLoginModule required\n username = \"u s\" password=\"p\\\"w;\";"}}),
            (Settings{{"security.protocol", "SASL_SSL"},
                      {"sasl.mechanism", "SCRAM-SHA-512"},
                      {"sasl.username", "u s"},
                      {"sasl.password", "p\"w;"}}));
  EXPECT_EQ(*SettingsOf({{"ssl.truststore.location", "/ca.pem"},
                         {"ssl.truststore.type", "PEM"},
                         {"ssl.keystore.location", "/me.p12"},
                         {"ssl.keystore.type", "PKCS12"},
                         {"ssl.keystore.password", "x"},
                         {"ssl.endpoint.identification.algorithm", ""}}),
            (Settings{{"ssl.ca.location", "/ca.pem"},
                      {"ssl.keystore.location", "/me.p12"},
                      {"ssl.keystore.password", "x"},
                      {"ssl.endpoint.identification.algorithm", "none"}}));
  EXPECT_EQ(*SettingsOf({{"max.request.size", "5"}, {"fetch.max.wait.ms", "7"}, {"acks", "all"}}),
            (Settings{{"message.max.bytes", "5"}, {"fetch.wait.max.ms", "7"}, {"acks", "all"}}));
  // What says how Java works, and what Millrace decides.
  EXPECT_EQ(
      *SettingsOf(
          {{"key.deserializer", "x"}, {"max.poll.records", "10"}, {"enable.auto.commit", "true"}}),
      Settings{});
}

TEST(ClusterSettings, WhatCannotBeCarriedOutIsRefused) {
  const auto refused = [](const Settings& properties, const std::string& named) {
    Status status = SettingsOf(properties).status();
    EXPECT_EQ(status.code(), Code::kBadOption);
    EXPECT_NE(status.message().find("\"properties." + named + "\""), std::string::npos)
        << status.ToString();
    return status.ToString();
  };
  refused({{"ssl.truststore.location", "/t.jks"}}, "ssl.truststore.location");
  refused({{"ssl.keystore.location", "/k.jks"}}, "ssl.keystore.location");
  refused({{"partitioner.class", "x.Y"}}, "partitioner.class");
  refused({{"transactional.id", "mine"}}, "transactional.id");
  refused({{"sasl.jaas.config", "com.sun.security.auth.module.Krb5LoginModule required;"}},
          "sasl.jaas.config");
  const std::string secret =
      refused({{"sasl.jaas.config", "x.PlainLoginModule required username=\"u\" password=\"pw"}},
              "sasl.jaas.config");
  EXPECT_EQ(secret.find("pw"), std::string::npos);
}

TEST(ClusterSettings, AClientTakesOnlyWhatLibrdkafkaKnows) {
  const auto open = [](const Settings& with) {
    auto table = MakeTable("kafka-cluster", {{{"v", LogicalType::VARCHAR, true}}}, with);
    auto source = (*FindConnector("kafka-cluster"))->new_source(table);
    return source.ok() ? (*source)->Open({}) : source.status();
  };
  Settings with = {{"topic", "t"}, {"format", "raw"}, {"properties.bootstrap.servers", "b:9092"}};
  EXPECT_TRUE(open(with).ok());
  with["properties.fetch.min.bites"] = "1";
  EXPECT_EQ(open(with).code(), Code::kBadOption);
  with.erase("properties.fetch.min.bites");
  with["properties.sasl.mechanism"] = "MAGIC";
  with["properties.security.protocol"] = "SASL_PLAINTEXT";
  EXPECT_EQ(open(with).code(), Code::kBadOption);
  with.erase("properties.sasl.mechanism");
  with["scan.startup.mode"] = "timestamp";
  EXPECT_EQ(open(with).code(), Code::kBadOption);
}

}  // namespace

}  // namespace millrace::connectors::kafka
