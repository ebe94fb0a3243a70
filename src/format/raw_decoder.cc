#include "format/raw_decoder.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/check.h"

namespace millrace::format {

using model::RowErrorKind;

Result<ColumnType> RawColumn(const model::Schema& schema) {
  if (schema.size() != 1) {
    return Status(
               Code::kUnsupported,
               fmt::format("format \"raw\" takes a table of one column, not of {}", schema.size()))
        .WithHint("declare one STRING or BYTES column, or use another format");
  }
  const model::Column& column = schema.columns[0];
  auto type = MakeColumnType(column.type);
  if (type.ok() && (type->kind == ColumnKind::kString || type->kind == ColumnKind::kBytes)) {
    return type;
  }
  return Status(Code::kUnsupported, fmt::format("column \"{}\": format \"raw\" cannot carry {}",
                                                column.name, column.type.ToString()))
      .WithHint("declare the column as STRING or BYTES");
}

Result<std::unique_ptr<Decoder>> RawDecoder::Create(const DecoderOptions& options) {
  MR_ASSIGN_OR_RETURN(ColumnType type, RawColumn(options.schema));
  return std::unique_ptr<Decoder>(
      new RawDecoder(std::move(type), options.schema.columns[0].name, !options.projection.empty()));
}

void RawDecoder::Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
                        std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) {
  MR_CHECK(records.size() <= STANDARD_VECTOR_SIZE, "too many records for one chunk");
  if (projected_) writer_.Bind(out.data[0]);
  row_record.clear();
  for (uint32_t i = 0; i < records.size(); i++) {
    const std::string_view value = records[i].value;
    if (!records[i].has_value) {
      errors.push_back({i, RowErrorKind::kMalformed, "", "tombstone: the record has no value"});
    } else if (type_.kind == ColumnKind::kString && !simdjson::validate_utf8(value)) {
      errors.push_back({i, RowErrorKind::kMalformed, name_, "the bytes are not valid UTF-8"});
    } else {
      if (projected_) writer_.StoreString(row_record.size(), value);
      row_record.push_back(i);
    }
  }
  out.SetCardinality(row_record.size());
}

}  // namespace millrace::format
