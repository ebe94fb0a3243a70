// The 'properties.*' of a table over a Kafka cluster, as settings of librdkafka.
//
// Flink hands them to Kafka's Java client. Most names are the same in librdkafka; of the others
//
//   translated   sasl.jaas.config (PLAIN, SCRAM), ssl.truststore.* and ssl.keystore.* where the
//                store is PEM (or, for the keystore, PKCS12), max.request.size, …
//   ignored      what says how Java classes work: serializers, max.poll.records, …; and what
//                Millrace decides by itself: enable.auto.commit, enable.idempotence
//   refused      everything else, with what to write instead
//
// Source: Kafka's documentation, "Consumer Configs" and "Producer Configs"; CONFIGURATION.md of
// librdkafka 2.0.
#pragma once

#include <map>
#include <string>

#include "connectors/connector.h"

namespace millrace::connectors::kafka {

// Errors: kBadOption for a property that cannot be translated. Whether librdkafka knows the others
// shows when a client is made (kafka/cluster_client.h).
// `with`: options of a table; those that do not begin with "properties." do not matter.
Result<std::map<std::string, std::string>> ClusterSettings(
    const std::map<std::string, std::string>& with);

}  // namespace millrace::connectors::kafka
