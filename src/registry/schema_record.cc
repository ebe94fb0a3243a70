#include "registry/schema_record.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/strings.h"

namespace millrace::registry {

using simdjson::dom::object;

namespace {

std::string SubjectJson(const std::string& subject) {
  return subject.empty() ? "null" : JsonQuote(subject);
}

std::string SchemaKey(const std::string& subject, int version) {
  return fmt::format(R"({{"keytype":"SCHEMA","subject":{},"version":{},"magic":1}})",
                     JsonQuote(subject), version);
}

std::string SettingKey(const char* type, const std::string& subject) {
  return fmt::format(R"({{"keytype":"{}","subject":{},"magic":0}})", type, SubjectJson(subject));
}

struct Encoder {
  EventRecord operator()(const Noop&) const {
    return {R"({"keytype":"NOOP","magic":0})", std::nullopt};
  }
  EventRecord operator()(const SubjectVersion& version) const {
    const Schema& schema = version.schema;
    const std::string type =
        schema.type == "AVRO" ? "" : fmt::format(R"("schemaType":{},)", JsonQuote(schema.type));
    const std::string references =
        schema.references.empty()
            ? ""
            : fmt::format(R"("references":{},)", ReferencesJson(schema.references));
    return {SchemaKey(version.subject, version.version),
            fmt::format(R"({{"subject":{},"version":{},"id":{},{}{}"schema":{},"deleted":{}}})",
                        JsonQuote(version.subject), version.version, version.id, type, references,
                        JsonQuote(schema.text), version.deleted)};
  }
  EventRecord operator()(const SchemaGone& gone) const {
    return {SchemaKey(gone.subject, gone.version), std::nullopt};
  }
  EventRecord operator()(const SubjectDeleted& deleted) const {
    return {SettingKey("DELETE_SUBJECT", deleted.subject),
            fmt::format(R"({{"subject":{},"version":{}}})", JsonQuote(deleted.subject),
                        deleted.version)};
  }
  EventRecord operator()(const ConfigSet& config) const {
    EventRecord record{SettingKey("CONFIG", config.subject), std::nullopt};
    if (config.level) {
      record.value =
          fmt::format(R"({{"compatibilityLevel":"{}"}})", CompatibilityName(*config.level));
    }
    return record;
  }
  EventRecord operator()(const ModeSet& mode) const {
    EventRecord record{SettingKey("MODE", mode.subject), std::nullopt};
    if (mode.mode) record.value = fmt::format(R"({{"mode":"{}"}})", ModeName(*mode.mode));
    return record;
  }
};

std::string Text(object json, std::string_view name) {
  std::string_view text;
  return json[name].get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

int Number(object json, std::string_view name) {
  int64_t number = 0;
  return json[name].get(number) == simdjson::SUCCESS ? static_cast<int>(number) : 0;
}

Status Corrupt(std::string_view key) {
  return {Code::kCorruption,
          fmt::format("a record of the schema registry cannot be read; its key: {}", key)};
}

SubjectVersion ReadVersion(object json) {
  SubjectVersion version;
  version.subject = Text(json, "subject");
  version.version = Number(json, "version");
  version.id = Number(json, "id");
  version.schema.text = Text(json, "schema");
  if (const std::string type = Text(json, "schemaType"); !type.empty()) version.schema.type = type;
  bool deleted = false;
  version.deleted = json["deleted"].get(deleted) == simdjson::SUCCESS && deleted;
  simdjson::dom::array references;
  if (json["references"].get(references) != simdjson::SUCCESS) return version;
  for (auto entry : references) {
    object reference;
    if (entry.get(reference) != simdjson::SUCCESS) continue;
    version.schema.references.push_back(
        {Text(reference, "name"), Text(reference, "subject"), Number(reference, "version")});
  }
  return version;
}

}  // namespace

EventRecord EncodeEvent(const Event& event) {
  return std::visit(Encoder(), event);
}

Result<Event> ParseEvent(std::string_view key, std::optional<std::string_view> value) {
  simdjson::dom::parser key_parser;
  simdjson::dom::parser value_parser;
  object key_json;
  object json;
  if (key_parser.parse(key.data(), key.size()).get(key_json) != simdjson::SUCCESS) {
    return Corrupt(key);
  }
  if (value && value_parser.parse(value->data(), value->size()).get(json) != simdjson::SUCCESS) {
    return Corrupt(key);
  }
  const std::string type = Text(key_json, "keytype");
  const std::string subject = Text(key_json, "subject");
  if (type == "SCHEMA") {
    if (!value) return Event(SchemaGone{subject, Number(key_json, "version")});
    return Event(ReadVersion(json));
  }
  if (type == "DELETE_SUBJECT" && value) {
    return Event(SubjectDeleted{subject, Number(json, "version")});
  }
  if (type == "CONFIG") {
    ConfigSet config{subject, std::nullopt};
    // Confluent's newer registries also write records that set something else only.
    const std::string level = value ? Text(json, "compatibilityLevel") : "";
    if (level.empty()) return Event(config);
    MR_ASSIGN_OR_RETURN(config.level, ParseCompatibility(level));
    return Event(config);
  }
  if (type == "MODE") {
    ModeSet mode{subject, std::nullopt};
    if (!value) return Event(mode);
    MR_ASSIGN_OR_RETURN(mode.mode, ParseMode(Text(json, "mode")));
    return Event(mode);
  }
  return Event(Noop());
}

std::string ReferencesJson(const std::vector<Reference>& references) {
  std::string json;
  for (const Reference& reference : references) {
    if (!json.empty()) json += ',';
    json += fmt::format(R"({{"name":{},"subject":{},"version":{}}})", JsonQuote(reference.name),
                        JsonQuote(reference.subject), reference.version);
  }
  return "[" + json + "]";
}

}  // namespace millrace::registry
