// Whether records of one Avro schema can be read with another, and if not, why and where.
//
// Source: Apache Avro 1.11 specification, "Schema Resolution". As in Avro's own
// SchemaCompatibility, names are compared without their namespace, and logical types do not matter.
#pragma once

#include <string>
#include <vector>

#include "format/avro/avro_schema.h"
#include "registry/incompatibility.h"

namespace millrace::registry {

// Empty: whatever `writer` wrote, `reader` reads. `reader_name` and `writer_name` are what messages
// call them: "the new schema", "version 3".
std::vector<Incompatibility> CheckAvro(const format::AvroType& reader,
                                       const format::AvroType& writer,
                                       const std::string& reader_name,
                                       const std::string& writer_name);

}  // namespace millrace::registry
