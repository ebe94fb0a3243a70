// Manifests and manifest lists: which files make up a snapshot of a table.
//
// A snapshot names a manifest list, which names manifests, which name data files. None of these
// files is ever changed. The number of the commit that added a file is not in its manifest but
// taken from the list, so that a commit that is tried again keeps its manifest.
//
// Contract: bytes here, no files; reading trusts no bytes.
// Source: Iceberg table specification, "Manifests", "Manifest Lists", version 2.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "connectors/iceberg/table_metadata.h"

namespace millrace::connectors::iceberg {

// A partition's value, or what a column of partitions has.
struct PartitionColumn {
  int id = 0;
  std::string name;
  duckdb::LogicalType type;
};

struct DataFile {
  int content = 0;  // 0: rows
  std::string path;
  std::string format = "PARQUET";
  std::vector<duckdb::Value> partition = {};
  int64_t record_count = 0;
  int64_t size_bytes = 0;
  // By the column's number.
  std::map<int, int64_t> column_sizes = {};
  std::map<int, int64_t> value_counts = {};
  std::map<int, int64_t> null_counts = {};
  std::map<int, int64_t> nan_counts = {};
  std::map<int, std::string> lower_bounds = {};
  std::map<int, std::string> upper_bounds = {};
  std::optional<std::string> key_metadata = {};
  std::vector<int64_t> split_offsets = {};
  std::vector<int64_t> equality_ids = {};
  std::optional<int64_t> sort_order_id = {};
};

enum class EntryStatus { kExisting = 0, kAdded = 1, kDeleted = 2 };

struct ManifestEntry {
  EntryStatus status = EntryStatus::kAdded;
  int64_t snapshot_id = 0;
  std::optional<int64_t> sequence_number = {};  // none: of the commit to come
  std::optional<int64_t> file_sequence_number = {};
  DataFile file;

  bool live() const { return status != EntryStatus::kDeleted; }
};

struct PartitionSummary {
  bool contains_null = false;
  std::optional<bool> contains_nan = {};
  std::optional<std::string> lower = {};
  std::optional<std::string> upper = {};
};

struct ManifestFile {
  std::string path;
  int64_t length = 0;
  int spec_id = 0;
  int content = 0;               // 0: of data files; 1: of files that delete
  int64_t sequence_number = -1;  // -1: of the commit to come
  int64_t min_sequence_number = -1;
  int64_t added_snapshot = 0;
  int64_t files[3] = {};  // by EntryStatus
  int64_t rows[3] = {};
  std::vector<PartitionSummary> partitions = {};
  std::optional<std::string> key_metadata = {};
};

// The columns of a spec's partitions. Errors: kUnsupported.
Result<std::vector<PartitionColumn>> PartitionColumnsOf(const PartitionSpec& spec,
                                                        const IcebergSchema& schema);

// `path` is for messages. Errors: kCorruption, kUnsupported.
Result<std::vector<ManifestFile>> ReadManifestList(std::string_view bytes, const std::string& path);
// The list of a commit: numbers that are open become `sequence_number`.
std::string WriteManifestList(std::vector<ManifestFile> manifests, int64_t snapshot_id,
                              int64_t parent, int64_t sequence_number);

// Entries have all their numbers; `columns` are of the manifest's spec.
Result<std::vector<ManifestEntry>> ReadManifest(std::string_view bytes,
                                                const ManifestFile& manifest,
                                                const std::vector<PartitionColumn>& columns);
// The files that a manifest of any spec has, without those that it takes away.
Result<std::vector<std::string>> FilesOfManifest(std::string_view bytes, const std::string& path);
// Fills in what `manifest` says of its content, all but the path.
std::string WriteManifest(const TableMetadata& table, const PartitionSpec& spec,
                          const std::vector<PartitionColumn>& columns,
                          const std::vector<ManifestEntry>& entries, int64_t snapshot_id,
                          ManifestFile& manifest);

}  // namespace millrace::connectors::iceberg
