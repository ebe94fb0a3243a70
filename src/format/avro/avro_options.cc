#include "format/avro/avro_options.h"

#include "format/confluent.h"
#include "format/drift.h"

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
      SchemaFileOption(kAvro),
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
  spec.options = RegistryOptions(spec.name);
  spec.options.push_back(
      {.name = "avro-confluent.schema",
       .doc = "the Avro schema to write with, whose aliases and defaults also count when reading; "
              "otherwise it is derived from the table, as Flink does",
       .example = R"({"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]})"});
  spec.options.push_back(SchemaFileOption(kAvroConfluent));
  spec.options.push_back(DriftSpec(kAvroConfluent));
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

}  // namespace millrace::format
