// The Avro schemas of manifests and manifest lists, and values in their encoding.
//
// Source: Iceberg table specification, "Appendix A: Format-specific Requirements", Avro.
#pragma once

#include <duckdb.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "connectors/iceberg/manifest.h"
#include "format/avro/avro_file.h"

namespace millrace::connectors::iceberg {

std::string ManifestListAvroSchema();
std::string ManifestAvroSchema(const std::vector<PartitionColumn>& columns);

// Appends values as the schemas say; an optional one is a union with null first.
void AppendOptional(const std::optional<int64_t>& value, std::string& out);
void AppendOptional(const std::optional<std::string>& value, std::string& out);
void AppendOptional(const std::map<int, int64_t>& values, std::string& out);
void AppendOptional(const std::map<int, std::string>& values, std::string& out);
void AppendOptional(const std::vector<int64_t>& values, std::string& out);
void AppendPartitionValue(const duckdb::Value& value, std::string& out);

// Of a record's field; what is missing is nothing, and empty.
std::optional<int64_t> NumberIn(const format::AvroValue& record, std::string_view field);
std::optional<std::string> BytesIn(const format::AvroValue& record, std::string_view field);
std::map<int, int64_t> NumbersByIdIn(const format::AvroValue& record, std::string_view field);
std::map<int, std::string> BytesByIdIn(const format::AvroValue& record, std::string_view field);
std::vector<int64_t> NumbersIn(const format::AvroValue& record, std::string_view field);
// NULL where it is null.
duckdb::Value PartitionValueOf(const format::AvroValue& value, const duckdb::LogicalType& type);

}  // namespace millrace::connectors::iceberg
