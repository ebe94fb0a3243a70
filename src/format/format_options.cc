#include "format/format_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "format/avro/avro_options.h"
#include "format/drift.h"
#include "format/json_schema/json_schema_options.h"
#include "format/protobuf/proto_options.h"

namespace millrace::format {

using model::OptionSpec;
using model::OptionType;

namespace {

OptionSpec Flag(std::string name, std::string doc, std::string default_value = "false") {
  return {.name = std::move(name),
          .type = OptionType::kBool,
          .doc = std::move(doc),
          .default_value = std::move(default_value)};
}

FormatSpec Json() {
  FormatSpec spec;
  spec.name = "json";
  spec.summary = "one JSON object per record; fields are matched to columns by exact name";
  spec.example = "'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601'";
  spec.options = {
      Flag("json.fail-on-missing-field",
           "whether a document without a column's field is an error; otherwise the column is NULL"),
      Flag("json.ignore-parse-errors",
           "whether a value of the wrong type becomes NULL instead of sending the record to the "
           "dead letters; documents that are not JSON still go there"),
      {.name = "json.timestamp-format.standard",
       .type = OptionType::kEnum,
       .doc = "how timestamps are written: SQL is \"2024-01-31 12:00:00.5\", ISO-8601 is "
              "\"2024-01-31T12:00:00.5\"; both are read in either case",
       .default_value = "SQL",
       .choices = {"SQL", "ISO-8601"}},
      Flag("json.encode.ignore-null-fields",
           "whether NULL columns are left out of the document instead of written as null"),
      Flag("json.encode.decimal-as-plain-number",
           "DECIMAL is always written as a plain number, never as 1E+3; accepted so that the same "
           "text runs on Flink",
           "true"),
      {.name = "json.map-null-key.mode",
       .type = OptionType::kEnum,
       .doc = "the keys of a MAP are never NULL here; accepted so that the same text runs on Flink",
       .default_value = "FAIL",
       .choices = {"FAIL", "DROP", "LITERAL"}},
      {.name = "json.map-null-key.literal",
       .doc = "see json.map-null-key.mode",
       .default_value = "null"},
      Flag("json.decode.json-parser.enabled",
           "there is one parser, and it is fast; accepted so that the same text runs on Flink",
           "true"),
      DriftSpec("json"),
  };
  return spec;
}

FormatSpec Csv() {
  FormatSpec spec;
  spec.name = "csv";
  spec.summary = "one line of separated fields per record (RFC 4180), in the order of the columns";
  spec.example = "'format' = 'csv', 'csv.field-delimiter' = ';', 'csv.null-literal' = 'NULL'";
  spec.options = {
      {.name = "csv.field-delimiter",
       .doc = "the character between fields; \\t is a tab",
       .default_value = ",",
       .example = ";"},
      {.name = "csv.quote-character",
       .doc = "the character around fields that contain the delimiter, quotes or line breaks",
       .default_value = "\"",
       .example = "'"},
      {.name = "csv.null-literal",
       .doc = "the unquoted text that stands for NULL; an empty field is NULL in any case, unless "
              "the column is a STRING",
       .example = "NULL"},
      Flag("csv.ignore-parse-errors",
           "whether a value of the wrong type becomes NULL instead of sending the record to the "
           "dead letters; lines with too few or too many fields still go there"),
      Flag("csv.allow-comments", "whether lines that begin with # are skipped"),
  };
  return spec;
}

FormatSpec Raw() {
  FormatSpec spec;
  spec.name = "raw";
  spec.summary = "the bytes of a record are the value of the table's only column, STRING or BYTES";
  spec.example = "'format' = 'raw'";
  spec.options = {
      {.name = "raw.charset",
       .type = OptionType::kEnum,
       .doc = "how a STRING column is encoded",
       .default_value = "UTF-8",
       .choices = {"UTF-8"}},
  };
  return spec;
}

// The options of `json` that mean the same for the rows inside a message.
void TakeFromJson(FormatSpec& spec) {
  for (const OptionSpec& option : Json().options) {
    if (option.name == "json.fail-on-missing-field") continue;
    spec.options.push_back(option);
    spec.options.back().name = spec.name + option.name.substr(4);
  }
}

FormatSpec DebeziumJson() {
  FormatSpec spec;
  spec.name = "debezium-json";
  spec.summary =
      "Debezium's change messages: the row before, the row after, and what happened (op c, r, u, "
      "d); tombstones are passed over";
  spec.example = "'format' = 'debezium-json', 'debezium-json.schema-include' = 'true'";
  spec.changelog = model::ChangelogKind::kRetract;
  spec.metadata = {"ingestion-timestamp", "source.timestamp", "source.database", "source.schema",
                   "source.table"};
  spec.options = {
      Flag("debezium-json.schema-include",
           "whether each message has its schema beside its payload (Kafka Connect's "
           "value.converter.schemas.enable); for reading only"),
  };
  TakeFromJson(spec);
  return spec;
}

FormatSpec ChangelogJson() {
  FormatSpec spec;
  spec.name = "changelog-json";
  spec.summary =
      "a row and what becomes of it: {\"data\":{…},\"op\":\"+I\"}; op is +I, +U (the row comes), "
      "-U or -D (it is taken away)";
  spec.example = "'format' = 'changelog-json'";
  spec.changelog = model::ChangelogKind::kRetract;
  TakeFromJson(spec);
  return spec;
}

Status CheckValue(const OptionSpec& option, const std::string& value, std::string& canonical) {
  std::vector<std::string> choices = option.choices;
  if (option.type == OptionType::kBool) choices = {"true", "false"};
  canonical = value;
  if (choices.empty()) return Status::Ok();
  for (const std::string& choice : choices) {
    if (EqualsIgnoreCase(value, choice)) {
      canonical = choice;
      return Status::Ok();
    }
  }
  return Status(Code::kBadOption, fmt::format("option \"{}\" cannot be \"{}\"", option.name, value))
      .WithHint("one of: " + Join(choices, ", "));
}

}  // namespace

const std::vector<FormatSpec>& AllFormats() {
  static const std::vector<FormatSpec> kFormats = {Json(),
                                                   Csv(),
                                                   Raw(),
                                                   DebeziumJson(),
                                                   ChangelogJson(),
                                                   AvroSpec(),
                                                   AvroConfluentSpec(),
                                                   ProtobufSpec(),
                                                   ProtobufConfluentSpec(),
                                                   JsonSchemaSpec(Json())};
  return kFormats;
}

Result<const FormatSpec*> FindFormat(std::string_view name) {
  std::vector<std::string> names;
  for (const FormatSpec& spec : AllFormats()) {
    if (spec.name == name) return &spec;
    names.push_back(spec.name);
  }
  return Status(Code::kUnknownOption, fmt::format("format \"{}\" does not exist", name))
      .WithHint(DidYouMean(name, names));
}

Result<FormatOptions> ParseFormatOptions(const FormatSpec& spec,
                                         const std::map<std::string, std::string>& given) {
  FormatOptions parsed;
  std::vector<std::string> names;
  for (const OptionSpec& option : spec.options) {
    names.push_back(option.name);
    if (option.default_value) parsed.values_[option.name] = *option.default_value;
  }
  for (const auto& entry : given) {
    const std::string& name = entry.first;  // clang 14 lets no lambda capture a binding
    auto option = std::find_if(spec.options.begin(), spec.options.end(),
                               [&](const OptionSpec& o) { return o.name == name; });
    if (option == spec.options.end()) {
      return Status(Code::kUnknownOption,
                    fmt::format("option \"{}\" does not exist in format \"{}\"", name, spec.name))
          .WithHint(DidYouMean(name, names));
    }
    if (name.ends_with(".schema-file")) {
      return Status(Code::kBadOption,
                    fmt::format("option \"{}\" names a file, and there is no project here that "
                                "has files",
                                name))
          .WithHint("give the schema itself: " + name.substr(0, name.size() - 5));
    }
    std::string canonical;
    MR_RETURN_IF_ERROR(CheckValue(*option, entry.second, canonical));
    parsed.values_[name] = canonical;
  }
  return parsed;
}

}  // namespace millrace::format
