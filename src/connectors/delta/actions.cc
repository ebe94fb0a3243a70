#include "connectors/delta/actions.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>

#include "base/strings.h"

namespace millrace::connectors::delta {

namespace {

using simdjson::dom::element;

// ---- reading ----------------------------------------------------------------------------------

std::string Text(element object, std::string_view name) {
  std::string_view text;
  return object[name].get_string().get(text) ? "" : std::string(text);
}

int64_t Number(element object, std::string_view name) {
  int64_t number = 0;
  return object[name].get_int64().get(number) ? 0 : number;
}

std::vector<std::string> Texts(element object, std::string_view name) {
  std::vector<std::string> texts;
  simdjson::dom::array array;
  if (object[name].get_array().get(array)) return texts;
  for (element item : array) {
    std::string_view text;
    if (!item.get_string().get(text)) texts.emplace_back(text);
  }
  return texts;
}

PartitionValues Values(element object, std::string_view name) {
  PartitionValues values;
  simdjson::dom::object map;
  if (object[name].get_object().get(map)) return values;
  for (const auto& [key, value] : map) {
    std::string_view text;
    std::optional<std::string>& stored = values[std::string(key)];
    // The empty text stands for NULL.
    if (!value.get_string().get(text) && !text.empty()) stored = std::string(text);
  }
  return values;
}

std::map<std::string, std::string> TextMap(element object, std::string_view name) {
  std::map<std::string, std::string> texts;
  simdjson::dom::object map;
  if (object[name].get_object().get(map)) return texts;
  for (const auto& [key, value] : map) {
    std::string_view text;
    if (!value.get_string().get(text)) texts[std::string(key)] = text;
  }
  return texts;
}

bool DataChange(element object) {
  bool change = true;
  return object["dataChange"].get_bool().get(change) || change;
}

// ---- writing ----------------------------------------------------------------------------------

std::string Array(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(JsonQuote(text));
  return "[" + Join(quoted, ",") + "]";
}

std::string Object(const PartitionValues& values) {
  std::vector<std::string> members;
  for (const auto& [name, value] : values) {
    members.push_back(JsonQuote(name) + ":" + (value ? JsonQuote(*value) : "null"));
  }
  return "{" + Join(members, ",") + "}";
}

std::string Object(const std::map<std::string, std::string>& texts) {
  return Object(PartitionValues(texts.begin(), texts.end()));
}

std::string Line(const CommitInfo& info) {
  return fmt::format(
      "{{\"commitInfo\":{{\"timestamp\":{},\"operation\":{},\"operationParameters\":{},"
      "\"isBlindAppend\":{},\"engineInfo\":\"Millrace\"}}}}\n",
      info.at_ms, JsonQuote(info.operation), Object(info.parameters), info.blind_append);
}

std::string Line(const Protocol& protocol) {
  std::string line = fmt::format("{{\"protocol\":{{\"minReaderVersion\":{},\"minWriterVersion\":{}",
                                 protocol.reader_version, protocol.writer_version);
  if (protocol.reader_version >= 3)
    line += ",\"readerFeatures\":" + Array(protocol.reader_features);
  if (protocol.writer_version >= 7)
    line += ",\"writerFeatures\":" + Array(protocol.writer_features);
  return line + "}}\n";
}

std::string Line(const Metadata& metadata) {
  std::string line = "{\"metaData\":{\"id\":" + JsonQuote(metadata.id);
  if (!metadata.name.empty()) line += ",\"name\":" + JsonQuote(metadata.name);
  if (!metadata.description.empty()) line += ",\"description\":" + JsonQuote(metadata.description);
  return line + ",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":" +
         JsonQuote(metadata.schema) + ",\"partitionColumns\":" + Array(metadata.partition_columns) +
         ",\"configuration\":" + Object(metadata.configuration) +
         fmt::format(",\"createdTime\":{}}}}}\n", metadata.created_ms);
}

std::string Line(const AddFile& file) {
  std::string line = "{\"add\":{\"path\":" + JsonQuote(file.path) +
                     ",\"partitionValues\":" + Object(file.partition) +
                     fmt::format(",\"size\":{},\"modificationTime\":{},\"dataChange\":{}",
                                 file.bytes, file.modified_ms, file.data_change);
  if (!file.stats.empty()) line += ",\"stats\":" + JsonQuote(file.stats);
  if (!file.tags.empty()) line += ",\"tags\":" + Object(file.tags);
  return line + "}}\n";
}

std::string Line(const RemoveFile& file) {
  return "{\"remove\":{\"path\":" + JsonQuote(file.path) +
         fmt::format(",\"deletionTimestamp\":{},\"dataChange\":{},\"extendedFileMetadata\":true,",
                     file.deleted_ms, file.data_change) +
         "\"partitionValues\":" + Object(file.partition) +
         fmt::format(",\"size\":{}}}}}\n", file.bytes);
}

std::string Line(const ApplicationVersion& version) {
  return fmt::format("{{\"txn\":{{\"appId\":{},\"version\":{},\"lastUpdated\":{}}}}}\n",
                     JsonQuote(version.application), version.version, version.updated_ms);
}

}  // namespace

Status ReadAction(std::string_view line, Actions& actions) {
  simdjson::dom::parser parser;
  element root, found;
  if (parser.parse(line.data(), line.size()).get(root) || !root.is_object()) {
    return Status(Code::kCorruption,
                  "the line is no JSON object: " + std::string(line.substr(0, 100)));
  }
  const auto has = [&](std::string_view name) {
    return !root[name].get(found) && found.is_object();
  };
  if (has("commitInfo")) actions.info = {.at_ms = Number(found, "timestamp")};
  if (has("protocol")) {
    actions.protocol = {Number(found, "minReaderVersion"), Number(found, "minWriterVersion"),
                        Texts(found, "readerFeatures"), Texts(found, "writerFeatures")};
  }
  if (has("metaData")) {
    actions.metadata = {Text(found, "id"),
                        Text(found, "name"),
                        Text(found, "description"),
                        Text(found, "schemaString"),
                        Texts(found, "partitionColumns"),
                        TextMap(found, "configuration"),
                        Number(found, "createdTime")};
  }
  if (has("add")) {
    actions.added.push_back({Text(found, "path"), Values(found, "partitionValues"),
                             Number(found, "size"), Number(found, "modificationTime"),
                             DataChange(found), Text(found, "stats"), TextMap(found, "tags")});
  }
  if (has("remove")) {
    actions.removed.push_back({Text(found, "path"), Number(found, "deletionTimestamp"),
                               DataChange(found), Values(found, "partitionValues"),
                               Number(found, "size")});
  }
  if (has("txn")) {
    actions.versions.push_back(
        {Text(found, "appId"), Number(found, "version"), Number(found, "lastUpdated")});
  }
  return Status::Ok();
}

std::string ActionLines(const Actions& actions) {
  std::string lines;
  if (actions.info) lines += Line(*actions.info);
  if (actions.protocol) lines += Line(*actions.protocol);
  if (actions.metadata) lines += Line(*actions.metadata);
  for (const ApplicationVersion& version : actions.versions) lines += Line(version);
  for (const RemoveFile& file : actions.removed) lines += Line(file);
  for (const AddFile& file : actions.added) lines += Line(file);
  return lines;
}

std::string PartitionJson(const PartitionValues& partition) {
  return Object(partition);
}

std::string EncodePath(std::string_view name) {
  std::string path;
  for (char c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) ||
                       std::string_view("/-_.~=").find(c) != std::string_view::npos;
    path += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return path;
}

std::string DecodePath(std::string_view path) {
  std::string name;
  for (size_t i = 0; i < path.size(); i++) {
    unsigned byte = 0;
    const char* digits = path.data() + i + 1;
    if (path[i] == '%' && i + 2 < path.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      name += static_cast<char>(byte);
      i += 2;
    } else {
      name += path[i];
    }
  }
  return name;
}

}  // namespace millrace::connectors::delta
