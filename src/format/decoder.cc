#include "format/decoder.h"

#include "base/strings.h"
#include "format/avro/avro_decoder.h"
#include "format/changelog_decoder.h"
#include "format/csv_decoder.h"
#include "format/format_options.h"
#include "format/json_decoder.h"
#include "format/json_schema/json_schema_decoder.h"
#include "format/json_schema/json_schema_options.h"
#include "format/protobuf/proto_decoder.h"
#include "format/raw_decoder.h"
#include "format/upsert_decoder.h"

namespace millrace::format {

DecoderOptions DecoderOptionsOf(const std::map<std::string, std::string>& with) {
  DecoderOptions options;
  for (const char* key : {"format", "value.format"}) {
    auto found = with.find(key);
    if (found != with.end() && options.format.empty()) options.format = found->second;
  }
  for (const auto& [key, value] : with) {
    const std::string name = key.starts_with("value.") ? key.substr(6) : key;
    if (name.starts_with(options.format + ".")) options.options[name] = value;
    if (key == "key.format") options.key_format = value;
    if (key == "key.fields-prefix") options.key_prefix = value;
    if (key == "value.fields-include") options.value_has_key = value != "EXCEPT_KEY";
  }
  for (const auto& [key, value] : with) {
    if (key.starts_with("key." + options.key_format + ".")) {
      options.key_options[key.substr(4)] = value;
    }
  }
  return options;
}

Result<std::unique_ptr<Decoder>> NewDecoder(const DecoderOptions& options) {
  if (options.upsert) return UpsertDecoder::Create(options);
  MR_ASSIGN_OR_RETURN(const FormatSpec* spec, FindFormat(options.format));
  MR_ASSIGN_OR_RETURN(FormatOptions parsed, ParseFormatOptions(*spec, options.options));
  for (size_t i = 0; i < options.projection.size(); i++) {
    MR_CHECK(options.projection[i] < options.schema.size(), "projection past the schema");
    for (size_t k = 0; k < i; k++) {
      MR_CHECK(options.projection[i] != options.projection[k], "a column is projected twice");
    }
  }
  if (spec->changelog != model::ChangelogKind::kAppend) {
    return ChangelogDecoder::Create(options, *spec, parsed);
  }
  if (spec->name.starts_with("avro")) return AvroDecoder::Create(options, parsed);
  if (spec->name == kJsonSchema) return JsonSchemaDecoder::Create(options);
  if (spec->name.starts_with("protobuf")) return ProtoDecoder::Create(options, parsed);
  if (spec->name == "csv") return CsvDecoder::Create(options, parsed);
  if (spec->name == "raw") return RawDecoder::Create(options);
  return JsonDecoder::Create(options, parsed);
}

}  // namespace millrace::format
