#include "format/avro/avro_row_reader.h"

#include <fmt/format.h>

#include <unordered_map>

#include "base/strings.h"
#include "format/avro/avro_decimal.h"
#include "format/row_fault.h"

namespace millrace::format {

using duckdb::idx_t;
using model::RowErrorKind;
using Kind = AvroStep::Kind;

namespace {

std::string UuidText(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<uint8_t>(bytes[i]));
  }
  return text;
}

}  // namespace

bool AvroRowReader::Read(const AvroPlan& plan, std::string_view bytes,
                         std::span<const TargetColumn> columns, idx_t row) {
  cursor_ = AvroCursor(bytes);
  elements_left_ = bytes.size();
  path_.clear();
  fault_ = {};
  const AvroStep& root = plan.root();
  for (size_t i = 0; i < root.steps.size(); i++) {
    const TargetColumn* column =
        root.places[i] < 0 ? nullptr : &columns[static_cast<size_t>(root.places[i])];
    if (ReadValue(root.steps[i], column ? column->writer : nullptr, row)) continue;
    fault_.column = (column ? column->name : root.writer->fields[i].name) + path_;
    return false;
  }
  if (cursor_.left() > 0) {
    return Fault(
        RowErrorKind::kMalformed,
        fmt::format("not a record of this Avro schema: {} bytes are left over", cursor_.left()));
  }
  for (const AvroStep::Missing& missing : root.missing) {
    const TargetColumn& column = columns[static_cast<size_t>(missing.place)];
    if (ReadMissing(missing, column.writer, row)) continue;
    fault_.column = column.name + path_;
    return false;
  }
  return true;
}

bool AvroRowReader::ReadValue(const AvroStep& step, ColumnWriter* writer, idx_t row) {
  switch (step.kind) {
    case Kind::kSkip:
      return Skip(*step.writer);
    case Kind::kNull:
      writer->SetNull(row);
      return true;
    case Kind::kScalar:
      return ReadScalar(step, *writer, row);
    case Kind::kRecord:
      return ReadStruct(step, *writer, row);
    case Kind::kList:
      return ReadList(step, *writer, row);
    case Kind::kMap:
      return ReadMap(step, *writer, row);
    case Kind::kUnion: {
      size_t branch = 0;
      return ReadBranch(*step.writer, branch) && ReadValue(step.steps[branch], writer, row);
    }
    case Kind::kFault:
      return Fault(step.fault_kind, step.fault);
  }
  return false;
}

bool AvroRowReader::ReadStruct(const AvroStep& step, ColumnWriter& writer, idx_t row) {
  writer.SetValid(row);
  for (size_t i = 0; i < step.steps.size(); i++) {
    ColumnWriter* field =
        step.places[i] < 0 ? nullptr : &writer.child(static_cast<size_t>(step.places[i]));
    if (ReadValue(step.steps[i], field, row)) continue;
    At("." + step.writer->fields[i].name);
    return false;
  }
  for (const AvroStep::Missing& missing : step.missing) {
    const auto place = static_cast<size_t>(missing.place);
    if (ReadMissing(missing, &writer.child(place), row)) continue;
    At("." + writer.type().field_names[place]);
    return false;
  }
  return true;
}

bool AvroRowReader::ReadMissing(const AvroStep::Missing& missing, ColumnWriter* writer, idx_t row) {
  if (!missing.default_bytes) {
    if (writer != nullptr) writer->SetNull(row);
    return true;
  }
  const AvroCursor record = cursor_;
  const uint64_t elements = elements_left_;
  cursor_ = AvroCursor(*missing.default_bytes);
  elements_left_ = missing.default_bytes->size();
  const bool good = ReadValue(missing.step[0], writer, row);
  cursor_ = record;
  elements_left_ = elements;
  return good;
}

bool AvroRowReader::ReadBlock(int64_t& elements) {
  if (!cursor_.ReadLong(elements)) {
    return Fault(RowErrorKind::kMalformed, "the bytes end inside an array or a map");
  }
  int64_t bytes = 0;
  if (elements < 0) {  // its size in bytes is given, too
    if (elements == INT64_MIN || !cursor_.ReadLong(bytes)) {
      return Fault(RowErrorKind::kMalformed, "the bytes end inside an array or a map");
    }
    elements = -elements;
  }
  if (static_cast<uint64_t>(elements) > elements_left_) {
    return Fault(RowErrorKind::kMalformed,
                 fmt::format("{} elements are announced, more than there are bytes", elements));
  }
  elements_left_ -= static_cast<uint64_t>(elements);
  return true;
}

