#include "format/avro/avro_encoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/strings.h"
#include "format/avro/avro_cursor.h"
#include "format/avro/avro_decimal.h"
#include "format/avro/avro_options.h"
#include "format/avro/avro_table_schema.h"
#include "format/confluent.h"

namespace millrace::format {

using duckdb::idx_t;
using duckdb::UnifiedVectorFormat;

namespace {

// Bytes that hold every decimal of this many digits, with its sign.
int64_t DecimalBytes(int digits) {
  return static_cast<int64_t>(static_cast<double>(digits) * 3.3219280948873626 / 8) + 1;
}

bool CanWrite(const AvroType& type, const ColumnType& column) {
  const AvroKind kind = type.kind;
  switch (column.kind) {
    case ColumnKind::kBool:
      return kind == AvroKind::kBoolean;
    case ColumnKind::kInt8:
    case ColumnKind::kInt16:
    case ColumnKind::kInt32:
      return (kind == AvroKind::kInt || kind == AvroKind::kLong) &&
             type.logical == AvroLogical::kNone;
    case ColumnKind::kInt64:
      return kind == AvroKind::kLong && type.logical == AvroLogical::kNone;
    case ColumnKind::kFloat:
      return kind == AvroKind::kFloat || kind == AvroKind::kDouble;
    case ColumnKind::kDouble:
      return kind == AvroKind::kDouble;
    case ColumnKind::kDecimal:
      return type.logical == AvroLogical::kDecimal && type.scale == column.scale &&
             type.precision >= column.width &&
             (kind == AvroKind::kBytes || type.size >= DecimalBytes(column.width));
    case ColumnKind::kString:
      return kind == AvroKind::kString && type.logical == AvroLogical::kNone;
    case ColumnKind::kBytes:
      return kind == AvroKind::kBytes && type.logical == AvroLogical::kNone;
    case ColumnKind::kDate:
      return type.logical == AvroLogical::kDate;
    case ColumnKind::kTime:
      return type.logical == AvroLogical::kTimeMillis || type.logical == AvroLogical::kTimeMicros;
    case ColumnKind::kTimestamp:
    case ColumnKind::kTimestampTz:
      return type.logical == AvroLogical::kTimestampMillis ||
             type.logical == AvroLogical::kTimestampMicros ||
             type.logical == AvroLogical::kLocalTimestampMillis ||
             type.logical == AvroLogical::kLocalTimestampMicros;
    case ColumnKind::kList:
      return kind == AvroKind::kArray;
    case ColumnKind::kStruct:
      return kind == AvroKind::kRecord;
    case ColumnKind::kMap:
      return kind == AvroKind::kMap;
  }
  return false;
}

Status NoPlace(const AvroType& type, const ColumnType& column) {
  std::string shown = type.Describe();
  if (type.logical == AvroLogical::kDecimal) {
    shown = fmt::format("decimal({}, {})", type.precision, type.scale);
  }
  return {Code::kUnsupported,
          fmt::format("{} cannot be written as an Avro {}", TypeNameWithArticle(column), shown)};
}

int64_t FloorMillis(int64_t micros) {
  return micros >= 0 ? micros / 1000 : -((-micros + 999) / 1000);
}

int64_t InUnitOf(const AvroType& type, int64_t micros) {
  switch (type.logical) {
    case AvroLogical::kTimeMicros:
    case AvroLogical::kTimestampMicros:
    case AvroLogical::kLocalTimestampMicros:
      return micros;
    default:
      return FloorMillis(micros);
  }
}

template <typename T>
T ValueAt(const UnifiedVectorFormat& column, idx_t index) {
  return UnifiedVectorFormat::GetData<T>(column)[index];
}

duckdb::hugeint_t DecimalAt(const ColumnType& type, const UnifiedVectorFormat& column,
                            idx_t index) {
  switch (type.physical) {
    case duckdb::PhysicalType::INT16:
      return {ValueAt<int16_t>(column, index)};
    case duckdb::PhysicalType::INT32:
      return {ValueAt<int32_t>(column, index)};
    case duckdb::PhysicalType::INT64:
      return {ValueAt<int64_t>(column, index)};
    default:
      return ValueAt<duckdb::hugeint_t>(column, index);
  }
}

}  // namespace

Result<std::unique_ptr<Encoder>> AvroEncoder::Create(std::string_view format,
                                                     const model::Schema& schema,
                                                     const FormatOptions& options,
                                                     SchemaRegistry* registry) {
  MR_ASSIGN_OR_RETURN(std::vector<ColumnType> types, MakeTypes(schema));
  std::unique_ptr<AvroEncoder> encoder(new AvroEncoder(std::move(types)));
  MR_ASSIGN_OR_RETURN(encoder->schema_, OwnAvroSchema(format, options));
  std::string text;
  if (encoder->schema_ != nullptr) {
    text = options.GetString(std::string(format) + ".schema");
  } else {
    MR_ASSIGN_OR_RETURN(text, AvroSchemaOf(schema, encoder->types(), HasLocalTimes(options)));
    MR_ASSIGN_OR_RETURN(encoder->schema_, AvroSchema::Parse(text));
  }
  std::vector<bool> nullable;
  for (const model::Column& column : schema.columns) nullable.push_back(column.nullable);
  MR_ASSIGN_OR_RETURN(encoder->steps_, PlanFields(encoder->schema_->root(), schema.Names(),
                                                  encoder->types(), nullable));
  if (format == kAvroConfluent) {
    if (registry == nullptr) return NoSchemaRegistry(format);
    if (!options.Has("avro-confluent.subject")) return NoSubject(format);
    MR_ASSIGN_OR_RETURN(int32_t id, registry->Register(options.GetString("avro-confluent.subject"),
                                                       {"AVRO", text, {}}));
    AppendConfluentHeader(id, encoder->header_);
  }
  return std::unique_ptr<Encoder>(std::move(encoder));
}

Result<AvroEncoder::Step> AvroEncoder::Plan(const AvroType& type, const ColumnType& column,
                                            bool nullable) {
  Step step;
  step.type = &type;
  if (type.kind == AvroKind::kUnion) {
    for (size_t i = 0; i < type.parts.size(); i++) {
      if (type.parts[i]->kind == AvroKind::kNull) step.null_branch = static_cast<int64_t>(i);
      if (step.value_branch < 0 && CanWrite(*type.parts[i], column)) {
        step.value_branch = static_cast<int64_t>(i);
        step.type = type.parts[i];
      }
    }
    if (step.value_branch < 0) return NoPlace(type, column);
  } else if (!CanWrite(type, column)) {
    return NoPlace(type, column);
  }
  if (nullable && step.null_branch < 0) {
    return Status(Code::kUnsupported,
                  fmt::format("it may be NULL, but the Avro schema has no null in its place"))
        .WithHint(
            "declare the column NOT NULL, or put a union with null into the schema; elements, "
            "values and fields inside a column may always be NULL");
  }
  if (column.kind == ColumnKind::kList || column.kind == ColumnKind::kMap) {
    const ColumnType& part = column.children[column.kind == ColumnKind::kList ? 0 : 1];
    MR_ASSIGN_OR_RETURN(Step inner, Plan(*step.type->parts[0], part, true));
    step.steps.push_back(std::move(inner));
  }
  if (column.kind == ColumnKind::kStruct) {
    MR_ASSIGN_OR_RETURN(step.steps, PlanFields(*step.type, column.field_names, column.children,
                                               std::vector<bool>(column.children.size(), true)));
  }
  return step;
}

Result<std::vector<AvroEncoder::Step>> AvroEncoder::PlanFields(
    const AvroType& record, const std::vector<std::string>& names,
    const std::vector<ColumnType>& types, const std::vector<bool>& nullable) {
  std::vector<std::string> fields;
  for (const AvroField& field : record.fields) fields.push_back(field.name);
  for (const std::string& name : names) {
    if (FindAvroField(record, name) != nullptr) continue;
    return Status(Code::kUnsupported,
                  fmt::format("{} has no field \"{}\" for the column", record.Describe(), name))
        .WithHint(DidYouMean(name, fields));
  }
  std::vector<Step> steps;
  for (const AvroField& field : record.fields) {
    auto found = std::find(names.begin(), names.end(), field.name);
    if (found == names.end()) {
      if (!field.default_bytes) {
        return Status(
            Code::kUnsupported,
            fmt::format("field \"{}\" of {} has no default, and no column to take it from",
                        field.name, record.Describe()));
      }
      Step step;
      step.default_bytes = *field.default_bytes;
      steps.push_back(std::move(step));
      continue;
    }
    const auto column = static_cast<size_t>(found - names.begin());
    auto step = Plan(*field.type, types[column], nullable[column]);
    if (!step.ok()) {
      return std::move(step).status().Annotate(fmt::format("column \"{}\"", field.name));
    }
    step->column = static_cast<int>(column);
    steps.push_back(*std::move(step));
  }
  return steps;
}

void AvroEncoder::WriteRow(idx_t row, std::string& out) {
  out += header_;
  for (const Step& step : steps_) {
    if (step.column < 0) {
      out += step.default_bytes;
      continue;
    }
    const auto column = static_cast<size_t>(step.column);
    Write(step, types()[column], views()[column], row, out);
  }
}

void AvroEncoder::Write(const Step& step, const ColumnType& type, const ColumnView& view, idx_t row,
                        std::string& out) const {
  const UnifiedVectorFormat& column = view.unified;
  const idx_t index = column.sel->get_index(row);
  if (!column.validity.RowIsValid(index)) {
    MR_CHECK(step.null_branch >= 0, "NULL in a column that is NOT NULL");
    AppendAvroLong(step.null_branch, out);
    return;
  }
  if (step.value_branch >= 0) AppendAvroLong(step.value_branch, out);
  switch (type.kind) {
    case ColumnKind::kBool:
      out += ValueAt<bool>(column, index) ? '\1' : '\0';
      break;
    case ColumnKind::kInt8:
      AppendAvroLong(ValueAt<int8_t>(column, index), out);
      break;
    case ColumnKind::kInt16:
      AppendAvroLong(ValueAt<int16_t>(column, index), out);
      break;
    case ColumnKind::kInt32:
    case ColumnKind::kDate:
      AppendAvroLong(ValueAt<int32_t>(column, index), out);
      break;
    case ColumnKind::kInt64:
      AppendAvroLong(ValueAt<int64_t>(column, index), out);
      break;
    case ColumnKind::kTime:
    case ColumnKind::kTimestamp:
    case ColumnKind::kTimestampTz:
      AppendAvroLong(InUnitOf(*step.type, ValueAt<int64_t>(column, index)), out);
      break;
    case ColumnKind::kFloat:
      if (step.type->kind == AvroKind::kFloat) {
        AppendAvroFloating(ValueAt<float>(column, index), out);
      } else {
        AppendAvroFloating(static_cast<double>(ValueAt<float>(column, index)), out);
      }
      break;
    case ColumnKind::kDouble:
      AppendAvroFloating(ValueAt<double>(column, index), out);
      break;
    case ColumnKind::kDecimal:
      AppendAvroDecimal(DecimalAt(type, column, index), step.type->size, out);
      break;
    case ColumnKind::kString:
    case ColumnKind::kBytes: {
      const auto& text = UnifiedVectorFormat::GetData<duckdb::string_t>(column)[index];
      AppendAvroBytes({text.GetData(), text.GetSize()}, out);
      break;
    }
    default:
      WriteNested(step, type, view, index, out);
  }
}

void AvroEncoder::WriteNested(const Step& step, const ColumnType& type, const ColumnView& view,
                              idx_t index, std::string& out) const {
  if (type.kind == ColumnKind::kStruct) {
    for (const Step& field : step.steps) {
      if (field.column < 0) {
        out += field.default_bytes;
        continue;
      }
      const auto i = static_cast<size_t>(field.column);
      Write(field, type.children[i], view.children[i], index, out);
    }
    return;
  }
  const auto list = ValueAt<duckdb::list_entry_t>(view.unified, index);
  if (list.length > 0) AppendAvroLong(static_cast<int64_t>(list.length), out);
  for (idx_t i = list.offset; i < list.offset + list.length; i++) {
    if (type.kind == ColumnKind::kList) {
      Write(step.steps[0], type.children[0], view.children[0], i, out);
      continue;
    }
    const ColumnView& entries = view.children[0];  // a struct of key and value
    const UnifiedVectorFormat& keys = entries.children[0].unified;
    const auto& key = UnifiedVectorFormat::GetData<duckdb::string_t>(keys)[keys.sel->get_index(i)];
    AppendAvroBytes({key.GetData(), key.GetSize()}, out);
    Write(step.steps[0], type.children[1], entries.children[1], i, out);
  }
  AppendAvroLong(0, out);
}

}  // namespace millrace::format
