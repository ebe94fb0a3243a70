// What the Avro formats have in common beside the encoding: their options.
#pragma once

#include <memory>
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

}  // namespace millrace::format