bool AvroRowReader::ReadBranch(const AvroType& type, size_t& branch) {
  int64_t index = 0;
  if (!cursor_.ReadLong(index)) return Broken(type);
  if (index < 0 || static_cast<size_t>(index) >= type.parts.size()) {
    return Fault(RowErrorKind::kMalformed,
                 fmt::format("branch {} of a union of {} types", index, type.parts.size()));
  }
  branch = static_cast<size_t>(index);
  return true;
}

bool AvroRowReader::ReadList(const AvroStep& step, ColumnWriter& writer, idx_t row) {
  const idx_t first = writer.list_size();
  int64_t elements = 0;
  do {
    if (!ReadBlock(elements)) return false;
    for (int64_t i = 0; i < elements; i++) {
      const idx_t element = writer.BeginElement();
      if (!ReadValue(step.steps[0], &writer.child(0), element)) {
        At(fmt::format("[{}]", element - first));
        return false;
      }
      writer.EndElement();
    }
  } while (elements > 0);
  writer.StoreList(row, first);
  return true;
}

bool AvroRowReader::ReadMap(const AvroStep& step, ColumnWriter& writer, idx_t row) {
  const idx_t first = writer.list_size();
  std::unordered_map<std::string, idx_t> by_key;
  int64_t elements = 0;
  do {
    if (!ReadBlock(elements)) return false;
    for (int64_t i = 0; i < elements; i++) {
      std::string_view key;
      if (!cursor_.ReadBytes(key) || !IsValidUtf8(key)) {
        return Fault(RowErrorKind::kMalformed, "a map's key is not a text");
      }
      const idx_t element = writer.BeginElement();
      // Of a key that comes twice the last value counts, as in any map.
      const idx_t target = by_key.emplace(key, element).first->second;
      if (target == element) writer.child(0).StoreString(element, key);
      if (!ReadValue(step.steps[0], &writer.child(1), target)) {
        At(fmt::format("[{}]", JsonQuote(key)));
        return false;
      }
      if (target == element) writer.EndElement();
    }
  } while (elements > 0);
  writer.StoreList(row, first);
  return true;
}

bool AvroRowReader::ReadScalar(const AvroStep& step, ColumnWriter& writer, idx_t row) {
  switch (step.writer->kind) {
    case AvroKind::kBoolean: {
      bool value = false;
      if (!cursor_.ReadBoolean(value)) return Broken(*step.writer);
      writer.Store(row, value);
      return true;
    }
    case AvroKind::kInt:
    case AvroKind::kLong: {
      int64_t value = 0;
      if (!cursor_.ReadLong(value)) return Broken(*step.writer);
      if (step.writer->kind == AvroKind::kInt && value != static_cast<int32_t>(value)) {
        return Fault(RowErrorKind::kMalformed, fmt::format("{} is not an Avro int", value));
      }
      return StoreNumber(step, value, writer, row);
    }
    case AvroKind::kFloat: {
      float value = 0;
      if (!cursor_.ReadFloating(value)) return Broken(*step.writer);
      if (writer.type().kind == ColumnKind::kFloat) {
        writer.Store(row, value);
      } else {
        writer.Store(row, static_cast<double>(value));
      }
      return true;
    }
    case AvroKind::kDouble: {
      double value = 0;
      if (!cursor_.ReadFloating(value)) return Broken(*step.writer);
      writer.Store(row, value);
      return true;
    }
    default:
      return ReadText(step, writer, row);
  }
}

bool AvroRowReader::ReadText(const AvroStep& step, ColumnWriter& writer, idx_t row) {
  std::string_view bytes;
  const AvroType& type = *step.writer;
  if (type.kind == AvroKind::kEnum) {
    int64_t symbol = 0;
    if (!cursor_.ReadLong(symbol)) return Broken(type);
    if (symbol < 0 || static_cast<size_t>(symbol) >= type.symbols.size()) {
      return Fault(RowErrorKind::kMalformed, fmt::format("symbol {} of {}, which has {}", symbol,
                                                         type.Describe(), type.symbols.size()));
    }
    writer.StoreString(row, type.symbols[static_cast<size_t>(symbol)]);
    return true;
  }
  const bool read = type.kind == AvroKind::kFixed ? cursor_.ReadFixed(type.size, bytes)
                                                  : cursor_.ReadBytes(bytes);
  if (!read) return Broken(type);
  if (writer.type().kind == ColumnKind::kDecimal) return StoreDecimal(step, bytes, writer, row);
  if (writer.type().kind == ColumnKind::kString) {
    if (type.kind == AvroKind::kFixed) {
      writer.StoreString(row, UuidText(bytes));
      return true;
    }
    if (!IsValidUtf8(bytes)) {
      return Fault(RowErrorKind::kMalformed,
                   fmt::format("\"{}\" is not valid UTF-8", Excerpt(bytes)));
    }
  }
  writer.StoreString(row, bytes);
  return true;
}

