// TableMetadata: what a catalog says of a table, as far as a writer needs it.
//
// Source: Iceberg table specification, "Table Metadata", "Snapshots", "Partitioning".
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "connectors/iceberg/iceberg_type.h"

namespace millrace::connectors::iceberg {

struct Snapshot {
  int64_t id = 0;
  int64_t parent = -1;  // -1: none
  int64_t sequence_number = 0;
  int64_t timestamp_ms = 0;
  std::string manifest_list;
  std::map<std::string, std::string> summary;
};

struct PartitionField {
  int source_id = 0;  // of the column
  int id = 0;
  std::string name;
  std::string transform;  // "identity", "bucket[16]"
};

struct PartitionSpec {
  int id = 0;
  std::vector<PartitionField> fields;  // empty: not partitioned
};

struct TableMetadata {
  int format_version = 0;
  std::string uuid;
  std::string location;
  int last_column_id = 0;
  int schema_id = 0;
  IcebergSchema schema;     // the current one
  std::string schema_json;  // of it
  size_t schema_count = 0;  // with the earlier ones
  int spec_id = 0;          // of new files
  std::vector<PartitionSpec> specs;
  std::map<std::string, std::string> properties;
  int64_t last_sequence_number = 0;
  int64_t current_snapshot = -1;  // -1: the table is empty
  std::vector<Snapshot> snapshots;
  std::map<std::string, int64_t> refs;  // branches and tags: a snapshot each

  // Null: there is none.
  const Snapshot* FindSnapshot(int64_t id) const;
  const PartitionSpec* FindSpec(int id) const;
  // Where files of the kind go: "data", "metadata".
  std::string DirectoryOf(const std::string& kind) const;
};

// Errors: kCorruption; kUnsupported for column types that we cannot write.
Result<TableMetadata> ParseTableMetadata(const simdjson::dom::element& json);

// [{"name":…,"transform":…,"source-id":…,"field-id":…}, …]
std::string PartitionFieldsJson(const PartitionSpec& spec);

}  // namespace millrace::connectors::iceberg
