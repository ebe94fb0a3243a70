// HiveClient: statements to a HiveServer2, which the Spark Thrift server is: a session over Thrift.
//
// Contract: one thread at a time, but Interrupt, which any thread may call; Ask blocks until the
// server is done. A session that was lost begins anew with the next Ask: temporary views and SET of
// statements before are gone then. When the connection ends, the server cancels the session's
// statement. Errors carry the server's text, and the line within the statement where it names one.
//
// Source: TCLIService.thrift of Apache Hive (hive-service-rpc); protocol version 6, whose answers
// are columns. Spark's own classes of errors:
// https://spark.apache.org/docs/latest/sql-error-conditions.html
#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "dbt/adapter.h"
#include "dbt/hive_transport.h"
#include "dbt/thrift_value.h"

namespace millrace::dbt {

struct HiveSettings {
  std::string host, port;
  std::string user, password;
  bool sasl = true;
  int64_t connect_timeout_ms = 10'000;
  // Run whenever a session begins.
  std::vector<std::string> first_statements = {};
};

class HiveClient {
 public:
  explicit HiveClient(HiveSettings settings) : settings_(std::move(settings)) {}
  ~HiveClient();
  HiveClient(const HiveClient&) = delete;
  HiveClient& operator=(const HiveClient&) = delete;

  // All rows of a statement's answer; no columns where it has none.
  Result<Rows> Ask(const std::string& statement);
  // The statement that runs now, and each one after, ends with kCancelled.
  void Interrupt();

 private:
  Status Open();
  Result<ThriftValue> Call(ThriftWriter& request, const std::string& method);
  Result<Rows> Run(const std::string& statement);
  Status WaitFor(const ThriftValue& operation, const std::string& statement);
  Result<Rows> Fetch(const ThriftValue& operation);
  Status Close(const ThriftValue& operation);
  ThriftWriter Begin(const std::string& method);

  const HiveSettings settings_;
  HiveTransport transport_;
  ThriftValue session_;  // its handle; null: there is none
  int32_t calls_ = 0;
  std::atomic<bool> interrupted_ = false;
};

// What the server says of a statement that failed, as people read it: without classes and plans.
Status HiveError(const std::string& text, const std::string& statement);

}  // namespace millrace::dbt
