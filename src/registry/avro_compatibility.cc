#include "registry/avro_compatibility.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "format/avro/avro_resolver.h"

namespace millrace::registry {

using format::AvroField;
using format::AvroKind;
using format::AvroType;

namespace {

class Checker {
 public:
  Checker(std::string reader_name, std::string writer_name)
      : reader_name_(std::move(reader_name)), writer_name_(std::move(writer_name)) {}

  // Appends what is wrong to `found`.
  void Check(const AvroType& reader, const AvroType& writer, const std::string& path,
             std::vector<Incompatibility>& found) {
    const auto pair = std::pair(&reader, &writer);
    if (reader.named() && writer.named()) {
      // Within itself a type is taken as compatible; what is wrong is found outside.
      if (std::find(open_.begin(), open_.end(), pair) != open_.end()) return;
      open_.push_back(pair);
    }
    CheckOpen(reader, writer, path, found);
    if (reader.named() && writer.named()) open_.pop_back();
  }

 private:
  using Found = std::vector<Incompatibility>;

  void CheckOpen(const AvroType& reader, const AvroType& writer, const std::string& path,
                 Found& found) {
    if (writer.kind == AvroKind::kUnion) {
      for (const AvroType* branch : writer.parts) Check(reader, *branch, path, found);
      return;
    }
    if (reader.kind == AvroKind::kUnion) {
      CheckReaderUnion(reader, writer, path, found);
      return;
    }
    if (reader.kind != writer.kind) {
      if (!format::IsAvroPromotion(writer.kind, reader.kind)) Mismatch(reader, writer, path, found);
      return;
    }
    switch (reader.kind) {
      case AvroKind::kArray:
        Check(*reader.parts[0], *writer.parts[0], path + "/items", found);
        break;
      case AvroKind::kMap:
        Check(*reader.parts[0], *writer.parts[0], path + "/values", found);
        break;
      case AvroKind::kRecord:
        if (CheckName(reader, writer, path, found)) CheckFields(reader, writer, path, found);
        break;
      case AvroKind::kEnum:
        if (CheckName(reader, writer, path, found)) CheckSymbols(reader, writer, path, found);
        break;
      case AvroKind::kFixed:
        if (CheckName(reader, writer, path, found) && reader.size != writer.size) {
          found.push_back({"FIXED_SIZE_MISMATCH", path + "/size",
                           fmt::format("{} has {} bytes in {}, but {} in {}", reader.Describe(),
                                       reader.size, reader_name_, writer.size, writer_name_)});
        }
        break;
      default:
        break;
    }
  }

  void CheckReaderUnion(const AvroType& reader, const AvroType& writer, const std::string& path,
                        Found& found) {
    for (const AvroType* branch : reader.parts) {
      Found attempt;
      Check(*branch, writer, path, attempt);
      if (attempt.empty()) return;
    }
    std::vector<std::string> branches;
    for (const AvroType* branch : reader.parts) branches.push_back(branch->Describe());
    found.push_back(
        {"MISSING_UNION_BRANCH", path,
         fmt::format("{} has values of type {}, which is none of the union's types in "
                     "{}: {}",
                     writer_name_, writer.Describe(), reader_name_, Join(branches, ", "))});
  }

  void Mismatch(const AvroType& reader, const AvroType& writer, const std::string& path,
                Found& found) {
    found.push_back({"TYPE_MISMATCH", path,
                     fmt::format("the type is {} in {}, but {} in {}", reader.Describe(),
                                 reader_name_, writer.Describe(), writer_name_)});
  }

  bool CheckName(const AvroType& reader, const AvroType& writer, const std::string& path,
                 Found& found) {
    if (format::SameAvroName(reader, writer)) return true;
    found.push_back({"NAME_MISMATCH", path + "/name",
                     fmt::format("the {} is named \"{}\" in {}, but \"{}\" in {}, and has no alias "
                                 "for it",
                                 format::AvroKindName(reader.kind), reader.name, reader_name_,
                                 writer.name, writer_name_)});
    return false;
  }

  void CheckFields(const AvroType& reader, const AvroType& writer, const std::string& path,
                   Found& found) {
    for (size_t i = 0; i < reader.fields.size(); i++) {
      const AvroField& field = reader.fields[i];
      const std::string at = fmt::format("{}/fields/{}", path, i);
      if (const AvroField* written = format::FieldOfWriter(field, writer); written != nullptr) {
        Check(*field.type, *written->type, at + "/type", found);
      } else if (!field.default_bytes) {
        found.push_back({"READER_FIELD_MISSING_DEFAULT_VALUE", at,
                         fmt::format("field \"{}\" has no default in {}, and is missing in {}",
                                     field.name, reader_name_, writer_name_)});
      }
    }
  }

  void CheckSymbols(const AvroType& reader, const AvroType& writer, const std::string& path,
                    Found& found) {
    if (reader.default_symbol) return;
    std::vector<std::string> missing;
    for (const std::string& symbol : writer.symbols) {
      const auto& known = reader.symbols;
      if (std::find(known.begin(), known.end(), symbol) == known.end()) missing.push_back(symbol);
    }
    if (missing.empty()) return;
    found.push_back(
        {"MISSING_ENUM_SYMBOLS", path + "/symbols",
         fmt::format("{} has the symbols {} in {}, which {} does not know", writer.Describe(),
                     Join(missing, ", "), writer_name_, reader_name_)});
  }

  std::string reader_name_;
  std::string writer_name_;
  std::vector<std::pair<const AvroType*, const AvroType*>> open_;
};

}  // namespace

std::vector<Incompatibility> CheckAvro(const AvroType& reader, const AvroType& writer,
                                       const std::string& reader_name,
                                       const std::string& writer_name) {
  std::vector<Incompatibility> found;
  Checker(reader_name, writer_name).Check(reader, writer, "", found);
  return found;
}

}  // namespace millrace::registry
