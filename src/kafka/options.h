// Settings of the Kafka port.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kafka/security/acl.h"
#include "kafka/security/quota.h"
#include "model/record.h"

namespace millrace::env {
class FileSystem;
}

namespace millrace::kafka {

// Files are PEM.
struct TlsOptions {
  enum class ClientAuth { kNone, kRequested, kRequired };
  std::string certificate;  // with those between it and its CA
  std::string key;
  std::string key_password;  // of a key that is encrypted; "": it is not
  std::string ca;           // of clients' certificates
  ClientAuth client_auth = ClientAuth::kNone;
  bool version_13_only = false;  // else 1.2, too
};

struct AclOptions {
  bool on = false;
  std::set<std::string> super_users;  // principals that may do everything
  bool allow_without_acl = false;     // what no ACL says anything of
  std::vector<Acl> declared;
};

// What keeps records out of some topics. Null functions: nothing does. Called by network threads.
struct RecordCheck {
  std::function<bool(const std::string& topic)> applies;
  // Why the topic does not take the record.
  std::function<std::optional<std::string>(const std::string& topic, const model::Record& record)>
      fault;
};

// An address on which clients are accepted, and what is asked of them there.
struct ListenerOptions {
  std::string address = "127.0.0.1";
  int port = 9092;              // 0: a free one, see KafkaServer::port()
  std::string advertised_host;  // that clients are told to connect to; "": the address
  int advertised_port = 0;      // 0: the port
  bool sasl = false;            // clients have to log in
  bool tls = false;             // as KafkaServerOptions::tls says
};

struct KafkaServerOptions {
  std::vector<ListenerOptions> listeners = {ListenerOptions()};
  TlsOptions tls;
  AclOptions acls;
  std::vector<Quota> quotas;  // more come over the port
  int threads = 2;
  int connections_max = 1024;
  int64_t produce_bytes_max = 32LL << 20;  // one Produce request; several of a connection together
  int64_t request_bytes_max = 4LL << 20;   // one request of any other kind
  int64_t login_bytes_max = 64LL << 10;    // one request of a client that has not logged in
  int64_t fetch_bytes_max = 8LL << 20;     // records in one answer (or one batch that is larger)
  int fetch_sessions_max = 1000;           // kept between requests (KIP-227)
  int64_t fetch_sessions_bytes_max = 64LL << 20;  // what these take in memory
  int64_t idle_timeout_ms = 600'000;              // a connection without requests
  int64_t write_timeout_ms = 60'000;              // for the client to take one answer
  int64_t login_timeout_ms = 30'000;              // for the client to log in
  int64_t login_delay_ms = 100;                   // before a refused login is answered
  bool auto_create_topics = true;  // when a client asks for one by name and may have it
  int default_partitions = 1;      // of topics created without a number
  RecordCheck record_check = {};

  std::vector<std::string> sasl_mechanisms = {"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"};
  std::map<std::string, std::string> passwords;  // by user; more users come over the port
  std::string security_file;                     // keeps those; "": until the end of the process
  env::FileSystem* files = nullptr;              // where it lies; default: the real ones
};

}  // namespace millrace::kafka
