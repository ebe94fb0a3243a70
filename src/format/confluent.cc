#include "format/confluent.h"

#include <fmt/format.h>

namespace millrace::format {

using model::OptionType;

std::optional<int32_t> ConfluentId(std::string_view record) {
  if (record.size() < kConfluentHeader || record[0] != '\0') return std::nullopt;
  uint32_t id = 0;
  for (size_t i = 1; i < kConfluentHeader; i++) {
    id = (id << 8) | static_cast<uint8_t>(record[i]);
  }
  return static_cast<int32_t>(id);
}

void AppendConfluentHeader(int32_t id, std::string& out) {
  out += '\0';
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += static_cast<char>(static_cast<uint32_t>(id) >> shift);
  }
}

bool NamesItsSchema(std::string_view format) {
  return format == "avro-confluent" || format == "protobuf-confluent" || format == "json-schema";
}

std::vector<model::OptionSpec> RegistryOptions(const std::string& format) {
  return {
      {.name = format + ".url",
       .doc = "the registry's address; none: the one in this process",
       .example = "http://registry:8081"},
      {.name = format + ".subject",
       .doc = "the subject under which the schema of what is written is registered; otherwise the "
              "topic's name and \"-value\" or \"-key\"",
       .example = "orders-value"},
      {.name = format + ".basic-auth.credentials-source",
       .type = OptionType::kEnum,
       .doc = "where the name and password for the registry come from",
       .choices = {"USER_INFO"}},
      {.name = format + ".basic-auth.user-info",
       .doc = "the registry's user and password",
       .secret = true,
       .example = "${env:REGISTRY_USER_AND_PASSWORD}"},
      {.name = format + ".bearer-auth.credentials-source",
       .type = OptionType::kEnum,
       .doc = "where the token for the registry comes from",
       .choices = {"STATIC_TOKEN"}},
      {.name = format + ".bearer-auth.token",
       .doc = "the token for the registry",
       .secret = true,
       .example = "${env:REGISTRY_TOKEN}"},
  };
}

model::OptionSpec SchemaFileOption(std::string_view format) {
  const char* ending = format.starts_with("protobuf") ? "proto"
                       : format.starts_with("avro")   ? "avsc"
                                                      : "json";
  return {
      .name = fmt::format("{}.schema-file", format),
      .doc = fmt::format("a file with what \"{}.schema\" says, relative to the project", format),
      .example = fmt::format("schemas/order.{}", ending)};
}

Status NoSchemaRegistry(std::string_view format) {
  return Status(Code::kFailedPrecondition,
                fmt::format("there is no schema registry for format \"{}\"", format))
      .WithHint(fmt::format("'{}.url' = 'http://registry:8081'", format));
}

Status NoSubject(std::string_view format) {
  return Status(Code::kBadOption,
                fmt::format("format \"{}\" needs a subject to write under", format))
      .WithHint(fmt::format("'{}.subject' = 'orders-value'", format));
}

}  // namespace millrace::format
