#include "format/encoder.h"

#include "base/check.h"
#include "format/avro/avro_encoder.h"
#include "format/changelog_encoder.h"
#include "format/csv_encoder.h"
#include "format/format_options.h"
#include "format/json_encoder.h"
#include "format/json_schema/json_schema_encoder.h"
#include "format/json_schema/json_schema_options.h"
#include "format/protobuf/proto_encoder.h"
#include "format/raw_encoder.h"

namespace millrace::format {

void Encoder::EncodeChange(duckdb::idx_t row, bool comes, std::string& out) {
  MR_CHECK(comes, "this format only appends");
  EncodeBound(row, out);
}

void Encoder::EncodeRow(duckdb::DataChunk& chunk, duckdb::idx_t row, std::string& out) {
  Bind(chunk);
  EncodeBound(row, out);
}

void Encoder::EncodeChunk(duckdb::DataChunk& chunk, std::string_view separator, std::string& out,
                          std::vector<size_t>& ends) {
  Bind(chunk);
  for (duckdb::idx_t row = 0; row < chunk.size(); row++) {
    EncodeBound(row, out);
    ends.push_back(out.size());
    out += separator;
  }
}

Result<std::unique_ptr<Encoder>> NewEncoder(const std::string& format, const model::Schema& schema,
                                            const std::map<std::string, std::string>& options,
                                            SchemaRegistry* registry) {
  MR_ASSIGN_OR_RETURN(const FormatSpec* spec, FindFormat(format));
  MR_ASSIGN_OR_RETURN(FormatOptions parsed, ParseFormatOptions(*spec, options));
  if (spec->changelog != model::ChangelogKind::kAppend) {
    return ChangelogEncoder::Create(schema, *spec, options);
  }
  if (format.starts_with("avro")) return AvroEncoder::Create(format, schema, parsed, registry);
  if (format == kJsonSchema) return JsonSchemaEncoder::Create(schema, parsed, options, registry);
  if (format.starts_with("protobuf")) {
    return ProtoEncoder::Create(format, schema, parsed, registry);
  }
  if (spec->name == "csv") return CsvEncoder::Create(schema, parsed);
  if (spec->name == "raw") return RawEncoder::Create(schema);
  return JsonEncoder::Create(schema, parsed);
}

}  // namespace millrace::format
