// What the formats have in common whose records name their schema in a schema registry: the header
// of a record, and the options that say which registry.
//
// Format: a zero byte and the schema's number, 4 bytes, big endian; then what the format says.
// Source: Confluent's documentation, "Wire format".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/option_spec.h"

namespace millrace::format {

constexpr size_t kConfluentHeader = 5;
// Nothing: there is no such header.
std::optional<int32_t> ConfluentId(std::string_view record);
void AppendConfluentHeader(int32_t id, std::string& out);

// Whether records of the format begin with it.
bool NamesItsSchema(std::string_view format);

// "<format>.url", "<format>.subject" and those for authentication.
std::vector<model::OptionSpec> RegistryOptions(const std::string& format);

// "<format>.schema-file", of any format that has "<format>.schema".
model::OptionSpec SchemaFileOption(std::string_view format);

// Where nothing says which registry, and where nothing says under which subject to write.
Status NoSchemaRegistry(std::string_view format);
Status NoSubject(std::string_view format);

}  // namespace millrace::format
