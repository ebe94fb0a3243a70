#include "connectors/schema_registry/http_registry.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/strings.h"

namespace millrace::connectors::schema_registry {

namespace {

constexpr int64_t kTimeoutMs = 10'000;
constexpr int kReferencesDeep = 100;

std::string Escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                       (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_' || byte == '.';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

Status BadAnswer(const std::string& text) {
  return Status(Code::kUnavailable, fmt::format("the schema registry answers something else: {}",
                                                http::ShownAnswer(text)))
      .WithRetry(Retry::kBackoff);
}

// What a registry says of a request that it does not carry out.
Status Refusal(const http::HttpAnswer& answer) {
  const std::string said = fmt::format("the schema registry answers {}: {}", answer.status,
                                       http::ShownAnswer(answer.body));
  if (answer.status == 404) return {Code::kNotFound, said};
  if (answer.status >= 400 && answer.status < 500) return {Code::kFailedPrecondition, said};
  return Status(Code::kUnavailable, said).WithRetry(Retry::kBackoff);
}

Result<int32_t> IdIn(const Result<std::string>& answer) {
  MR_RETURN_IF_ERROR(answer.status());
  simdjson::dom::parser parser;
  int64_t id = 0;
  if (parser.parse(*answer)["id"].get(id) != simdjson::SUCCESS) return BadAnswer(*answer);
  return static_cast<int32_t>(id);
}

}  // namespace

Result<std::shared_ptr<format::SchemaRegistry>> HttpRegistry::New(const std::string& url,
                                                                  const std::string& user_info,
                                                                  const std::string& token) {
  http::HttpSettings settings;
  settings.url = url.ends_with('/') ? url.substr(0, url.size() - 1) : url;
  settings.timeout_ms = kTimeoutMs;
  const size_t colon = user_info.find(':');
  settings.username = user_info.substr(0, colon);
  if (colon != std::string::npos) settings.password = user_info.substr(colon + 1);
  if (!token.empty()) settings.headers.emplace_back("Authorization", "Bearer " + token);
  MR_RETURN_IF_ERROR(http::CheckSettings(settings));
  return std::shared_ptr<format::SchemaRegistry>(new HttpRegistry(std::move(settings)));
}

Result<format::RegisteredSchema> HttpRegistry::Find(int32_t id) {
  std::lock_guard lock(mutex_);
  if (auto found = found_.find(id); found != found_.end()) return found->second;
  MR_ASSIGN_OR_RETURN(std::string answer, Ask("GET", fmt::format("/schemas/ids/{}", id)));
  MR_ASSIGN_OR_RETURN(format::RegisteredSchema schema, Read(answer, 0));
  return found_.emplace(id, std::move(schema)).first->second;
}

Result<int32_t> HttpRegistry::Register(const std::string& subject,
                                       const format::RegisteredSchema& schema) {
  std::lock_guard lock(mutex_);
  const std::string body = fmt::format(R"({{"schemaType":{},"schema":{}}})", JsonQuote(schema.type),
                                       JsonQuote(schema.text));
  return IdIn(Ask("POST", fmt::format("/subjects/{}/versions", Escaped(subject)), body));
}

Result<int32_t> HttpRegistry::Latest(const std::string& subject) {
  std::lock_guard lock(mutex_);
  return IdIn(Ask("GET", fmt::format("/subjects/{}/versions/latest", Escaped(subject))));
}

Result<std::string> HttpRegistry::Ask(const std::string& method, const std::string& path,
                                      const std::string& body) {
  http::HttpRequest request;
  request.method = method;
  request.path = path;
  request.content_type = "application/vnd.schemaregistry.v1+json";
  request.body = body;
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer, client_.Send(request));
  if (answer.status != 200) return Refusal(answer);
  return std::move(answer.body);
}

Result<format::RegisteredSchema> HttpRegistry::Read(const std::string& json, int depth) {
  if (depth > kReferencesDeep) return BadAnswer("schemas that refer to each other in a circle");
  simdjson::dom::parser parser;
  simdjson::dom::object answer;
  std::string_view text;
  if (parser.parse(json).get(answer) != simdjson::SUCCESS ||
      answer["schema"].get(text) != simdjson::SUCCESS) {
    return BadAnswer(json);
  }
  format::RegisteredSchema schema;
  schema.text = text;
  if (answer["schemaType"].get(text) == simdjson::SUCCESS) schema.type = text;
  simdjson::dom::array references;
  if (answer["references"].get(references) != simdjson::SUCCESS) return schema;
  for (auto reference : references) {
    std::string_view name, subject;
    int64_t version = 0;
    if (reference["name"].get(name) != simdjson::SUCCESS ||
        reference["subject"].get(subject) != simdjson::SUCCESS ||
        reference["version"].get(version) != simdjson::SUCCESS) {
      return BadAnswer(json);
    }
    MR_ASSIGN_OR_RETURN(std::string found, Ask("GET", fmt::format("/subjects/{}/versions/{}",
                                                                  Escaped(subject), version)));
    MR_ASSIGN_OR_RETURN(format::RegisteredSchema used, Read(found, depth + 1));
    used.references.push_back({std::string(name), used.text});
    for (format::NamedSchema& needed : used.references) {
      auto& known = schema.references;
      if (std::find(known.begin(), known.end(), needed) == known.end()) {
        known.push_back(std::move(needed));
      }
    }
  }
  return schema;
}

}  // namespace millrace::connectors::schema_registry
