#include "connectors/schema_registry/schema_registry.h"

#include "connectors/schema_registry/http_registry.h"

namespace millrace::connectors::schema_registry {

namespace {

std::string Option(const std::map<std::string, std::string>& options, const std::string& name) {
  auto found = options.find("avro-confluent." + name);
  return found == options.end() ? "" : found->second;
}

}  // namespace

Result<std::shared_ptr<format::SchemaRegistry>> RegistryFor(
    const std::string& format, const std::map<std::string, std::string>& options,
    const Services& services) {
  if (format != "avro-confluent") return std::shared_ptr<format::SchemaRegistry>();
  if (const std::string url = Option(options, "url"); !url.empty()) {
    return HttpRegistry::New(url, Option(options, "basic-auth.user-info"),
                             Option(options, "bearer-auth.token"));
  }
  // Owned by the process, not by the table.
  return std::shared_ptr<format::SchemaRegistry>(std::shared_ptr<void>(), services.registry);
}

Result<std::shared_ptr<format::SchemaRegistry>> RegistryForDecoder(
    const format::DecoderOptions& options, const Services& services) {
  MR_ASSIGN_OR_RETURN(auto registry, RegistryFor(options.format, options.options, services));
  if (registry || !options.upsert) return registry;
  return RegistryFor(options.key_format, options.key_options, services);
}

}  // namespace millrace::connectors::schema_registry
