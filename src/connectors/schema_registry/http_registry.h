// HttpRegistry: a schema registry that speaks Confluent's REST API.
//
// Contract: as format/schema_registry.h; a request takes ten seconds at most. What was found once
// is not asked again.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "connectors/http/http_client.h"
#include "format/schema_registry.h"

namespace millrace::connectors::schema_registry {

class HttpRegistry : public format::SchemaRegistry {
 public:
  // `user_info`: "user:password", or ""; `token`: or "". Errors: kBadOption for the URL.
  static Result<std::shared_ptr<format::SchemaRegistry>> New(const std::string& url,
                                                             const std::string& user_info,
                                                             const std::string& token);

  Result<format::RegisteredSchema> Find(int32_t id) override;
  Result<int32_t> Register(const std::string& subject,
                           const format::RegisteredSchema& schema) override;
  Result<int32_t> Latest(const std::string& subject) override;

 private:
  explicit HttpRegistry(http::HttpSettings settings) : client_(std::move(settings)) {}

  Result<std::string> Ask(const std::string& method, const std::string& path,
                          const std::string& body = "");
  // The answer as a schema, with the texts of those that it uses.
  Result<format::RegisteredSchema> Read(const std::string& json, int depth);

  std::mutex mutex_;
  http::HttpClient client_;
  std::map<int32_t, format::RegisteredSchema> found_;
};

}  // namespace millrace::connectors::schema_registry
