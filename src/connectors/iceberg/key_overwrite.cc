#include "connectors/iceberg/key_overwrite.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "connectors/iceberg/value_bytes.h"

namespace millrace::connectors::iceberg {

using duckdb::LogicalType;
using duckdb::Value;

namespace {

constexpr const char* kFileColumn = "millrace_file";

const IcebergField& FieldOf(const TableMetadata& table, const std::string& name) {
  return *FindField(table.schema, name);
}

// Whether no value between the bounds of a file is one of the changed keys'.
bool IsOutOf(const DataFile& file, int column, const LogicalType& type, const Value& lowest,
             const Value& highest) {
  const auto bound = [&](const std::map<int, std::string>& bounds) -> std::optional<Value> {
    auto found = bounds.find(column);
    return found == bounds.end() ? std::nullopt : ValueOfBytes(found->second, type);
  };
  if (lowest.IsNull() || highest.IsNull()) return false;
  const auto lower = bound(file.lower_bounds), upper = bound(file.upper_bounds);
  return (lower && highest < *lower) || (upper && *upper < lowest);
}

Status CannotRewrite(const std::string& what) {
  return Status(Code::kUnsupported, what)
      .WithHint(
          "a sink with a PRIMARY KEY writes files anew: rewrite these once with Spark "
          "(rewrite_data_files), or let a table of its own be made");
}

}  // namespace

KeyOverwrite::KeyOverwrite(DataWriter& writer, model::Schema columns, std::vector<std::string> key,
                           int64_t file_bytes)
    : writer_(writer),
      columns_(std::move(columns)),
      key_(std::move(key)),
      file_bytes_(file_bytes),
      changes_(writer.connection(), columns_, key_) {}

Result<KeyOverwrite::Written> KeyOverwrite::Write(
    const TableMetadata& table, const std::vector<PartitionTransform>& partition) {
  MR_ASSIGN_OR_RETURN(std::vector<Listed> head, ReadHead(table));
  MR_ASSIGN_OR_RETURN(const auto paths, Concerned(table, partition, head));
  Written written;
  for (const Listed& manifest : head) {
    for (const ManifestEntry& entry : manifest.entries) {
      if (paths.contains(entry.file.path)) written.snapshot.removed.push_back(entry.file);
    }
  }
  const std::vector<DataFile>& replaced = written.snapshot.removed;
  MR_RETURN_IF_ERROR(FillWriter(table, replaced));
  if (replaced.empty() && writer_.rows() == 0) return written;
  int64_t bytes = 0, rows = 0;
  for (const DataFile& file : replaced) {
    bytes += file.size_bytes;
    rows += file.record_count;
  }
  FileShape shape;
  for (const std::string& name : key_) shape.order.push_back(FieldOf(table, name).name);
  // As large as those that they replace tell.
  if (bytes > 0) shape.rows = std::max<int64_t>(1, file_bytes_ * rows / bytes);
  MR_ASSIGN_OR_RETURN(written.snapshot.added, writer_.WriteFiles(table.DirectoryOf("data"), shape));
  for (const DataFile& file : written.snapshot.added) written.locations.push_back(file.path);
  written.snapshot.id = NewSnapshotId();
  written.snapshot.operation = replaced.empty()                 ? "append"
                               : written.snapshot.added.empty() ? "delete"
                                                                : "overwrite";
  MR_RETURN_IF_ERROR(WriteManifests(table, std::move(head), paths, written));
  return written;
}

Result<std::vector<KeyOverwrite::Listed>> KeyOverwrite::ReadHead(const TableMetadata& table) {
  std::vector<Listed> head;
  const Snapshot* snapshot = table.FindSnapshot(table.current_snapshot);
  if (!snapshot) return head;
  MR_ASSIGN_OR_RETURN(std::string list, writer_.files().Read(snapshot->manifest_list));
  MR_ASSIGN_OR_RETURN(auto manifests, ReadManifestList(list, snapshot->manifest_list));
  for (ManifestFile& manifest : manifests) {
    Listed& listed = head.emplace_back();
    listed.file = std::move(manifest);
    const bool live = listed.file.files[static_cast<size_t>(EntryStatus::kExisting)] +
                          listed.file.files[static_cast<size_t>(EntryStatus::kAdded)] >
                      0;
    if (!live) continue;
    if (listed.file.content != 0) {
      return CannotRewrite("the Iceberg table has files of deletes, by another writer");
    }
    const PartitionSpec* spec = table.FindSpec(listed.file.spec_id);
    if (!spec)
      return Status(Code::kCorruption, "a manifest is of a partition spec that is not there");
    MR_ASSIGN_OR_RETURN(listed.columns, PartitionColumnsOf(*spec, table.schema));
    MR_ASSIGN_OR_RETURN(std::string bytes, writer_.files().Read(listed.file.path));
    MR_ASSIGN_OR_RETURN(listed.entries, ReadManifest(bytes, listed.file, listed.columns));
    std::erase_if(listed.entries, [](const ManifestEntry& entry) { return !entry.live(); });
  }
  return head;
}

Result<std::vector<KeyOverwrite::Reach>> KeyOverwrite::ReachOfKeys(const TableMetadata& table) {
  std::vector<Reach> reaches;
  std::vector<std::string> bounds;
  for (const std::string& name : key_) {
    const IcebergField& field = FieldOf(table, name);
    reaches.push_back({field.id, DuckTypeOf(field.type), Value(), Value()});
    const std::string value =
        "CAST(" + QuoteIdentifier(name) + " AS " + reaches.back().type.ToString() + ")";
    // A NULL is between no bounds.
    for (const char* end : {"min", "max"}) {
      bounds.push_back(
          fmt::format("CASE WHEN count(*) = count({0}) THEN {1}({0}) END", value, end));
    }
  }
  MR_ASSIGN_OR_RETURN(auto found, writer_.Query("SELECT " + Join(bounds, ", ") + " FROM keys"));
  for (size_t i = 0; i < reaches.size(); i++) {
    reaches[i].lowest = found.Get(0, 2 * i);
    reaches[i].highest = found.Get(0, 2 * i + 1);
  }
  return reaches;
}

// By the place of a field of the current spec that follows from the key: the values there.
Result<std::map<size_t, std::set<std::string>>> KeyOverwrite::PartitionsOfKeys(
    const TableMetadata& table, const std::vector<PartitionTransform>& partition) {
  std::map<size_t, std::set<std::string>> values;
  const PartitionSpec& spec = *table.FindSpec(table.spec_id);
  for (size_t i = 0; i < spec.fields.size(); i++) {
    const IcebergField* source = FindField(table.schema, spec.fields[i].source_id);
    const auto name = std::find_if(key_.begin(), key_.end(), [&](const std::string& each) {
      return &FieldOf(table, each) == source;
    });
    if (name == key_.end()) continue;
    // The transforms are made for the table's own columns.
    MR_ASSIGN_OR_RETURN(auto found,
                        writer_.Query(fmt::format(
                            "SELECT DISTINCT {} FROM (SELECT CAST({} AS {}) AS {} FROM keys)",
                            partition[i].expression, QuoteIdentifier(*name),
                            DuckTypeOf(source->type).ToString(), QuoteIdentifier(source->name))));
    for (size_t r = 0; r < found.row_count(); r++) values[i].insert(found.Get(r, 0).ToSQLString());
  }
  return values;
}

Result<std::set<std::string>> KeyOverwrite::Concerned(
    const TableMetadata& table, const std::vector<PartitionTransform>& partition,
    const std::vector<Listed>& head) {
  MR_ASSIGN_OR_RETURN(const auto reaches, ReachOfKeys(table));
  MR_ASSIGN_OR_RETURN(const auto partitions, PartitionsOfKeys(table, partition));
  std::vector<DataFile> candidates;
  for (const Listed& manifest : head) {
    for (const ManifestEntry& entry : manifest.entries) {
      bool out = std::any_of(reaches.begin(), reaches.end(), [&](const Reach& reach) {
        return IsOutOf(entry.file, reach.column, reach.type, reach.lowest, reach.highest);
      });
      for (const auto& [place, values] : partitions) {
        out = out || (manifest.file.spec_id == table.spec_id &&
                      !values.contains(entry.file.partition[place].ToSQLString()));
      }
      if (!out) candidates.push_back(entry.file);
    }
  }
  std::set<std::string> concerned;
  if (candidates.empty()) return concerned;
  MR_RETURN_IF_ERROR(CheckCanRead(table, candidates));
  IcebergSchema key;
  for (const std::string& name : key_) key.push_back(FieldOf(table, name));
  MR_ASSIGN_OR_RETURN(auto found,
                      writer_.Query(fmt::format(
                          "SELECT DISTINCT {} FROM ({}) AS there SEMI JOIN keys ON {}", kFileColumn,
                          writer_.RowsOf(candidates, key, kFileColumn), SameKey(table))));
  std::set<std::string> paths;
  for (size_t r = 0; r < found.row_count(); r++) paths.insert(found.Get(r, 0).ToString());
  for (const DataFile& file : candidates) {
    if (paths.contains(PathOf(file.path))) concerned.insert(file.path);
  }
  return concerned;
}

// That the columns of the files can be told, by their numbers.
Status KeyOverwrite::CheckCanRead(const TableMetadata& table, const std::vector<DataFile>& files) {
  const bool nested = std::any_of(table.schema.begin(), table.schema.end(), [](const auto& field) {
    return field.type.kind != IcebergType::Kind::kPrimitive;
  });
  if (nested && table.schema_count > 1) {
    return CannotRewrite("the Iceberg table has nested columns and had other columns before");
  }
  for (const DataFile& file : files) {
    if (IsOurFile(file.path) || readable_.contains(file.path)) continue;
    if (!EqualsIgnoreCase(file.format, "parquet")) {
      return CannotRewrite("the Iceberg table has a file of " + file.format + ", \"" + file.path +
                           "\"");
    }
    MR_ASSIGN_OR_RETURN(auto numbered,
                        writer_.Query("SELECT count(*) FILTER (field_id IS NOT NULL) FROM "
                                      "parquet_schema(" +
                                      QuoteLiteral(PathOf(file.path)) + ")"));
    if (numbered.Get(0, 0).GetValue<int64_t>() == 0) {
      return CannotRewrite("the columns in \"" + file.path + "\" have no numbers");
    }
    readable_.insert(file.path);
  }
  return Status::Ok();
}

// The writer's rows become the new ones, and those of `replaced` that have other keys.
Status KeyOverwrite::FillWriter(const TableMetadata& table, const std::vector<DataFile>& replaced) {
  std::vector<std::string> fresh;
  for (const IcebergField& field : table.schema) {
    const int declared = columns_.Find(field.name);
    const std::string value =
        declared < 0 ? "NULL"
                     : QuoteIdentifier(columns_.columns[static_cast<size_t>(declared)].name);
    fresh.push_back("CAST(" + value + " AS " + DuckTypeOf(field.type).ToString() + ")");
  }
  std::string rows = "SELECT " + Join(fresh, ", ") + " FROM fresh";
  if (!replaced.empty()) {
    rows += " UNION ALL SELECT there.* FROM (" + writer_.RowsOf(replaced, table.schema) +
            ") AS there ANTI JOIN keys ON " + SameKey(table);
  }
  return writer_.Fill(rows);
}

// New files, then what is left of the manifests that lose one, then the others as they are.
Status KeyOverwrite::WriteManifests(const TableMetadata& table, std::vector<Listed> head,
                                    const std::set<std::string>& replaced, Written& written) {
  const int64_t id = written.snapshot.id;
  std::vector<ManifestFile> manifests;
  const auto write = [&](const PartitionSpec& spec, const std::vector<ManifestEntry>& entries) {
    ManifestFile manifest;
    manifest.path = table.DirectoryOf("metadata") + "/" + NewFileName(".avro");
    auto columns = PartitionColumnsOf(spec, table.schema);
    if (!columns.ok()) return std::move(columns).status();
    written.locations.push_back(manifest.path);
    MR_RETURN_IF_ERROR(writer_.files().Write(
        manifest.path, WriteManifest(table, spec, *columns, entries, id, manifest)));
    manifests.push_back(std::move(manifest));
    return Status::Ok();
  };
  std::vector<ManifestEntry> added;
  for (const DataFile& file : written.snapshot.added) {
    added.push_back({.snapshot_id = id, .file = file});
  }
  if (!added.empty()) MR_RETURN_IF_ERROR(write(*table.FindSpec(table.spec_id), added));
  std::map<int, std::vector<ManifestEntry>> changed;  // by spec
  std::vector<ManifestFile> others;
  for (Listed& manifest : head) {
    const bool loses =
        std::any_of(manifest.entries.begin(), manifest.entries.end(),
                    [&](const ManifestEntry& entry) { return replaced.contains(entry.file.path); });
    if (!loses) {
      others.push_back(std::move(manifest.file));
      continue;
    }
    for (ManifestEntry& entry : manifest.entries) {
      const bool gone = replaced.contains(entry.file.path);
      entry.status = gone ? EntryStatus::kDeleted : EntryStatus::kExisting;
      if (gone) entry.snapshot_id = id;
      changed[manifest.file.spec_id].push_back(std::move(entry));
    }
  }
  for (const auto& [spec, entries] : changed) {
    MR_RETURN_IF_ERROR(write(*table.FindSpec(spec), entries));
  }
  manifests.insert(manifests.end(), others.begin(), others.end());
  written.snapshot.manifest_list = table.DirectoryOf("metadata") + "/" + NewFileName(".avro");
  written.locations.push_back(written.snapshot.manifest_list);
  return writer_.files().Write(written.snapshot.manifest_list,
                               WriteManifestList(std::move(manifests), id, table.current_snapshot,
                                                 table.last_sequence_number + 1));
}

std::string KeyOverwrite::SameKey(const TableMetadata& table) const {
  std::vector<std::string> conditions;
  for (const std::string& name : key_) {
    conditions.push_back("there." + QuoteIdentifier(FieldOf(table, name).name) +
                         " IS NOT DISTINCT FROM keys." + QuoteIdentifier(name));
  }
  return Join(conditions, " AND ");
}

}  // namespace millrace::connectors::iceberg
