#include "format/protobuf/proto_row_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/strings.h"
#include "format/avro/avro_decimal.h"
#include "format/civil_time.h"
#include "format/row_fault.h"

namespace millrace::format {

using duckdb::idx_t;
using google::protobuf::FieldDescriptor;
using model::RowErrorKind;
using Kind = ProtoStep::Kind;

namespace {

constexpr size_t kReadable = 16;  // behind a text

// Of any integer but a uint64, which is told by its type.
int64_t SignedOf(const FieldDescriptor& field, uint64_t bits) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_SINT32:
      return static_cast<int32_t>(FromZigZag(bits & UINT32_MAX));
    case FieldDescriptor::TYPE_SINT64:
      return FromZigZag(bits);
    case FieldDescriptor::TYPE_INT32:
    case FieldDescriptor::TYPE_SFIXED32:
    case FieldDescriptor::TYPE_ENUM:
      return static_cast<int32_t>(bits);
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_FIXED32:
      return static_cast<uint32_t>(bits);
    default:
      return static_cast<int64_t>(bits);
  }
}

bool IsUint64(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
}

std::string IntegerText(const FieldDescriptor& field, uint64_t bits) {
  return IsUint64(field) ? fmt::to_string(bits) : fmt::to_string(SignedOf(field, bits));
}

std::string KeyText(const FieldDescriptor& field, const WireField& key) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) return std::string(key.bytes);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL) return key.bits != 0 ? "true" : "false";
  return IntegerText(field, key.bits);
}

template <typename T>
bool StoreIn(int64_t value, ColumnWriter& writer, idx_t row) {
  if (value != static_cast<T>(value)) return false;
  writer.Store(row, static_cast<T>(value));
  return true;
}

// A value that the enum cannot have is as if it were not there.
bool IsKnown(const FieldDescriptor& field, uint64_t bits) {
  return field.enum_type() == nullptr || IsEnumValue(field, static_cast<int>(bits));
}

}  // namespace

bool ProtoRowReader::Read(const ProtoPlan& plan, std::string_view bytes,
                          std::span<const TargetColumn> columns, idx_t row) {
  path_.clear();
  fault_ = {};
  const std::vector<ProtoStep>& steps = plan.root().steps;
  Level& level = LevelAt(0);
  if (!Scan(steps, bytes, level)) {
    fault_.message =
        fmt::format("not a message \"{}\": {}", plan.message().full_name(), fault_.message);
    return false;
  }
  for (size_t i = 0; i < steps.size(); i++) {
    if (steps[i].place < 0) continue;
    const TargetColumn& column = columns[static_cast<size_t>(steps[i].place)];
    fault_.column = column.name;
    const bool there =
        level.first[i] >= 0 || steps[i].field->is_repeated() || steps[i].default_value.has_value();
    if (!there && column.required) return Fault(RowErrorKind::kNull, "null in a NOT NULL column");
    if (column.writer == nullptr || ReadField(steps[i], i, 0, *column.writer, row)) continue;
    fault_.column += path_;
    return false;
  }
  for (const int place : plan.root().missing) {
    const TargetColumn& column = columns[static_cast<size_t>(place)];
    fault_.column = column.name;
    if (column.required) {
      return Fault(RowErrorKind::kNull, "the message has no such field, which is NOT NULL");
    }
    column.writer->SetNull(row);
  }
  return true;
}

ProtoRowReader::Level& ProtoRowReader::LevelAt(size_t depth) {
  while (levels_.size() <= depth) levels_.emplace_back();
  return levels_[depth];
}

