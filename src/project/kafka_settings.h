// What millrace.yml says of the Kafka port, which listens when there is a `listen`
// (docs/reference/kafka.md, kafka-security.md). Where a listener does not say whether clients come
// by TLS and log in, the sections `tls` and `sasl` do, by being there:
//
//   kafka:
//     listen: "127.0.0.1:9092"
//     advertised: localhost       # HOST or HOST:PORT that clients are told to connect to
//     auto-create-topics: true
//     partitions: 1               # of topics created without a number
//     listeners:                  # more addresses, or all of them
//       - {listen: "0.0.0.0:9094", advertised: "kafka.example.org:9094", tls: true, sasl: true}
//     tls:                        # PEM files, below the project's directory
//       certificate: server.pem
//       key: server.key
//       key-password: "${env:KEY_PASSWORD}"          # of an encrypted key; by reference only
//       ca: clients-ca.pem        # of clients' certificates
//       client-auth: required     # or requested, none
//       minimum: TLSv1.2
//     sasl:                       # clients have to log in
//       mechanisms: [SCRAM-SHA-512, SCRAM-SHA-256, PLAIN]
//       users:
//         alice: {password: "${env:ALICE_PASSWORD}"}   # by reference only
//     acls:                       # clients may do only what is allowed
//       super-users: [admin]      # who may do everything
//       allow-without-acl: false  # what no rule says anything of
//       rules:
//         - {user: alice, allow: [read, describe], topic: "orders*"}   # * at the end: prefix
//         - {user: alice, allow: read, group: shop}
//         - {user: "*", deny: delete, topic: "*", host: 10.0.0.7}
//     quotas:                     # bytes a second; "*": everyone who has none of his own
//       - {user: alice, client-id: loader, producer-byte-rate: 1 MB, consumer-byte-rate: 4 MB}
//     connections: 1024           # at most
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace YAML {
class Node;
}

namespace millrace::project {

class YamlReader;

struct KafkaSettings {
  struct Listener {
    std::string listen;      // "HOST:PORT" or "PORT"; "": off
    std::string advertised;  // "": where it listens
    bool sasl = false;
    bool tls = false;
  };
  enum class ClientAuth { kNone, kRequested, kRequired };
  struct Tls {
    std::string certificate;
    std::string key;
    std::string key_password;  // a reference
    std::string ca;
    ClientAuth client_auth = ClientAuth::kNone;
    bool version_13_only = false;
  };
  Listener listener;                // the one of `listen`
  std::vector<Listener> listeners;  // the others
  Tls tls;
  bool auto_create_topics = true;
  int partitions = 1;
  // Exactly one of the kinds "topic", "group", "transactional-id", "cluster".
  struct AclRule {
    std::string user;
    std::string host = "*";
    bool deny = false;
    std::vector<std::string> operations;  // "describe-configs"
    std::string kind;
    std::string name;
    bool prefix = false;
  };
  struct Acls {
    bool on = false;
    std::vector<std::string> super_users;
    bool allow_without_acl = false;
    std::vector<AclRule> rules;
  };
  struct Quota {
    std::string user;             // "": not said
    std::string client_id;        // likewise
    int64_t producer_bytes = -1;  // a second; -1: no limit
    int64_t consumer_bytes = -1;
  };
  Acls acls;
  std::vector<Quota> quotas;
  int connections_max = 1024;
  std::vector<std::string> sasl_mechanisms;      // empty: all
  std::map<std::string, std::string> passwords;  // by user; as written, the references
};

// Reads the value of the key "kafka".
void ReadKafkaSettings(YamlReader& reader, const YAML::Node& node, KafkaSettings& settings);

}  // namespace millrace::project
