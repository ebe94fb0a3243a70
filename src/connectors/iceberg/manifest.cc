#include "connectors/iceberg/manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "connectors/iceberg/manifest_avro.h"
#include "connectors/iceberg/partition_transform.h"
#include "connectors/iceberg/value_bytes.h"
#include "format/avro/avro_cursor.h"
#include "format/avro/avro_file.h"

namespace millrace::connectors::iceberg {

using format::AppendAvroBytes;
using format::AppendAvroLong;
using format::AvroValue;

namespace {

constexpr const char* kCounts[] = {"existing", "added", "deleted"};  // by EntryStatus
constexpr size_t kOrderInList[] = {1, 0, 2};

Status Broken(const std::string& path) {
  return Status(Code::kCorruption, "\"" + path + "\" is no manifest as Iceberg describes them");
}

Result<format::AvroFile> ReadRecords(std::string_view bytes, const std::string& path) {
  auto file = format::ReadAvroFile(bytes);
  if (!file.ok()) return file.status().Annotate("\"" + path + "\"");
  if (file->schema->root().kind != format::AvroKind::kRecord) return Broken(path);
  return file;
}

PartitionSummary SummaryOf(const AvroValue& record) {
  PartitionSummary summary;
  summary.contains_null = NumberIn(record, "contains_null").value_or(1) != 0;
  if (const auto nan = NumberIn(record, "contains_nan")) summary.contains_nan = *nan != 0;
  summary.lower = BytesIn(record, "lower_bound");
  summary.upper = BytesIn(record, "upper_bound");
  return summary;
}

std::string EncodeSummary(const PartitionSummary& summary) {
  std::string out(1, summary.contains_null ? '\1' : '\0');
  AppendAvroLong(summary.contains_nan ? 1 : 0, out);
  if (summary.contains_nan) out += *summary.contains_nan ? '\1' : '\0';
  AppendOptional(summary.lower, out);
  AppendOptional(summary.upper, out);
  return out;
}

std::string EncodeManifestFile(const ManifestFile& manifest) {
  std::string out;
  AppendAvroBytes(manifest.path, out);
  AppendAvroLong(manifest.length, out);
  AppendAvroLong(manifest.spec_id, out);
  AppendAvroLong(manifest.content, out);
  AppendAvroLong(manifest.sequence_number, out);
  AppendAvroLong(manifest.min_sequence_number, out);
  AppendAvroLong(manifest.added_snapshot, out);
  for (const size_t status : kOrderInList) AppendAvroLong(manifest.files[status], out);
  for (const size_t status : kOrderInList) AppendAvroLong(manifest.rows[status], out);
  AppendAvroLong(manifest.partitions.empty() ? 0 : 1, out);
  if (!manifest.partitions.empty()) {
    AppendAvroLong(static_cast<int64_t>(manifest.partitions.size()), out);
    for (const PartitionSummary& summary : manifest.partitions) out += EncodeSummary(summary);
    AppendAvroLong(0, out);
  }
  AppendOptional(manifest.key_metadata, out);
  return out;
}

std::string EncodeEntry(const ManifestEntry& entry) {
  const DataFile& file = entry.file;
  std::string out;
  AppendAvroLong(static_cast<int64_t>(entry.status), out);
  AppendOptional(std::optional(entry.snapshot_id), out);
  AppendOptional(entry.sequence_number, out);
  AppendOptional(entry.file_sequence_number, out);
  AppendAvroLong(file.content, out);
  AppendAvroBytes(file.path, out);
  AppendAvroBytes(file.format, out);
  for (const duckdb::Value& value : file.partition) AppendPartitionValue(value, out);
  AppendAvroLong(file.record_count, out);
  AppendAvroLong(file.size_bytes, out);
  AppendOptional(file.column_sizes, out);
  AppendOptional(file.value_counts, out);
  AppendOptional(file.null_counts, out);
  AppendOptional(file.nan_counts, out);
  AppendOptional(file.lower_bounds, out);
  AppendOptional(file.upper_bounds, out);
  AppendOptional(file.key_metadata, out);
  AppendOptional(file.split_offsets, out);
  AppendOptional(file.equality_ids, out);
  AppendOptional(file.sort_order_id, out);
  return out;
}

bool ReadDataFile(const AvroValue& record, const std::vector<PartitionColumn>& columns,
                  DataFile& file) {
  const AvroValue* partition = record.Find("partition");
  const auto path = BytesIn(record, "file_path");
  const auto rows = NumberIn(record, "record_count");
  const auto size = NumberIn(record, "file_size_in_bytes");
  if (!partition || !path || !rows || !size || partition->parts.size() != columns.size()) {
    return false;
  }
  file.content = static_cast<int>(NumberIn(record, "content").value_or(0));
  file.path = *path;
  file.format = BytesIn(record, "file_format").value_or("");
  for (size_t i = 0; i < columns.size(); i++) {
    file.partition.push_back(PartitionValueOf(partition->parts[i], columns[i].type));
  }
  file.record_count = *rows;
  file.size_bytes = *size;
  file.column_sizes = NumbersByIdIn(record, "column_sizes");
  file.value_counts = NumbersByIdIn(record, "value_counts");
  file.null_counts = NumbersByIdIn(record, "null_value_counts");
  file.nan_counts = NumbersByIdIn(record, "nan_value_counts");
  file.lower_bounds = BytesByIdIn(record, "lower_bounds");
  file.upper_bounds = BytesByIdIn(record, "upper_bounds");
  file.key_metadata = BytesIn(record, "key_metadata");
  file.split_offsets = NumbersIn(record, "split_offsets");
  file.equality_ids = NumbersIn(record, "equality_ids");
  file.sort_order_id = NumberIn(record, "sort_order_id");
  return true;
}

bool IsNan(const duckdb::Value& value) {
  const auto type = value.type().id();
  const bool floating =
      type == duckdb::LogicalTypeId::FLOAT || type == duckdb::LogicalTypeId::DOUBLE;
  return floating && !ValueBytes(value);
}

PartitionSummary Summarize(const std::vector<ManifestEntry>& entries, size_t column) {
  PartitionSummary summary;
  summary.contains_nan = false;
  duckdb::Value lowest, highest;
  for (const ManifestEntry& entry : entries) {
    const duckdb::Value& value = entry.file.partition[column];
    if (value.IsNull()) {
      summary.contains_null = true;
    } else if (IsNan(value)) {
      summary.contains_nan = true;
    } else {
      if (lowest.IsNull() || value < lowest) lowest = value;
      if (highest.IsNull() || highest < value) highest = value;
    }
  }
  if (!lowest.IsNull()) summary.lower = BoundBytes(lowest, true);
  if (!highest.IsNull()) summary.upper = BoundBytes(highest, false);
  return summary;
}

}  // namespace

Result<std::vector<PartitionColumn>> PartitionColumnsOf(const PartitionSpec& spec,
                                                        const IcebergSchema& schema) {
  std::vector<PartitionColumn> columns;
  for (const PartitionField& field : spec.fields) {
    MR_ASSIGN_OR_RETURN(PartitionTransform transform, PartitionTransformOf(field, schema));
    columns.push_back({field.id, field.name, std::move(transform.result)});
  }
  return columns;
}

Result<std::vector<ManifestFile>> ReadManifestList(std::string_view bytes,
                                                   const std::string& path) {
  MR_ASSIGN_OR_RETURN(format::AvroFile file, ReadRecords(bytes, path));
  std::vector<ManifestFile> manifests;
  for (const AvroValue& record : file.records) {
    const auto manifest_path = BytesIn(record, "manifest_path");
    if (!manifest_path) return Broken(path);
    ManifestFile manifest;
    manifest.path = *manifest_path;
    manifest.length = NumberIn(record, "manifest_length").value_or(0);
    manifest.spec_id = static_cast<int>(NumberIn(record, "partition_spec_id").value_or(0));
    manifest.content = static_cast<int>(NumberIn(record, "content").value_or(0));
    manifest.sequence_number = NumberIn(record, "sequence_number").value_or(0);
    manifest.min_sequence_number = NumberIn(record, "min_sequence_number").value_or(0);
    manifest.added_snapshot = NumberIn(record, "added_snapshot_id").value_or(0);
    for (size_t status = 0; status < 3; status++) {
      const std::string count = kCounts[status];
      auto files = NumberIn(record, count + "_files_count");
      // As older writers call it.
      if (!files) files = NumberIn(record, count + "_data_files_count");
      manifest.files[status] = files.value_or(0);
      manifest.rows[status] = NumberIn(record, count + "_rows_count").value_or(0);
    }
    if (const AvroValue* summaries = record.Find("partitions")) {
      for (const AvroValue& each : summaries->parts) manifest.partitions.push_back(SummaryOf(each));
    }
    manifest.key_metadata = BytesIn(record, "key_metadata");
    manifests.push_back(std::move(manifest));
  }
  return manifests;
}

std::string WriteManifestList(std::vector<ManifestFile> manifests, int64_t snapshot_id,
                              int64_t parent, int64_t sequence_number) {
  std::vector<std::string> records;
  for (ManifestFile& manifest : manifests) {
    if (manifest.sequence_number < 0) manifest.sequence_number = sequence_number;
    if (manifest.min_sequence_number < 0) manifest.min_sequence_number = sequence_number;
    records.push_back(EncodeManifestFile(manifest));
  }
  return format::WriteAvroFile(
      ManifestListAvroSchema(),
      {{"snapshot-id", std::to_string(snapshot_id)},
       {"parent-snapshot-id", parent < 0 ? "null" : std::to_string(parent)},
       {"sequence-number", std::to_string(sequence_number)},
       {"format-version", "2"}},
      records);
}

Result<std::vector<ManifestEntry>> ReadManifest(std::string_view bytes,
                                                const ManifestFile& manifest,
                                                const std::vector<PartitionColumn>& columns) {
  MR_ASSIGN_OR_RETURN(format::AvroFile file, ReadRecords(bytes, manifest.path));
  std::vector<ManifestEntry> entries;
  for (const AvroValue& record : file.records) {
    ManifestEntry entry;
    const int64_t status = NumberIn(record, "status").value_or(-1);
    const AvroValue* data_file = record.Find("data_file");
    if (status < 0 || status > 2 || !data_file || !ReadDataFile(*data_file, columns, entry.file)) {
      return Broken(manifest.path);
    }
    entry.status = static_cast<EntryStatus>(status);
    entry.snapshot_id = NumberIn(record, "snapshot_id").value_or(manifest.added_snapshot);
    const int64_t sequence = manifest.sequence_number;
    entry.sequence_number = NumberIn(record, "sequence_number").value_or(sequence);
    entry.file_sequence_number = NumberIn(record, "file_sequence_number").value_or(sequence);
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::vector<std::string>> FilesOfManifest(std::string_view bytes, const std::string& path) {
  MR_ASSIGN_OR_RETURN(format::AvroFile file, ReadRecords(bytes, path));
  std::vector<std::string> files;
  for (const AvroValue& record : file.records) {
    const AvroValue* data_file = record.Find("data_file");
    const auto location = data_file ? BytesIn(*data_file, "file_path") : std::nullopt;
    const auto status = NumberIn(record, "status");
    if (!location || !status) return Broken(path);
    if (*status != static_cast<int64_t>(EntryStatus::kDeleted)) files.push_back(*location);
  }
  return files;
}

std::string WriteManifest(const TableMetadata& table, const PartitionSpec& spec,
                          const std::vector<PartitionColumn>& columns,
                          const std::vector<ManifestEntry>& entries, int64_t snapshot_id,
                          ManifestFile& manifest) {
  manifest.spec_id = spec.id;
  manifest.added_snapshot = snapshot_id;
  std::vector<std::string> records;
  for (const ManifestEntry& entry : entries) {
    const auto status = static_cast<size_t>(entry.status);
    manifest.files[status]++;
    manifest.rows[status] += entry.file.record_count;
    // Entries without a number get the highest.
    if (entry.live() && entry.sequence_number) {
      const int64_t lowest = manifest.min_sequence_number;
      manifest.min_sequence_number =
          lowest < 0 ? *entry.sequence_number : std::min(lowest, *entry.sequence_number);
    }
    records.push_back(EncodeEntry(entry));
  }
  for (size_t i = 0; i < columns.size(); i++) manifest.partitions.push_back(Summarize(entries, i));
  std::string bytes = format::WriteAvroFile(ManifestAvroSchema(columns),
                                            {{"schema", table.schema_json},
                                             {"schema-id", std::to_string(table.schema_id)},
                                             {"partition-spec", PartitionFieldsJson(spec)},
                                             {"partition-spec-id", std::to_string(spec.id)},
                                             {"format-version", "2"},
                                             {"content", "data"}},
                                            records);
  manifest.length = static_cast<int64_t>(bytes.size());
  return bytes;
}

}  // namespace millrace::connectors::iceberg