bool ProtoRowReader::Scan(const std::vector<ProtoStep>& steps, std::string_view bytes,
                          Level& level) {
  level.parts.clear();
  level.first.assign(steps.size(), -1);
  level.last.assign(steps.size(), -1);
  ProtoCursor cursor(bytes);
  size_t next = 0;  // fields mostly come in the order of their numbers
  WireField value;
  while (!cursor.done()) {
    const size_t left = cursor.left();
    if (!cursor.ReadField(value)) {
      return Fault(RowErrorKind::kMalformed,
                   fmt::format("the bytes are no field, {} before the message's end", left));
    }
    if (next == steps.size() || steps[next].field->number() != static_cast<int>(value.number)) {
      const auto found = std::lower_bound(
          steps.begin(), steps.end(), value.number, [](const ProtoStep& step, uint32_t number) {
            return static_cast<uint32_t>(step.field->number()) < number;
          });
      if (found == steps.end() || found->field->number() != static_cast<int>(value.number)) {
        continue;
      }
      next = static_cast<size_t>(found - steps.begin());
    }
    Add(steps, next, value, level);
    const bool again = steps[next].field->is_repeated();
    if (!again) next++;
  }
  return true;
}

void ProtoRowReader::Add(const std::vector<ProtoStep>& steps, size_t step, const WireField& value,
                         Level& level) {
  const FieldDescriptor& field = *steps[step].field;
  const WireType type = WireTypeOf(field);
  const bool packed = field.is_packable() && value.type == WireType::kBytes;
  // Of another wire type it is a field that nobody knows.
  if (value.type != type && !packed) return;
  if (!packed && !field.is_repeated() && !IsKnown(field, value.bits)) return;
  if (steps[step].oneof >= 0) {
    for (size_t other = 0; other < steps.size(); other++) {
      if (other != step && steps[other].oneof == steps[step].oneof) level.first[other] = -1;
    }
  }
  const int part = static_cast<int>(level.parts.size());
  level.parts.push_back({value, -1});
  if (level.first[step] < 0) {
    level.first[step] = part;
  } else {
    level.parts[static_cast<size_t>(level.last[step])].next = part;
  }
  level.last[step] = part;
}

std::string_view ProtoRowReader::Merged(Level& level, size_t step) {
  const int first = level.first[step];
  if (first == level.last[step]) return level.parts[static_cast<size_t>(first)].value.bytes;
  level.merged.clear();
  for (int at = first; at >= 0; at = level.parts[static_cast<size_t>(at)].next) {
    level.merged += level.parts[static_cast<size_t>(at)].value.bytes;
  }
  const size_t size = level.merged.size();
  level.merged.append(kReadable, '\0');
  return std::string_view(level.merged).substr(0, size);
}

bool ProtoRowReader::ReadField(const ProtoStep& step, size_t i, size_t depth, ColumnWriter& writer,
                               idx_t row) {
  if (writer.skipped()) return true;
  if (step.kind == Kind::kList) return ReadList(step, i, depth, writer, row);
  if (step.kind == Kind::kMap) return ReadMap(step, i, depth, writer, row);
  Level& level = LevelAt(depth);
  if (level.first[i] < 0) {
    if (step.default_value) return ReadValue(step, *step.default_value, depth, writer, row);
    writer.SetNull(row);
    return true;
  }
  if (step.kind == Kind::kFault) return Fault(RowErrorKind::kType, step.fault);
  WireField value = level.parts[static_cast<size_t>(level.last[i])].value;
  if (step.field->message_type() != nullptr) value.bytes = Merged(level, i);
  return ReadValue(step, value, depth, writer, row);
}

bool ProtoRowReader::ReadList(const ProtoStep& step, size_t i, size_t depth, ColumnWriter& writer,
                              idx_t row) {
  const idx_t first = writer.list_size();
  const ProtoStep& element = step.steps[0];
  for (int at = LevelAt(depth).first[i]; at >= 0;) {
    const Level::Part part = LevelAt(depth).parts[static_cast<size_t>(at)];
    at = part.next;
    if (part.value.type == WireType::kBytes && step.field->is_packable()) {
      if (!ReadPacked(element, part.value.bytes, first, writer)) return false;
      continue;
    }
    if (!IsKnown(*step.field, part.value.bits)) continue;
    const idx_t target = writer.BeginElement();
    if (!ReadValue(element, part.value, depth, writer.child(0), target)) {
      At(fmt::format("[{}]", target - first));
      return false;
    }
    writer.EndElement();
  }
  writer.StoreList(row, first);
  return true;
}

