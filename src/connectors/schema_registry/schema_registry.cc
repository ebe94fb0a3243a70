#include "connectors/schema_registry/schema_registry.h"

#include "connectors/schema_registry/http_registry.h"
#include "format/confluent.h"

namespace millrace::connectors::schema_registry {

namespace {

std::string Find(const std::map<std::string, std::string>& options, const std::string& name) {
  auto found = options.find(name);
  return found == options.end() ? "" : found->second;
}

}  // namespace

Result<std::shared_ptr<format::SchemaRegistry>> RegistryFor(
    const std::string& format, const std::map<std::string, std::string>& options,
    const Services& services) {
  if (!format::NamesItsSchema(format)) return std::shared_ptr<format::SchemaRegistry>();
  if (const std::string url = Find(options, format + ".url"); !url.empty()) {
    return HttpRegistry::New(url, Find(options, format + ".basic-auth.user-info"),
                             Find(options, format + ".bearer-auth.token"));
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