bool AvroRowReader::StoreNumber(const AvroStep& step, int64_t value, ColumnWriter& writer,
                                idx_t row) {
  int64_t micros = 0;
  switch (writer.type().kind) {
    case ColumnKind::kInt8:
      if (value != static_cast<int8_t>(value)) return OutOfRange(std::to_string(value), writer);
      writer.Store(row, static_cast<int8_t>(value));
      return true;
    case ColumnKind::kInt16:
      if (value != static_cast<int16_t>(value)) return OutOfRange(std::to_string(value), writer);
      writer.Store(row, static_cast<int16_t>(value));
      return true;
    case ColumnKind::kInt32:
    case ColumnKind::kDate:
      writer.Store(row, static_cast<int32_t>(value));
      return true;
    case ColumnKind::kFloat:
      writer.Store(row, static_cast<float>(value));
      return true;
    case ColumnKind::kDouble:
      writer.Store(row, static_cast<double>(value));
      return true;
    case ColumnKind::kTime:
      if (__builtin_mul_overflow(value, step.unit_us, &micros) || micros < 0 ||
          micros > duckdb::Interval::MICROS_PER_DAY) {
        return OutOfRange(std::to_string(value), writer);
      }
      writer.Store(row, micros);
      return true;
    case ColumnKind::kTimestamp:
    case ColumnKind::kTimestampTz:
      if (__builtin_mul_overflow(value, step.unit_us, &micros) ||
          !duckdb::Timestamp::IsFinite(duckdb::timestamp_t(micros))) {
        return OutOfRange(std::to_string(value), writer);
      }
      writer.Store(row, micros);
      return true;
    default:
      writer.Store(row, value);
      return true;
  }
}

bool AvroRowReader::StoreDecimal(const AvroStep& step, std::string_view bytes, ColumnWriter& writer,
                                 idx_t row) {
  duckdb::hugeint_t value;
  if (!ReadAvroDecimal(bytes, step.scale, writer.type(), value)) {
    return OutOfRange("the decimal", writer);
  }
  writer.StoreDecimal(row, value);
  return true;
}

bool AvroRowReader::Skip(const AvroType& type, int depth) {
  if (depth > kDepthMax) return Fault(RowErrorKind::kMalformed, "the record is nested too deeply");
  int64_t number = 0;
  std::string_view bytes;
  bool boolean = false;
  switch (type.kind) {
    case AvroKind::kNull:
      return true;
    case AvroKind::kBoolean:
      return cursor_.ReadBoolean(boolean) || Broken(type);
    case AvroKind::kInt:
    case AvroKind::kLong:
    case AvroKind::kEnum:
      return cursor_.ReadLong(number) || Broken(type);
    case AvroKind::kFloat:
      return cursor_.ReadFixed(sizeof(float), bytes) || Broken(type);
    case AvroKind::kDouble:
      return cursor_.ReadFixed(sizeof(double), bytes) || Broken(type);
    case AvroKind::kBytes:
    case AvroKind::kString:
      return cursor_.ReadBytes(bytes) || Broken(type);
    case AvroKind::kFixed:
      return cursor_.ReadFixed(type.size, bytes) || Broken(type);
    case AvroKind::kRecord:
      for (const AvroField& field : type.fields) {
        if (!Skip(*field.type, depth + 1)) return false;
      }
      return true;
    case AvroKind::kUnion: {
      size_t branch = 0;
      return ReadBranch(type, branch) && Skip(*type.parts[branch], depth + 1);
    }
    case AvroKind::kArray:
    case AvroKind::kMap:
      do {
        if (!ReadBlock(number)) return false;
        for (int64_t i = 0; i < number; i++) {
          if (type.kind == AvroKind::kMap && !cursor_.ReadBytes(bytes)) return Broken(type);
          if (!Skip(*type.parts[0], depth + 1)) return false;
        }
      } while (number > 0);
      return true;
  }
  return false;
}

bool AvroRowReader::Broken(const AvroType& type) {
  return Fault(RowErrorKind::kMalformed,
               fmt::format("the bytes are not of the schema: no Avro {} here, {} bytes before the "
                           "record's end",
                           type.Describe(), cursor_.left()));
}

bool AvroRowReader::OutOfRange(std::string_view shown, const ColumnWriter& writer) {
  return Fault(RowErrorKind::kType,
               fmt::format("{} does not fit into {}", shown, TypeNameWithArticle(writer.type())));
}

bool AvroRowReader::Fault(RowErrorKind kind, std::string message) {
  fault_.kind = kind;
  fault_.message = std::move(message);
  return false;
}

}  // namespace millrace::format