bool ProtoRowReader::ReadPacked(const ProtoStep& element, std::string_view bytes, idx_t first,
                                ColumnWriter& writer) {
  ProtoCursor cursor(bytes);
  const WireType type = WireTypeOf(*element.field);
  while (!cursor.done()) {
    WireField value;
    if (!cursor.ReadValue(type, value)) {
      return Fault(RowErrorKind::kMalformed, "the bytes end inside a value");
    }
    if (!IsKnown(*element.field, value.bits)) continue;
    const idx_t target = writer.BeginElement();
    if (!ReadValue(element, value, 0, writer.child(0), target)) {
      At(fmt::format("[{}]", target - first));
      return false;
    }
    writer.EndElement();
  }
  return true;
}

bool ProtoRowReader::ReadMap(const ProtoStep& step, size_t i, size_t depth, ColumnWriter& writer,
                             idx_t row) {
  const idx_t first = writer.list_size();
  std::unordered_map<std::string, idx_t> by_key;
  const FieldDescriptor& key_field = *step.steps[0].field;
  for (int at = LevelAt(depth).first[i]; at >= 0;) {
    const Level::Part part = LevelAt(depth).parts[static_cast<size_t>(at)];
    at = part.next;
    Level& entry = LevelAt(depth + 1);
    if (!Scan(step.steps, part.value.bytes, entry)) return false;
    const int last = entry.last[0];
    std::string key = KeyText(key_field, last < 0 ? *step.steps[0].default_value
                                                  : entry.parts[static_cast<size_t>(last)].value);
    if (!IsValidUtf8(key)) return Fault(RowErrorKind::kMalformed, "a map's key is not a text");
    const idx_t element = writer.BeginElement();
    // Of a key that comes twice the last value counts, as in any map.
    const idx_t target = by_key.emplace(key, element).first->second;
    const ProtoStep& value = step.steps[1];
    const bool empty = value.kind == Kind::kMessage && entry.first[1] < 0;
    const bool good = empty ? ReadMessage(value, {}, depth + 1, writer.child(1), target)
                            : ReadField(value, 1, depth + 1, writer.child(1), target);
    if (!good) {
      At(fmt::format("[{}]", JsonQuote(key)));
      return false;
    }
    if (target != element) continue;
    key.append(kReadable, '\0');
    writer.child(0).StoreString(element, std::string_view(key).substr(0, key.size() - kReadable));
    writer.EndElement();
  }
  writer.StoreList(row, first);
  return true;
}

