#include "connectors/iceberg/store_access.h"

#include <gtest/gtest.h>

namespace millrace::connectors::iceberg {
namespace {

// As a catalog answers: defaults, then the table's own, then credentials by prefix.
StoreProperties Told(const char* answer, const std::string& location) {
  simdjson::dom::parser parser;
  simdjson::dom::element json;
  EXPECT_FALSE(parser.parse(std::string_view(answer)).get(json));
  StoreProperties told = {{"client.region", "eu-west-1"}, {"s3.endpoint", "https://other"}};
  AddProperties(json, "config", told);
  AddCredentials(json, location, told);
  return told;
}

constexpr const char* kAnswer = R"({
  "config": {"s3.endpoint": "http://minio:9000/", "s3.path-style-access": "true", "x": 1},
  "storage-credentials": [
    {"prefix": "s3://", "config": {"s3.access-key-id": "any"}},
    {"prefix": "s3://lake/sales/", "config": {"s3.access-key-id": "AK", "s3.secret-access-key": "SK",
      "s3.session-token": "T", "s3.session-token-expires-at-ms": "1700000000000"}},
    {"prefix": "s3://lake/hr/", "config": {"s3.access-key-id": "other"}}]})";

TEST(StoreAccess, IsWhatTheCatalogTellsOfTheTable) {
  const auto told = Told(kAnswer, "s3://lake/sales/orders");
  EXPECT_EQ(AccessFor({{"use_ssl", "true"}}, told), (s3::Access{{"endpoint", "minio:9000"},
                                                                {"key_id", "AK"},
                                                                {"region", "eu-west-1"},
                                                                {"secret", "SK"},
                                                                {"session_token", "T"},
                                                                {"url_style", "path"},
                                                                {"use_ssl", "false"}}));
  EXPECT_EQ(CredentialsEndMs(told), 1'700'000'000'000);
  EXPECT_EQ(AccessFor({}, Told(kAnswer, "s3://elsewhere/t")).at("key_id"), "any");
  EXPECT_EQ(CredentialsEndMs(Told(kAnswer, "s3://elsewhere/t")), 0);
}

TEST(StoreAccess, IsFirstWhatTheOptionsSay) {
  const auto told = Told(kAnswer, "s3://lake/sales/orders");
  // Another login: without the token of the catalog's.
  const auto access = AccessFor({{"use_ssl", "true"}, {"key_id", "me"}, {"secret", "mine"}}, told);
  EXPECT_EQ(access.at("key_id"), "me");
  EXPECT_EQ(access.at("secret"), "mine");
  EXPECT_FALSE(access.contains("session_token"));
  EXPECT_EQ(access.at("use_ssl"), "false");  // as the address wants it
  EXPECT_EQ(AccessFor({{"use_ssl", "true"}, {"endpoint", "s3.local"}}, told).at("use_ssl"), "true");
  EXPECT_EQ(AccessFor({{"use_ssl", "false"}}, {}), (s3::Access{{"use_ssl", "false"}}));
}

}  // namespace
}  // namespace millrace::connectors::iceberg
