#include "connectors/iceberg/rest_catalog.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "model/masking.h"

namespace millrace::connectors::iceberg {

using simdjson::dom::element;

namespace {

// As a part of a URL's path.
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

std::string TextsJson(const std::map<std::string, std::string>& texts) {
  std::vector<std::string> members;
  for (const auto& [key, value] : texts) members.push_back(JsonQuote(key) + ":" + JsonQuote(value));
  return "{" + Join(members, ",") + "}";
}

bool MayPass(int status) {
  return status == 408 || status == 419 || status == 429 || status >= 500;
}

http::HttpSettings HttpSettingsOf(const CatalogSettings& settings) {
  http::HttpSettings http{.url = settings.uri, .headers = {}, .timeout_ms = settings.timeout_ms};
  if (!settings.token.empty())
    http.headers.emplace_back("Authorization", "Bearer " + settings.token);
  if (settings.wants_credentials)
    http.headers.emplace_back("X-Iceberg-Access-Delegation", "vended-credentials");
  return http;
}

}  // namespace

RestCatalog::RestCatalog(CatalogSettings settings)
    : settings_(std::move(settings)),
      client_(std::make_unique<http::HttpClient>(HttpSettingsOf(settings_))) {}

Status RestCatalog::Open() {
  std::string path = "/v1/config";
  if (!settings_.warehouse.empty()) path += "?warehouse=" + Escaped(settings_.warehouse);
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer, client_->Send({.method = "GET", .path = path}));
  if (answer.status != 200) return Refused("does not tell its settings", answer);
  element config;
  if (parser_.parse(answer.body).get(config)) return Refused("answers with no JSON", answer);
  prefix_ = "/v1";
  std::string_view text;
  for (const char* strength : {"overrides", "defaults"}) {
    if (config[strength]["prefix"].get(text)) continue;
    prefix_ += "/" + std::string(text);
    break;
  }
  if (!config["overrides"]["namespace-separator"].get(text)) separator_ = text;
  defaults_.clear();
  overrides_.clear();
  AddProperties(config, "defaults", defaults_);
  AddProperties(config, "overrides", overrides_);
  return Status::Ok();
}

Result<std::optional<TableMetadata>> RestCatalog::Load() {
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer,
                      client_->Send({.method = "GET", .path = TablePath()}));
  if (answer.status == 404) return std::optional<TableMetadata>();
  if (answer.status != 200) return Refused("does not show the table", answer);
  MR_ASSIGN_OR_RETURN(TableMetadata table, MetadataOf(answer));
  TakeStoreProperties(answer, table.location);
  return std::optional(std::move(table));
}

Status RestCatalog::Create(const NewTable& table) {
  const std::string body =
      fmt::format(R"({{"name":{},"schema":{},"partition-spec":{{"spec-id":0,"fields":{}}},)"
                  R"("properties":{}}})",
                  JsonQuote(settings_.table), SchemaJson(table.schema, 0),
                  PartitionFieldsJson(table.spec), TextsJson(table.properties));
  const std::string path = NamespacePath() + "/tables";
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer, client_->Send({.path = path, .body = body}));
  if (answer.status == 404) {
    MR_RETURN_IF_ERROR(CreateNamespace());
    MR_ASSIGN_OR_RETURN(answer, client_->Send({.path = path, .body = body}));
  }
  if (answer.status == 409) return Status(Code::kAlreadyExists, table_name() + " exists already");
  return answer.status == 200 ? Status::Ok() : Refused("does not make the table", answer);
}

Result<TableMetadata> RestCatalog::Commit(const std::vector<std::string>& requirements,
                                          const std::vector<std::string>& updates) {
  const std::string body = fmt::format(
      R"({{"identifier":{{"namespace":{},"name":{}}},"requirements":[{}],"updates":[{}]}})",
      NamespaceJson(), JsonQuote(settings_.table), Join(requirements, ","), Join(updates, ","));
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer, client_->Send({.path = TablePath(), .body = body}));
  if (answer.status == 409) {
    return Status(Code::kFailedPrecondition,
                  "somebody else has changed the table " + table_name() + " meanwhile")
        .WithDetail(http::ShownAnswer(answer.body))
        .WithRetry(Retry::kBackoff);
  }
  if (answer.status == 200) return MetadataOf(answer);
  Status refused = Refused("does not take the commit", answer);
  // Iceberg's own library answers so when snapshots are removed that are gone already, after an
  // answer that was lost, say. Upon the table as it is then another try passes.
  return answer.status == 400 ? std::move(refused).WithRetry(Retry::kBackoff) : refused;
}

std::string RestCatalog::table_name() const {
  return Join(settings_.name_space, ".") + "." + settings_.table;
}

Status RestCatalog::Refused(const std::string& what, const http::HttpAnswer& answer) const {
  Status status(MayPass(answer.status) ? Code::kUnavailable : Code::kInvalidArgument,
                fmt::format("the catalog at {} {} \"{}\": status {}",
                            model::MaskUrls(settings_.uri), what, table_name(), answer.status));
  status = std::move(status).WithDetail(http::ShownAnswer(answer.body));
  if (MayPass(answer.status)) return std::move(status).WithRetry(Retry::kBackoff);
  if (answer.status != 401 && answer.status != 403) return status;
  return std::move(status).WithHint("the option 'token' says who asks");
}

Result<TableMetadata> RestCatalog::MetadataOf(const http::HttpAnswer& answer) {
  element json, metadata;
  if (parser_.parse(answer.body).get(json) || json["metadata"].get(metadata)) {
    return Refused("answers without metadata of", answer);
  }
  return ParseTableMetadata(metadata);
}

void RestCatalog::TakeStoreProperties(const http::HttpAnswer& answer, const std::string& location) {
  store_properties_ = defaults_;
  element json;
  if (!parser_.parse(answer.body).get(json)) {
    AddProperties(json, "config", store_properties_);
    AddCredentials(json, location, store_properties_);
  }
  for (const auto& [name, value] : overrides_) store_properties_[name] = value;
}

Status RestCatalog::CreateNamespace() {
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer,
                      client_->Send({.path = prefix_ + "/namespaces",
                                     .body = R"({"namespace":)" + NamespaceJson() + "}"}));
  if (answer.status == 200 || answer.status == 409) return Status::Ok();
  return Refused("does not make the namespace of", answer);
}

std::string RestCatalog::NamespaceJson() const {
  std::vector<std::string> levels;
  for (const std::string& level : settings_.name_space) levels.push_back(JsonQuote(level));
  return "[" + Join(levels, ",") + "]";
}

std::string RestCatalog::NamespacePath() const {
  std::vector<std::string> levels;
  for (const std::string& level : settings_.name_space) levels.push_back(Escaped(level));
  return prefix_ + "/namespaces/" + Join(levels, separator_);
}

std::string RestCatalog::TablePath() const {
  return NamespacePath() + "/tables/" + Escaped(settings_.table);
}

}  // namespace millrace::connectors::iceberg