bool ProtoRowReader::ReadValue(const ProtoStep& step, const WireField& value, size_t depth,
                               ColumnWriter& writer, idx_t row) {
  std::vector<WireField> parts;
  switch (step.kind) {
    case Kind::kSkip:
      if (!writer.skipped()) writer.SetNull(row);
      return true;
    case Kind::kInteger:
      return StoreInteger(step, value.bits, writer, row);
    case Kind::kBool:
      writer.Store(row, value.bits != 0);
      return true;
    case Kind::kFloating:
      if (step.field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
        writer.Store(row, std::bit_cast<double>(value.bits));
      } else if (const auto number = std::bit_cast<float>(static_cast<uint32_t>(value.bits));
                 writer.type().kind == ColumnKind::kFloat) {
        writer.Store(row, number);
      } else {
        writer.Store(row, static_cast<double>(number));
      }
      return true;
    case Kind::kText:
      return StoreText(value.bytes, writer, row);
    case Kind::kEnumName: {
      const auto* name = step.field->enum_type()->FindValueByNumber(static_cast<int>(value.bits));
      std::string text = name ? name->name() : IntegerText(*step.field, value.bits);
      const size_t size = text.size();
      text.append(kReadable, '\0');
      return StoreText(std::string_view(text).substr(0, size), writer, row);
    }
    case Kind::kMessage:
      return ReadMessage(step, value.bytes, depth + 1, writer, row);
    case Kind::kTimestamp:
      return ReadParts(step, value.bytes, depth + 1, parts) && StoreTimestamp(parts, writer, row);
    case Kind::kDecimal:
      return ReadParts(step, value.bytes, depth + 1, parts) && StoreDecimal(parts, writer, row);
    case Kind::kDate:
      return ReadParts(step, value.bytes, depth + 1, parts) && StoreDate(parts, writer, row);
    case Kind::kTimeOfDay:
      return ReadParts(step, value.bytes, depth + 1, parts) && StoreTimeOfDay(parts, writer, row);
    case Kind::kWrapper:
      return ReadParts(step, value.bytes, depth + 1, parts) &&
             ReadValue(step.steps[0], parts[0], depth + 1, writer, row);
    case Kind::kFault:
      return Fault(RowErrorKind::kType, step.fault);
    default:
      return false;
  }
}

bool ProtoRowReader::ReadMessage(const ProtoStep& step, std::string_view bytes, size_t depth,
                                 ColumnWriter& writer, idx_t row) {
  if (!Scan(step.steps, bytes, LevelAt(depth))) return false;
  writer.SetValid(row);
  for (size_t i = 0; i < step.steps.size(); i++) {
    const int place = step.steps[i].place;
    if (place < 0) continue;
    if (ReadField(step.steps[i], i, depth, writer.child(static_cast<size_t>(place)), row)) continue;
    At("." + step.steps[i].field->name());
    return false;
  }
  for (const int place : step.missing) {
    ColumnWriter& field = writer.child(static_cast<size_t>(place));
    if (!field.skipped()) field.SetNull(row);
  }
  return true;
}

bool ProtoRowReader::ReadParts(const ProtoStep& step, std::string_view bytes, size_t depth,
                               std::vector<WireField>& values) {
  Level& level = LevelAt(depth);
  if (!Scan(step.steps, bytes, level)) return false;
  for (size_t i = 0; i < step.steps.size(); i++) {
    const bool there = level.first[i] >= 0;
    values.push_back(there ? level.parts[static_cast<size_t>(level.last[i])].value
                           : *step.steps[i].default_value);
  }
  return true;
}

bool ProtoRowReader::StoreInteger(const ProtoStep& step, uint64_t bits, ColumnWriter& writer,
                                  idx_t row) {
  const bool large = IsUint64(*step.field) && bits > INT64_MAX;
  const int64_t value = SignedOf(*step.field, bits);
  bool fits = !large;
  switch (writer.type().kind) {
    case ColumnKind::kInt8:
      fits = fits && StoreIn<int8_t>(value, writer, row);
      break;
    case ColumnKind::kInt16:
      fits = fits && StoreIn<int16_t>(value, writer, row);
      break;
    case ColumnKind::kInt32:
      fits = fits && StoreIn<int32_t>(value, writer, row);
      break;
    case ColumnKind::kInt64:
      fits = fits && StoreIn<int64_t>(value, writer, row);
      break;
    case ColumnKind::kFloat:
      writer.Store(row, large ? static_cast<float>(bits) : static_cast<float>(value));
      return true;
    case ColumnKind::kDouble:
      writer.Store(row, large ? static_cast<double>(bits) : static_cast<double>(value));
      return true;
    default: {
      duckdb::hugeint_t number(value);
      if (large) number = duckdb::hugeint_t(0, bits);
      const auto& powers = duckdb::Hugeint::POWERS_OF_TEN;
      const duckdb::hugeint_t limit = powers[writer.type().width - writer.type().scale];
      fits = number < limit && number > -limit;
      if (fits) writer.StoreDecimal(row, number * powers[writer.type().scale]);
    }
  }
  return fits || OutOfRange(IntegerText(*step.field, bits), writer);
}

