#include "format/avro/avro_resolver.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::format {

namespace {

constexpr int kDepthMax = 500;

bool Matches(const AvroType& reader, const AvroType& writer) {
  if (reader.kind != writer.kind) return IsAvroPromotion(writer.kind, reader.kind);
  return !reader.named() || SameAvroName(reader, writer);
}

const AvroType* BranchFor(const AvroType& reader, const AvroType& writer) {
  if (reader.kind != AvroKind::kUnion) return Matches(reader, writer) ? &reader : nullptr;
  for (const AvroType* branch : reader.parts) {
    if (branch->kind == writer.kind && Matches(*branch, writer)) return branch;
  }
  for (const AvroType* branch : reader.parts) {
    if (Matches(*branch, writer)) return branch;
  }
  return nullptr;
}

}  // namespace

bool IsAvroPromotion(AvroKind from, AvroKind to) {
  switch (to) {
    case AvroKind::kLong:
      return from == AvroKind::kInt;
    case AvroKind::kFloat:
      return from == AvroKind::kInt || from == AvroKind::kLong;
    case AvroKind::kDouble:
      return from == AvroKind::kInt || from == AvroKind::kLong || from == AvroKind::kFloat;
    case AvroKind::kBytes:
      return from == AvroKind::kString;
    case AvroKind::kString:
      return from == AvroKind::kBytes;
    default:
      return false;
  }
}

bool SameAvroName(const AvroType& reader, const AvroType& writer) {
  return AvroShortName(reader.name) == AvroShortName(writer.name) ||
         std::find(reader.aliases.begin(), reader.aliases.end(), writer.name) !=
             reader.aliases.end();
}

const AvroField* FieldOfWriter(const AvroField& field, const AvroType& writer) {
  const AvroField* found = FindAvroField(writer, field.name);
  for (size_t i = 0; i < field.aliases.size() && found == nullptr; i++) {
    found = FindAvroField(writer, field.aliases[i]);
  }
  return found;
}

std::optional<std::string> AvroResolver::Fault(const AvroType& reader, const AvroType& writer,
                                               std::string_view bytes) {
  cursor_ = AvroCursor(bytes);
  elements_left_ = bytes.size();
  path_.clear();
  if (Read(&reader, writer, 0) && (cursor_.left() == 0 || Fail("bytes are left over"))) {
    return std::nullopt;
  }
  return path_.empty() ? fault_ : path_.substr(1) + ": " + fault_;
}

bool AvroResolver::Read(const AvroType* reader, const AvroType& writer, int depth) {
  if (depth > kDepthMax) return Fail("it is nested too deeply");
  if (writer.kind == AvroKind::kUnion) {
    int64_t branch = 0;
    if (!cursor_.ReadLong(branch) || branch < 0 || branch >= std::ssize(writer.parts)) {
      return Fail("the bytes name no branch of the union");
    }
    return Read(reader, *writer.parts[static_cast<size_t>(branch)], depth + 1);
  }
  if (reader != nullptr) {
    const AvroType* branch = BranchFor(*reader, writer);
    if (branch == nullptr) {
      return Fail(fmt::format("a value of type {} cannot be read as {}", writer.Describe(),
                              reader->Describe()));
    }
    reader = branch;
  }
  switch (writer.kind) {
    case AvroKind::kRecord:
      return ReadRecord(reader, writer, depth);
    case AvroKind::kArray:
    case AvroKind::kMap:
      return ReadBlocks(reader, writer, depth);
    default:
      return ReadScalar(reader, writer);
  }
}

bool AvroResolver::ReadRecord(const AvroType* reader, const AvroType& writer, int depth) {
  std::vector<const AvroType*> readers(writer.fields.size(), nullptr);
  for (size_t i = 0; reader != nullptr && i < reader->fields.size(); i++) {
    const AvroField& field = reader->fields[i];
    if (const AvroField* written = FieldOfWriter(field, writer); written != nullptr) {
      readers[static_cast<size_t>(written - writer.fields.data())] = field.type;
    } else if (!field.default_bytes) {
      path_ = "." + field.name;
      return Fail("the field has no default, and the record does not have it");
    }
  }
  for (size_t i = 0; i < writer.fields.size(); i++) {
    if (Read(readers[i], *writer.fields[i].type, depth + 1)) continue;
    path_ = "." + writer.fields[i].name + path_;
    return false;
  }
  return true;
}

bool AvroResolver::ReadBlocks(const AvroType* reader, const AvroType& writer, int depth) {
  const AvroType* part = reader == nullptr ? nullptr : reader->parts[0];
  int64_t elements = 0;
  do {
    int64_t bytes = 0;
    if (!cursor_.ReadLong(elements) || elements == INT64_MIN ||
        (elements < 0 && !cursor_.ReadLong(bytes))) {
      return Fail("the bytes end inside an array or a map");
    }
    elements = elements < 0 ? -elements : elements;
    if (static_cast<uint64_t>(elements) > elements_left_) {
      return Fail("more elements are announced than there are bytes");
    }
    elements_left_ -= static_cast<uint64_t>(elements);
    for (int64_t i = 0; i < elements; i++) {
      std::string_view key;
      if (writer.kind == AvroKind::kMap && !cursor_.ReadBytes(key)) {
        return Fail("the bytes end inside a map");
      }
      if (!Read(part, *writer.parts[0], depth + 1)) return false;
    }
  } while (elements > 0);
  return true;
}

bool AvroResolver::ReadScalar(const AvroType* reader, const AvroType& writer) {
  int64_t number = 0;
  bool boolean = false;
  std::string_view bytes;
  bool read = false;
  switch (writer.kind) {
    case AvroKind::kNull:
      read = true;
      break;
    case AvroKind::kBoolean:
      read = cursor_.ReadBoolean(boolean);
      break;
    case AvroKind::kInt:
    case AvroKind::kLong:
      read = cursor_.ReadLong(number);
      break;
    case AvroKind::kFloat:
      read = cursor_.ReadFixed(sizeof(float), bytes);
      break;
    case AvroKind::kDouble:
      read = cursor_.ReadFixed(sizeof(double), bytes);
      break;
    case AvroKind::kFixed:
      if (reader != nullptr && reader->size != writer.size) {
        return Fail(fmt::format("{} bytes, where {} are read", writer.size, reader->size));
      }
      read = cursor_.ReadFixed(writer.size, bytes);
      break;
    case AvroKind::kEnum: {
      read = cursor_.ReadLong(number) && number >= 0 && number < std::ssize(writer.symbols);
      if (!read || reader == nullptr || reader->default_symbol) break;
      const std::string& symbol = writer.symbols[static_cast<size_t>(number)];
      const auto& known = reader->symbols;
      if (std::find(known.begin(), known.end(), symbol) != known.end()) break;
      return Fail(fmt::format("{} has no symbol \"{}\"", reader->Describe(), symbol));
    }
    default:
      read = cursor_.ReadBytes(bytes);
  }
  return read || Fail(fmt::format("the bytes are no {}", writer.Describe()));
}

bool AvroResolver::Fail(std::string fault) {
  fault_ = std::move(fault);
  return false;
}

}  // namespace millrace::format
