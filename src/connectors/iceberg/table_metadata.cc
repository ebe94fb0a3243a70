#include "connectors/iceberg/table_metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace millrace::connectors::iceberg {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

namespace {

Status Broken(const std::string& what) {
  return Status(Code::kCorruption, "the catalog's description of a table has no \"" + what + "\"");
}

int64_t Number(const element& json, const char* name, int64_t missing) {
  int64_t number = 0;
  return json[name].get(number) ? missing : number;
}

std::string Text(const element& json, const char* name) {
  std::string_view text;
  return json[name].get(text) ? "" : std::string(text);
}

std::map<std::string, std::string> Texts(const element& json, const char* name) {
  std::map<std::string, std::string> texts;
  object members;
  if (json[name].get(members)) return texts;
  for (const auto& [key, value] : members) {
    std::string_view text;
    if (!value.get(text)) texts[std::string(key)] = text;
  }
  return texts;
}

Status ParseCurrentSchema(const element& json, TableMetadata& table) {
  array schemas;
  if (json["schemas"].get(schemas)) return Broken("schemas");
  table.schema_count = schemas.size();
  for (const element schema : schemas) {
    if (Number(schema, "schema-id", 0) != table.schema_id) continue;
    MR_ASSIGN_OR_RETURN(table.schema, ParseSchema(schema));
    table.schema_json = simdjson::minify(schema);
    return Status::Ok();
  }
  return Broken(fmt::format("schema {}", table.schema_id));
}

Status ParseSpecs(const element& json, TableMetadata& table) {
  array specs;
  if (json["partition-specs"].get(specs)) return Broken("partition-specs");
  for (const element each : specs) {
    PartitionSpec spec{static_cast<int>(Number(each, "spec-id", 0)), {}};
    array fields;
    if (each["fields"].get(fields)) return Broken("fields of a partition spec");
    for (const element field : fields) {
      spec.fields.push_back({static_cast<int>(Number(field, "source-id", 0)),
                             static_cast<int>(Number(field, "field-id", 0)), Text(field, "name"),
                             Text(field, "transform")});
    }
    table.specs.push_back(std::move(spec));
  }
  return table.FindSpec(table.spec_id) ? Status::Ok() : Broken("default partition spec");
}

void ParseSnapshots(const element& json, TableMetadata& table) {
  array snapshots;
  if (!json["snapshots"].get(snapshots)) {
    for (const element each : snapshots) {
      table.snapshots.push_back({.id = Number(each, "snapshot-id", 0),
                                 .parent = Number(each, "parent-snapshot-id", -1),
                                 .sequence_number = Number(each, "sequence-number", 0),
                                 .timestamp_ms = Number(each, "timestamp-ms", 0),
                                 .manifest_list = Text(each, "manifest-list"),
                                 .summary = Texts(each, "summary")});
    }
  }
  object refs;
  if (json["refs"].get(refs)) return;
  for (const auto& [name, ref] : refs) {
    table.refs[std::string(name)] = Number(ref, "snapshot-id", -1);
  }
}

}  // namespace

const Snapshot* TableMetadata::FindSnapshot(int64_t id) const {
  auto found = std::find_if(snapshots.begin(), snapshots.end(),
                            [&](const Snapshot& snapshot) { return snapshot.id == id; });
  return found == snapshots.end() ? nullptr : &*found;
}

const PartitionSpec* TableMetadata::FindSpec(int id) const {
  auto found = std::find_if(specs.begin(), specs.end(),
                            [&](const PartitionSpec& spec) { return spec.id == id; });
  return found == specs.end() ? nullptr : &*found;
}

std::string TableMetadata::DirectoryOf(const std::string& kind) const {
  auto given = properties.find("write." + kind + ".path");
  std::string directory = given == properties.end() ? location + "/" + kind : given->second;
  while (directory.ends_with('/')) directory.pop_back();
  return directory;
}

Result<TableMetadata> ParseTableMetadata(const element& json) {
  TableMetadata table;
  table.format_version = static_cast<int>(Number(json, "format-version", 0));
  table.uuid = Text(json, "table-uuid");
  table.location = Text(json, "location");
  while (table.location.ends_with('/')) table.location.pop_back();
  if (table.location.empty()) return Broken("location");
  table.last_column_id = static_cast<int>(Number(json, "last-column-id", 0));
  table.schema_id = static_cast<int>(Number(json, "current-schema-id", 0));
  table.spec_id = static_cast<int>(Number(json, "default-spec-id", 0));
  table.properties = Texts(json, "properties");
  table.last_sequence_number = Number(json, "last-sequence-number", 0);
  table.current_snapshot = Number(json, "current-snapshot-id", -1);
  MR_RETURN_IF_ERROR(ParseCurrentSchema(json, table));
  MR_RETURN_IF_ERROR(ParseSpecs(json, table));
  ParseSnapshots(json, table);
  return table;
}

std::string PartitionFieldsJson(const PartitionSpec& spec) {
  std::vector<std::string> texts;
  for (const PartitionField& field : spec.fields) {
    texts.push_back(fmt::format(R"({{"name":{},"transform":{},"source-id":{},"field-id":{}}})",
                                JsonQuote(field.name), JsonQuote(field.transform), field.source_id,
                                field.id));
  }
  return "[" + Join(texts, ",") + "]";
}

}  // namespace millrace::connectors::iceberg
