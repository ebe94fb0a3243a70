#include "connectors/s3/s3_options.h"

#include "base/strings.h"
#include "duck/extensions.h"
#include "duck/remote_files.h"
#include "duck/warehouse.h"

namespace millrace::connectors::s3 {

std::vector<OptionSpec> AccessOptions() {
  return {
      {.name = "s3.endpoint", .doc = "Of another store than Amazon's.", .example = "minio:9000"},
      {.name = "s3.region", .doc = "Region of the bucket.", .example = "eu-central-1"},
      {.name = "s3.url-style",
       .type = OptionType::kEnum,
       .doc = "How buckets are addressed.",
       .choices = {"vhost", "path"}},
      {.name = "s3.tls", .type = OptionType::kBool, .doc = "HTTPS.", .default_value = "true"},
      {.name = "s3.key-id", .doc = "Who logs in.", .example = "${env:S3_KEY_ID}"},
      {.name = "s3.secret", .doc = "The key's secret.", .secret = true},
  };
}

Access AccessOf(const Options& options) {
  Access access;
  access["use_ssl"] = options.GetBool("s3.tls") ? "true" : "false";
  for (const auto& [option, name] : {std::pair{"s3.endpoint", "endpoint"},
                                     {"s3.region", "region"},
                                     {"s3.url-style", "url_style"},
                                     {"s3.key-id", "key_id"},
                                     {"s3.secret", "secret"}}) {
    if (options.Has(option)) access[name] = options.GetString(option);
  }
  return access;
}

bool IsS3(const std::string& location) {
  return location.starts_with("s3://") || location.starts_with("s3a://") ||
         location.starts_with("s3n://");
}

Status UseAccess(duckdb::Connection& connection, const Access& access) {
  MR_RETURN_IF_ERROR(duck::LoadRemoteFiles(connection));
  return MakeSecret(connection, access);
}

Status MakeSecret(duckdb::Connection& connection, const Access& access) {
  std::vector<std::string> options = {"TYPE s3"};
  for (const auto& [name, value] : access) options.push_back(name + " " + QuoteLiteral(value));
  return duck::ExplainMissingExtension(duck::Warehouse::Execute(
      connection, "CREATE OR REPLACE SECRET store (" + Join(options, ", ") + ")"));
}

}  // namespace millrace::connectors::s3