bool ProtoRowReader::StoreText(std::string_view bytes, ColumnWriter& writer, idx_t row) {
  if (writer.type().kind == ColumnKind::kString && !IsValidUtf8(bytes)) {
    return Fault(RowErrorKind::kMalformed,
                 fmt::format("\"{}\" is not valid UTF-8", Excerpt(bytes)));
  }
  writer.StoreString(row, bytes);
  return true;
}

bool ProtoRowReader::StoreTimestamp(const std::vector<WireField>& parts, ColumnWriter& writer,
                                    idx_t row) {
  const auto seconds = static_cast<int64_t>(parts[0].bits);
  const auto nanos = static_cast<int32_t>(parts[1].bits);
  int64_t micros = 0;
  if (nanos < 0 || nanos > 999'999'999 || __builtin_mul_overflow(seconds, 1'000'000, &micros) ||
      __builtin_add_overflow(micros, nanos / 1000, &micros) ||
      !duckdb::Timestamp::IsFinite(duckdb::timestamp_t(micros))) {
    return OutOfRange(fmt::format("a Timestamp of {} s and {} ns", seconds, nanos), writer);
  }
  writer.Store(row, micros);
  return true;
}

bool ProtoRowReader::StoreDecimal(const std::vector<WireField>& parts, ColumnWriter& writer,
                                  idx_t row) {
  duckdb::hugeint_t value;
  // value, precision, scale
  if (!ReadAvroDecimal(parts[0].bytes, static_cast<int32_t>(parts[2].bits), writer.type(), value)) {
    return OutOfRange("the decimal", writer);
  }
  writer.StoreDecimal(row, value);
  return true;
}

// google.type.Date: year, month, day; 0 stands for one that is not known.
bool ProtoRowReader::StoreDate(const std::vector<WireField>& parts, ColumnWriter& writer,
                               idx_t row) {
  const auto part = [&](size_t i) { return static_cast<int32_t>(parts[i].bits); };
  const CivilDate date{part(0), part(1), part(2)};
  if (date.year < 1 || date.year > 9999 || !ValidDate(date)) {
    return OutOfRange(fmt::format("a Date of year {}, month {}, day {}", part(0), part(1), part(2)),
                      writer);
  }
  writer.Store(row, static_cast<int32_t>(DaysFromCivil(date)));
  return true;
}

// google.type.TimeOfDay: hours, minutes, seconds, nanos.
bool ProtoRowReader::StoreTimeOfDay(const std::vector<WireField>& parts, ColumnWriter& writer,
                                    idx_t row) {
  constexpr int32_t kLimits[] = {24, 60, 60, 1'000'000'000};
  int64_t nanos = 0;
  for (size_t i = 0; i < std::size(kLimits); i++) {
    const auto value = static_cast<int32_t>(parts[i].bits);
    if (value < 0 || value >= kLimits[i]) {
      return OutOfRange(fmt::format("a TimeOfDay whose {} is {}",
                                    i == 0   ? "hour"
                                    : i == 1 ? "minute"
                                    : i == 2 ? "second"
                                             : "nanosecond",
                                    value),
                        writer);
    }
    nanos = nanos * kLimits[i] + value;
  }
  writer.Store(row, nanos / 1000);
  return true;
}

bool ProtoRowReader::OutOfRange(std::string_view shown, const ColumnWriter& writer) {
  return Fault(RowErrorKind::kType,
               fmt::format("{} does not fit into {}", shown, TypeNameWithArticle(writer.type())));
}

bool ProtoRowReader::Fault(RowErrorKind kind, std::string message) {
  fault_.kind = kind;
  fault_.message = std::move(message);
  return false;
}

}  // namespace millrace::format
