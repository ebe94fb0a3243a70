// Which schema registry a table's format asks: the one at its URL, or the one in this process.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "connectors/connector.h"
#include "format/decoder.h"
#include "format/schema_registry.h"

namespace millrace::connectors::schema_registry {

// `options`: of the format ("avro-confluent.…"). Null for a format that asks none, and where
// neither a URL nor this process has one. Nothing is asked yet. Errors: kBadOption.
Result<std::shared_ptr<format::SchemaRegistry>> RegistryFor(
    const std::string& format, const std::map<std::string, std::string>& options,
    const Services& services);
// Of the record's value, or of its key where only that asks.
Result<std::shared_ptr<format::SchemaRegistry>> RegistryForDecoder(
    const format::DecoderOptions& options, const Services& services);

}  // namespace millrace::connectors::schema_registry
