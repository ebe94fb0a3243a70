// What the Avro formats have in common beside the encoding: their options, and the header of
// 'avro-confluent'.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "format/avro/avro_schema.h"
#include "format/format_options.h"

namespace millrace::format {

constexpr std::string_view kAvro = "avro";
constexpr std::string_view kAvroConfluent = "avro-confluent";

FormatSpec AvroSpec();
FormatSpec AvroConfluentSpec();

// The schema that the table gives ("avro.schema"), or null. kBadOption when it is no record's.
Result<std::shared_ptr<const AvroSchema>> OwnAvroSchema(std::string_view format,
                                                        const FormatOptions& options);
bool HasLocalTimes(const FormatOptions& options);

// A zero byte and the schema's number, 4 bytes, big endian.
// Source: Confluent's documentation, "Wire format".
constexpr size_t kAvroConfluentHeader = 5;
std::optional<int32_t> AvroConfluentId(std::string_view record);
void AppendAvroConfluentHeader(int32_t id, std::string& out);

// For 'avro-confluent' where nothing says which registry.
Status NoSchemaRegistry();

}  // namespace millrace::format
