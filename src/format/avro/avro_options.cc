#include "format/avro/avro_options.h"

namespace millrace::format {

using model::OptionType;

FormatSpec AvroSpec() {
  FormatSpec spec;
  spec.name = kAvro;
  spec.summary =
      "one Avro record in its binary encoding, without a header: writer and reader have the same "
      "schema, that of the table";
  spec.example = "'format' = 'avro'";
  spec.binary = true;
  spec.options = {
      {.name = "avro.schema",
       .doc =
           "the Avro schema of the records; otherwise it is derived from the table, as Flink does",
       .example = R"({"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]})"},
      {.name = "avro.encoding",
       .type = OptionType::kEnum,
       .doc = "how records are encoded",
       .default_value = "binary",
       .choices = {"binary"}},
      {.name = "avro.timestamp_mapping.legacy",
       .type = OptionType::kBool,
       .doc = "whether a TIMESTAMP is written as timestamp-millis, not as local-timestamp-millis; "
              "both are read in either case",
       .default_value = "true"},
  };
  return spec;
}

FormatSpec AvroConfluentSpec() {
  FormatSpec spec;
  spec.name = kAvroConfluent;
  spec.summary =
      "Avro records that carry the number of their schema in a schema registry; fields are matched "
      "to columns by name";
  spec.example = "'format' = 'avro-confluent', 'avro-confluent.url' = 'http://registry:8081'";
  spec.binary = true;
  spec.options = {
      {.name = "avro-confluent.url",
       .doc = "the registry's address; none: the one in this process",
       .example = "http://registry:8081"},
      {.name = "avro-confluent.subject",
       .doc = "the subject under which the schema of what is written is registered; otherwise the "
              "topic's name and \"-value\" or \"-key\"",
       .example = "orders-value"},
      {.name = "avro-confluent.schema",
       .doc = "the Avro schema to write with, whose aliases and defaults also count when reading; "
              "otherwise it is derived from the table, as Flink does",
       .example = R"({"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]})"},
      {.name = "avro-confluent.basic-auth.credentials-source",
       .type = OptionType::kEnum,
       .doc = "where the name and password for the registry come from",
       .choices = {"USER_INFO"}},
      {.name = "avro-confluent.basic-auth.user-info",
       .doc = "the registry's user and password",
       .secret = true,
       .example = "${env:REGISTRY_USER_AND_PASSWORD}"},
      {.name = "avro-confluent.bearer-auth.credentials-source",
       .type = OptionType::kEnum,
       .doc = "where the token for the registry comes from",
       .choices = {"STATIC_TOKEN"}},
      {.name = "avro-confluent.bearer-auth.token",
       .doc = "the token for the registry",
       .secret = true,
       .example = "${env:REGISTRY_TOKEN}"},
  };
  return spec;
}

Result<std::shared_ptr<const AvroSchema>> OwnAvroSchema(std::string_view format,
                                                        const FormatOptions& options) {
  const std::string name = std::string(format) + ".schema";
  if (!options.Has(name)) return std::shared_ptr<const AvroSchema>();
  auto schema = AvroSchema::Parse(options.GetString(name));
  if (!schema.ok()) {
    return Status(Code::kBadOption,
                  "option \"" + name + "\" is no Avro schema: " + schema.status().message())
        .WithHint(schema.status().hint());
  }
  if ((*schema)->root().kind != AvroKind::kRecord) {
    return Status(Code::kBadOption, "option \"" + name + "\" is the schema of type " +
                                        (*schema)->root().Describe() + ", not of a record");
  }
  return schema;
}

bool HasLocalTimes(const FormatOptions& options) {
  return options.Has("avro.timestamp_mapping.legacy") &&
         !options.GetBool("avro.timestamp_mapping.legacy");
}

std::optional<int32_t> AvroConfluentId(std::string_view record) {
  if (record.size() < kAvroConfluentHeader || record[0] != '\0') return std::nullopt;
  uint32_t id = 0;
  for (size_t i = 1; i < kAvroConfluentHeader; i++) {
    id = (id << 8) | static_cast<uint8_t>(record[i]);
  }
  return static_cast<int32_t>(id);
}

void AppendAvroConfluentHeader(int32_t id, std::string& out) {
  out += '\0';
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += static_cast<char>(static_cast<uint32_t>(id) >> shift);
  }
}

Status NoSchemaRegistry() {
  return Status(Code::kFailedPrecondition,
                "there is no schema registry for format \"avro-confluent\"")
      .WithHint("'avro-confluent.url' = 'http://registry:8081'");
}

}  // namespace millrace::format
