#include "format/json_encoder.h"

#include <cmath>

#include "format/value_printer.h"

namespace millrace::format {

using duckdb::idx_t;

Result<std::unique_ptr<Encoder>> JsonEncoder::Create(const model::Schema& schema,
                                                     const FormatOptions& options) {
  MR_ASSIGN_OR_RETURN(std::vector<ColumnType> types, MakeTypes(schema));
  std::unique_ptr<JsonEncoder> encoder(new JsonEncoder(std::move(types)));
  for (const model::Column& column : schema.columns) {
    std::string name;
    AppendJsonString(column.name, name);
    encoder->names_.push_back(name + ":");
  }
  if (options.GetString("json.timestamp-format.standard") == "ISO-8601") {
    encoder->timestamp_separator_ = 'T';
  }
  encoder->ignore_null_fields_ = options.GetBool("json.encode.ignore-null-fields");
  return std::unique_ptr<Encoder>(std::move(encoder));
}

void JsonEncoder::WriteRow(idx_t row, std::string& out) {
  char before = '{';
  for (size_t i = 0; i < types().size(); i++) {
    const auto& column = views()[i].unified;
    if (ignore_null_fields_ && !column.validity.RowIsValid(column.sel->get_index(row))) continue;
    out += before;
    before = ',';
    out += names_[i];
    WriteValue(types()[i], views()[i], row, out);
  }
  if (before == '{') out += '{';
  out += '}';
}

void JsonEncoder::WriteValue(const ColumnType& type, const ColumnView& view, idx_t row,
                             std::string& out) {
  const idx_t index = view.unified.sel->get_index(row);
  if (!view.unified.validity.RowIsValid(index)) {
    out += "null";
    return;
  }
  bool quoted = false;
  switch (type.kind) {
    case ColumnKind::kString: {
      const auto& text =
          duckdb::UnifiedVectorFormat::GetData<duckdb::string_t>(view.unified)[index];
      AppendJsonString({text.GetData(), text.GetSize()}, out);
      return;
    }
    case ColumnKind::kStruct:
      WriteStruct(type, view, index, out);
      return;
    case ColumnKind::kList:
      WriteList(type, view, index, out);
      return;
    case ColumnKind::kMap:
      WriteMap(type, view, index, out);
      return;
    case ColumnKind::kBytes:
    case ColumnKind::kDate:
    case ColumnKind::kTime:
    case ColumnKind::kTimestamp:
    case ColumnKind::kTimestampTz:
      quoted = true;
      break;
    case ColumnKind::kFloat:
      quoted = !std::isfinite(duckdb::UnifiedVectorFormat::GetData<float>(view.unified)[index]);
      break;
    case ColumnKind::kDouble:
      quoted = !std::isfinite(duckdb::UnifiedVectorFormat::GetData<double>(view.unified)[index]);
      break;
    default:
      break;
  }
  if (quoted) out += '"';
  AppendScalar(type, view.unified, index, timestamp_separator_, out);
  if (quoted) out += '"';
}

void JsonEncoder::WriteStruct(const ColumnType& type, const ColumnView& view, idx_t index,
                              std::string& out) {
  char before = '{';
  for (size_t i = 0; i < type.children.size(); i++) {
    const auto& field = view.children[i].unified;
    if (ignore_null_fields_ && !field.validity.RowIsValid(field.sel->get_index(index))) continue;
    out += before;
    before = ',';
    AppendJsonString(type.field_names[i], out);
    out += ':';
    WriteValue(type.children[i], view.children[i], index, out);
  }
  if (before == '{') out += '{';
  out += '}';
}

void JsonEncoder::WriteList(const ColumnType& type, const ColumnView& view, idx_t index,
                            std::string& out) {
  const auto& list =
      duckdb::UnifiedVectorFormat::GetData<duckdb::list_entry_t>(view.unified)[index];
  out += '[';
  for (idx_t i = 0; i < list.length; i++) {
    if (i > 0) out += ',';
    WriteValue(type.children[0], view.children[0], list.offset + i, out);
  }
  out += ']';
}

void JsonEncoder::WriteMap(const ColumnType& type, const ColumnView& view, idx_t index,
                           std::string& out) {
  const auto& list =
      duckdb::UnifiedVectorFormat::GetData<duckdb::list_entry_t>(view.unified)[index];
  const ColumnView& entries = view.children[0];  // a struct of key and value
  out += '{';
  for (idx_t i = 0; i < list.length; i++) {
    if (i > 0) out += ',';
    WriteValue(type.children[0], entries.children[0], list.offset + i, out);
    out += ':';
    WriteValue(type.children[1], entries.children[1], list.offset + i, out);
  }
  out += '}';
}

}  // namespace millrace::format
