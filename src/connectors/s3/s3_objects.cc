#include "connectors/s3/s3_objects.h"

#include <fmt/format.h>
#include <openssl/sha.h>

namespace millrace::connectors::s3 {

namespace {

constexpr const char* kDefaultRegion = "us-east-1";

std::string Told(const Access& access, const std::string& name, const std::string& otherwise) {
  auto found = access.find(name);
  return found == access.end() || found->second.empty() ? otherwise : found->second;
}

// "s3://bucket/" of a location.
std::string BucketOf(const std::string& location) {
  const size_t host = location.find("://") + 3;
  return location.substr(0, location.find('/', host)) + "/";
}

http::HttpSettings SettingsOf(const Access& access, const std::string& bucket_location,
                              int64_t timeout_ms) {
  const size_t host = bucket_location.find("://") + 3;
  const std::string bucket = bucket_location.substr(host, bucket_location.size() - host - 1);
  const std::string region = Told(access, "region", kDefaultRegion);
  const std::string endpoint = Told(access, "endpoint", "s3." + region + ".amazonaws.com");
  const std::string scheme = Told(access, "use_ssl", "true") == "true" ? "https://" : "http://";
  http::HttpSettings settings{.url = {}, .headers = {}, .timeout_ms = timeout_ms};
  settings.url = Told(access, "url_style", "vhost") == "path"
                     ? scheme + endpoint + "/" + bucket + "/"
                     : scheme + bucket + "." + endpoint + "/";
  settings.username = Told(access, "key_id", "");
  settings.password = Told(access, "secret", "");
  if (!settings.username.empty()) settings.aws_signature = "aws:amz:" + region + ":s3";
  const std::string token = Told(access, "session_token", "");
  if (!token.empty()) settings.headers.emplace_back("x-amz-security-token", token);
  return settings;
}

// As the signature has it: all but what needs none is written in hexadecimal.
std::string EncodeKey(std::string_view key) {
  std::string path;
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = std::isalnum(byte) || std::string_view("/-_.~").find(c) != key.npos;
    path += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return path;
}

std::string Sha256(std::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace

S3Objects::S3Objects(const Access& access, const std::string& location, int64_t timeout_ms)
    : bucket_(BucketOf(location)), client_(SettingsOf(access, bucket_, timeout_ms)) {}

Result<http::HttpAnswer> S3Objects::Send(const std::string& method, const std::string& location,
                                         std::string_view body, bool if_none) {
  http::HttpRequest request{.method = method,
                            .path = EncodeKey(std::string_view(location).substr(bucket_.size())),
                            .content_type = "application/octet-stream",
                            .headers = {{"x-amz-content-sha256", Sha256(body)}},
                            .body = std::string(body)};
  if (if_none) request.headers.emplace_back("If-None-Match", "*");
  return client_.Send(request);
}

Status S3Objects::Refused(const std::string& what, const std::string& location,
                          const http::HttpAnswer& answer) const {
  Status status = Status(Code::kUnavailable, fmt::format("the store {} \"{}\": status {}", what,
                                                         location, answer.status))
                      .WithDetail(http::ShownAnswer(answer.body))
                      .WithRetry(Retry::kBackoff);
  if (answer.status != 401 && answer.status != 403) return status;
  return std::move(status).WithHint("the options 's3.key-id' and 's3.secret' say who asks");
}

Result<std::string> S3Objects::Read(const std::string& location) {
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer, Send("GET", location, ""));
  if (answer.status == 200) return std::move(answer.body);
  if (answer.status == 404 && answer.body.find("NoSuchBucket") == std::string::npos) {
    return Status(Code::kNotFound, "there is no \"" + location + "\"");
  }
  return Refused("does not give", location, answer);
}

Result<bool> S3Objects::Exists(const std::string& location) {
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer, Send("HEAD", location, ""));
  if (answer.status == 200) return true;
  if (answer.status == 404) return false;
  return Refused("does not tell of", location, answer);
}

Status S3Objects::Write(const std::string& location, std::string_view bytes) {
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer, Send("PUT", location, bytes));
  return answer.status == 200 ? Status::Ok() : Refused("does not take", location, answer);
}

Status S3Objects::WriteNew(const std::string& location, std::string_view bytes) {
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer, Send("PUT", location, bytes, true));
  if (answer.status == 200) return Status::Ok();
  if (answer.status == 412) {
    return Status(Code::kAlreadyExists, "there is \"" + location + "\" already");
  }
  return Refused("does not take", location, answer);
}

Status S3Objects::Remove(const std::string& location) {
  MR_ASSIGN_OR_RETURN(http::HttpAnswer answer, Send("DELETE", location, ""));
  if (answer.status == 204 || answer.status == 200 || answer.status == 404) return Status::Ok();
  return Refused("does not delete", location, answer);
}

Status S3Objects::CheckWriteNew(const std::string& location) {
  MR_RETURN_IF_ERROR(Write(location, "probe"));
  MR_ASSIGN_OR_RETURN(http::HttpAnswer again, Send("PUT", location, "probe", true));
  MR_RETURN_IF_ERROR(Remove(location));
  if (again.status == 412) return Status::Ok();
  // 501: it knows that it does not know the header.
  if (again.status != 200 && again.status != 501) return Refused("does not take", location, again);
  return Status(Code::kUnsupported, "the store of \"" + location +
                                        "\" cannot make an object only if there is none of its "
                                        "name: it answers If-None-Match with status " +
                                        std::to_string(again.status))
      .WithHint(
          "two writers could overwrite each other's commits; use a store that can (Amazon's, "
          "newer MinIO, versitygw, …), or a sink whose commits are a catalog's: 'iceberg', "
          "'ducklake'");
}

}  // namespace millrace::connectors::s3
