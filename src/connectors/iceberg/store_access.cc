#include "connectors/iceberg/store_access.h"

#include <charconv>
#include <string_view>

#include "base/strings.h"

namespace millrace::connectors::iceberg {

namespace {

constexpr std::string_view kHttps = "https://", kHttp = "http://";

}  // namespace

void AddProperties(const simdjson::dom::element& json, const char* name,
                   StoreProperties& properties) {
  simdjson::dom::object members;
  if (json[name].get(members)) return;
  for (const auto& [key, value] : members) {
    std::string_view text;
    if (!value.get(text)) properties[std::string(key)] = text;
  }
}

void AddCredentials(const simdjson::dom::element& answer, const std::string& location,
                    StoreProperties& properties) {
  simdjson::dom::array all;
  if (answer["storage-credentials"].get(all)) return;
  size_t longest = 0;
  StoreProperties best;
  for (const auto each : all) {
    std::string_view prefix;
    if (each["prefix"].get(prefix) || !location.starts_with(prefix)) continue;
    if (!best.empty() && prefix.size() < longest) continue;
    longest = prefix.size();
    best.clear();
    AddProperties(each, "config", best);
  }
  for (auto& [key, value] : best) properties[key] = std::move(value);
}

s3::Access AccessFor(const s3::Access& given, const StoreProperties& told) {
  s3::Access access;
  for (const auto& [property, name] : {std::pair{"client.region", "region"},
                                       {"s3.region", "region"},
                                       {"s3.endpoint", "endpoint"},
                                       {"s3.access-key-id", "key_id"},
                                       {"s3.secret-access-key", "secret"},
                                       {"s3.session-token", "session_token"}}) {
    if (auto found = told.find(property); found != told.end()) access[name] = found->second;
  }
  if (auto style = told.find("s3.path-style-access"); style != told.end()) {
    access["url_style"] = EqualsIgnoreCase(style->second, "true") ? "path" : "vhost";
  }
  access["use_ssl"] = "true";
  if (auto endpoint = access.find("endpoint"); endpoint != access.end()) {
    std::string& url = endpoint->second;
    if (url.starts_with(kHttp)) access["use_ssl"] = "false";
    for (const std::string_view scheme : {kHttps, kHttp}) {
      if (url.starts_with(scheme)) url.erase(0, scheme.size());
    }
    while (url.ends_with('/')) url.pop_back();
  }
  // One who logs in by name does not do so with the other's token.
  if (given.contains("key_id")) access.erase("session_token");
  // Whether an address that was told takes HTTPS is told with it.
  const bool keeps_address = access.contains("endpoint") && !given.contains("endpoint");
  for (const auto& [name, value] : given) {
    if (name != "use_ssl" || !keeps_address) access[name] = value;
  }
  return access;
}

int64_t CredentialsEndMs(const StoreProperties& told) {
  int64_t end_ms = 0;
  if (auto found = told.find("s3.session-token-expires-at-ms"); found != told.end()) {
    const std::string& text = found->second;
    std::from_chars(text.data(), text.data() + text.size(), end_ms);
  }
  return end_ms;
}

}  // namespace millrace::connectors::iceberg
