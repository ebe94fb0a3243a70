#include "format/avro/avro_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace millrace::format {

using model::RowErrorKind;
using Kind = AvroStep::Kind;

namespace {

constexpr int64_t kMicrosPerMilli = 1000;

AvroStep Fault(RowErrorKind kind, std::string message) {
  AvroStep step;
  step.kind = Kind::kFault;
  step.fault_kind = kind;
  step.fault = std::move(message);
  return step;
}

// The record, or nothing where the type has none: of a union, its branch that is one.
const AvroType* RecordIn(const AvroType* type) {
  if (type == nullptr || type->kind == AvroKind::kRecord) return type;
  for (const AvroType* part : type->parts) {
    if (part->kind == AvroKind::kRecord) return part;
  }
  return nullptr;
}

// The type of the values in an array or a map.
const AvroType* PartOf(const AvroType* type, AvroKind kind) {
  if (type == nullptr || type->kind == kind) return type == nullptr ? nullptr : type->parts[0];
  if (type->kind != AvroKind::kUnion) return nullptr;
  for (const AvroType* part : type->parts) {
    if (part->kind == kind) return part->parts[0];
  }
  return nullptr;
}

int64_t UnitOf(AvroLogical logical) {
  switch (logical) {
    case AvroLogical::kTimeMicros:
    case AvroLogical::kTimestampMicros:
    case AvroLogical::kLocalTimestampMicros:
      return 1;
    default:
      return kMicrosPerMilli;
  }
}

bool IsPlainOr(const AvroType& type, std::initializer_list<AvroLogical> those) {
  return type.logical == AvroLogical::kNone ||
         std::find(those.begin(), those.end(), type.logical) != those.end();
}

bool CanRead(const AvroType& writer, ColumnKind column) {
  const AvroKind kind = writer.kind;
  switch (column) {
    case ColumnKind::kBool:
      return kind == AvroKind::kBoolean;
    case ColumnKind::kInt8:
    case ColumnKind::kInt16:
    case ColumnKind::kInt32:
      return kind == AvroKind::kInt;
    case ColumnKind::kInt64:
      return kind == AvroKind::kInt || kind == AvroKind::kLong;
    case ColumnKind::kFloat:
      return kind == AvroKind::kInt || kind == AvroKind::kLong || kind == AvroKind::kFloat;
    case ColumnKind::kDouble:
      return kind == AvroKind::kInt || kind == AvroKind::kLong || kind == AvroKind::kFloat ||
             kind == AvroKind::kDouble;
    case ColumnKind::kDecimal:
      return kind == AvroKind::kBytes || kind == AvroKind::kFixed;
    case ColumnKind::kString:
      return kind == AvroKind::kString || kind == AvroKind::kEnum ||
             (kind == AvroKind::kBytes && writer.logical == AvroLogical::kNone) ||
             (kind == AvroKind::kFixed && writer.logical == AvroLogical::kUuid);
    case ColumnKind::kBytes:
      return kind == AvroKind::kBytes || kind == AvroKind::kString || kind == AvroKind::kFixed;
    case ColumnKind::kDate:
      return kind == AvroKind::kInt && IsPlainOr(writer, {AvroLogical::kDate});
    case ColumnKind::kTime:
      return (kind == AvroKind::kInt && IsPlainOr(writer, {AvroLogical::kTimeMillis})) ||
             (kind == AvroKind::kLong && IsPlainOr(writer, {AvroLogical::kTimeMicros}));
    case ColumnKind::kTimestamp:
    case ColumnKind::kTimestampTz:
      return kind == AvroKind::kLong &&
             IsPlainOr(writer,
                       {AvroLogical::kTimestampMillis, AvroLogical::kTimestampMicros,
                        AvroLogical::kLocalTimestampMillis, AvroLogical::kLocalTimestampMicros});
    default:
      return false;
  }
}

AvroStep PlanValue(const AvroType& writer, const AvroType* reader, ColumnWriter* column,
                   bool required);

AvroStep::Missing PlanMissing(int place, const AvroField* reader, ColumnWriter* column,
                              bool required) {
  AvroStep::Missing missing;
  missing.place = place;
  if (reader != nullptr && reader->default_bytes) {
    missing.default_bytes = reader->default_bytes;
    missing.step.push_back(PlanValue(*reader->type, reader->type, column, required));
  } else if (required) {
    missing.default_bytes.emplace();
    missing.step.push_back(
        Fault(RowErrorKind::kNull, "the record's schema has no such field, which is NOT NULL"));
  }
  return missing;
}

AvroStep PlanRecord(const AvroType& writer, const AvroType* reader,
                    std::span<const TargetColumn> columns) {
  AvroStep step;
  step.kind = Kind::kRecord;
  step.writer = &writer;
  step.steps.resize(writer.fields.size());
  step.places.assign(writer.fields.size(), -1);
  for (size_t i = 0; i < writer.fields.size(); i++) step.steps[i].writer = writer.fields[i].type;
  for (size_t c = 0; c < columns.size(); c++) {
    const TargetColumn& column = columns[c];
    const AvroField* own = reader ? FindAvroField(*reader, column.name) : nullptr;
    const AvroField* field = FindAvroField(writer, column.name);
    if (own != nullptr) {
      for (size_t a = 0; a < own->aliases.size() && field == nullptr; a++) {
        field = FindAvroField(writer, own->aliases[a]);
      }
    }
    if (field == nullptr) {
      step.missing.push_back(PlanMissing(static_cast<int>(c), own, column.writer, column.required));
      continue;
    }
    const auto index = static_cast<size_t>(field - writer.fields.data());
    step.places[index] = static_cast<int>(c);
    step.steps[index] =
        PlanValue(*field->type, own ? own->type : nullptr, column.writer, column.required);
  }
  return step;
}

AvroStep PlanUnion(const AvroType& writer, const AvroType* reader, ColumnWriter* column,
                   bool required) {
  AvroStep step;
  step.kind = Kind::kUnion;
  step.writer = &writer;
  for (const AvroType* branch : writer.parts) {
    step.steps.push_back(PlanValue(*branch, reader, column, required));
  }
  return step;
}

AvroStep PlanStruct(const AvroType& writer, const AvroType* reader, ColumnWriter& column) {
  std::vector<TargetColumn> fields;
  for (size_t i = 0; i < column.type().field_names.size(); i++) {
    if (column.child(i).skipped()) continue;
    fields.push_back({column.type().field_names[i], &column.child(i), false});
  }
  AvroStep step = PlanRecord(writer, RecordIn(reader), fields);
  // Of the fields in use to all fields.
  auto place = [&](int at) {
    return at < 0 ? -1
                  : static_cast<int>(fields[static_cast<size_t>(at)].writer - &column.child(0));
  };
  for (int& at : step.places) at = place(at);
  for (AvroStep::Missing& missing : step.missing) missing.place = place(missing.place);
  return step;
}

AvroStep PlanValue(const AvroType& writer, const AvroType* reader, ColumnWriter* column,
                   bool required) {
  AvroStep step;
  step.writer = &writer;
  if (writer.kind == AvroKind::kNull) {
    if (required) return Fault(RowErrorKind::kNull, "null in a NOT NULL column");
    step.kind = column == nullptr ? Kind::kSkip : Kind::kNull;
    return step;
  }
  if (writer.kind == AvroKind::kUnion) {
    return column == nullptr && !required ? step : PlanUnion(writer, reader, column, required);
  }
  if (column == nullptr) return step;
  const ColumnType& type = column->type();
  if (type.kind == ColumnKind::kStruct && writer.kind == AvroKind::kRecord) {
    return PlanStruct(writer, reader, *column);
  }
  if (type.kind == ColumnKind::kList && writer.kind == AvroKind::kArray) {
    step.kind = Kind::kList;
    step.steps.push_back(
        PlanValue(*writer.parts[0], PartOf(reader, AvroKind::kArray), &column->child(0), false));
    return step;
  }
  if (type.kind == ColumnKind::kMap && writer.kind == AvroKind::kMap) {
    step.kind = Kind::kMap;
    step.steps.push_back(
        PlanValue(*writer.parts[0], PartOf(reader, AvroKind::kMap), &column->child(1), false));
    return step;
  }
  if (!CanRead(writer, type.kind)) {
    return Fault(RowErrorKind::kType, fmt::format("an Avro {} cannot be read as {}",
                                                  writer.Describe(), TypeNameWithArticle(type)));
  }
  step.kind = Kind::kScalar;
  step.unit_us = UnitOf(writer.logical);
  if (type.kind == ColumnKind::kTime && writer.kind == AvroKind::kLong) step.unit_us = 1;
  step.scale = writer.logical == AvroLogical::kDecimal ? writer.scale : type.scale;
  return step;
}

std::optional<std::string> FaultOf(const AvroStep& step) {
  if (step.kind == Kind::kFault) return step.fault;
  for (const AvroStep& part : step.steps) {
    if (auto fault = FaultOf(part)) return fault;
  }
  for (const AvroStep::Missing& missing : step.missing) {
    if (missing.step.empty()) continue;
    if (auto fault = FaultOf(missing.step[0])) return fault;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> AvroPlan::ColumnFault(size_t column) const {
  for (size_t i = 0; i < root_.steps.size(); i++) {
    if (root_.places[i] == static_cast<int>(column)) return FaultOf(root_.steps[i]);
  }
  for (const AvroStep::Missing& missing : root_.missing) {
    const bool of_column = missing.place == static_cast<int>(column);
    if (of_column && !missing.step.empty()) return FaultOf(missing.step[0]);
  }
  return std::nullopt;
}

bool AvroPlan::Lacks(size_t column) const {
  return std::any_of(root_.missing.begin(), root_.missing.end(),
                     [&](const AvroStep::Missing& missing) {
                       return missing.place == static_cast<int>(column) &&
                              (missing.step.empty() || missing.step[0].kind == Kind::kFault);
                     });
}

Result<std::shared_ptr<const AvroPlan>> AvroPlan::Make(std::shared_ptr<const AvroSchema> writer,
                                                       const AvroType* reader,
                                                       std::span<const TargetColumn> columns) {
  if (writer->root().kind != AvroKind::kRecord) {
    return Status(Code::kInvalidArgument,
                  fmt::format("the schema is of type {}, not a record", writer->root().Describe()));
  }
  std::shared_ptr<AvroPlan> plan(new AvroPlan());
  plan->writer_ = std::move(writer);
  plan->root_ = PlanRecord(plan->writer_->root(), RecordIn(reader), columns);
  return std::shared_ptr<const AvroPlan>(std::move(plan));
}

}  // namespace millrace::format
