// ClickHouseClient: statements to a ClickHouse server over its HTTP interface.
//
// Contract: one thread at a time; Ask blocks until the server is done with the statement, for
// `timeout_ms` at most. Every statement stands alone: there is no session, so SET and temporary
// tables end with the statement. Errors carry the server's text, and the line within the statement
// where the server names one, or names something that the statement has once.
//
// Source: https://clickhouse.com/docs/interfaces/http
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "connectors/http/http_client.h"
#include "dbt/value.h"

namespace millrace::dbt {

struct ClickHouseSettings {
  std::string url;  // "http://127.0.0.1:8123"
  std::string user, password;
  int64_t timeout_ms = 0;
  // Of the server, sent along with every statement.
  std::vector<std::pair<std::string, std::string>> server_settings;
};

class ClickHouseClient {
 public:
  explicit ClickHouseClient(const ClickHouseSettings& settings);

  // Where names without a database are looked up from now on; it must be there.
  void UseDatabase(const std::string& name) { database_ = name; }
  // {"meta": [{"name", "type"}], "data": [[…]]} of a statement with an answer; else null.
  Result<Value> Ask(const std::string& statement);
  // An INSERT … FORMAT … with the rows as bytes.
  Status Insert(const std::string& statement, const std::string& rows);

 private:
  Result<std::string> Send(const std::string& statement, const std::string* rows);

  connectors::http::HttpClient http_;
  std::vector<std::pair<std::string, std::string>> server_settings_;
  std::string database_;
};

}  // namespace millrace::dbt
