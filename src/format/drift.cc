#include "format/drift.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "format/column_type.h"
#include "format/decoder.h"

namespace millrace::format {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;

namespace {

constexpr size_t kFieldsMax = 256;
constexpr const char* kOthers = "(others)";
constexpr const char* kOption = ".schema-drift";

bool IsScalar(const LogicalType& type) {
  return !type.IsNested();
}

std::string Quoted(const std::string& name) {
  return "`" + name + "`";
}

// With the fields of both, in the order of `a`.
std::optional<LogicalType> WiderStruct(const LogicalType& a, const LogicalType& b) {
  auto fields = duckdb::StructType::GetChildTypes(a);
  for (const auto& [name, type] : duckdb::StructType::GetChildTypes(b)) {
    bool found = false;
    for (auto& [known, known_type] : fields) {
      if (known != name) continue;
      auto wider = WiderType(known_type, type);
      if (!wider) return std::nullopt;
      known_type = *wider;
      found = true;
    }
    if (!found) fields.emplace_back(name, type);
  }
  return LogicalType::STRUCT(std::move(fields));
}

}  // namespace

model::OptionSpec DriftSpec(std::string_view format) {
  return {.name = std::string(format) + kOption,
          .type = model::OptionType::kEnum,
          .doc =
              "what becomes of a record with a field that the table does "
              "not declare: ignore "
              "(the field is passed over and counted), add-column (and it "
              "is a column from the "
              "next start on), dead-letter, fail (the job stops; also at a "
              "value that is not of "
              "its column's type, which otherwise is a dead letter)",
          .default_value = "ignore",
          .choices = {"ignore", "add-column", "dead-letter", "fail"}};
}

DriftPolicy DriftPolicyOf(std::string_view format,
                          const std::map<std::string, std::string>& options) {
  auto given = options.find(std::string(format) + kOption);
  if (given == options.end()) return DriftPolicy::kIgnore;
  const std::string policy = ToLower(given->second);
  if (policy == "fail") return DriftPolicy::kFail;
  if (policy == "dead-letter") return DriftPolicy::kDeadLetter;
  return policy == "add-column" ? DriftPolicy::kAddColumn : DriftPolicy::kIgnore;
}

void FieldDrift::Widen(const std::optional<LogicalType>& of_value) {
  if (!of_value || mixed) return;
  type = type ? WiderType(*type, *of_value) : of_value;
  mixed = !type;
}

std::string FieldDrift::Reason() const {
  std::string reason = fmt::format("the table does not declare the field \"{}\"", field);
  if (!type) return reason;
  const size_t name = field.find_last_of(".}") + 1;
  const std::string column = Quoted(field.substr(name));
  return reason +
         (name == 0 ? "; its line in CREATE TABLE would be: "
                    : "; its place in the ROW would be: ") +
         column + " " + DeclaredType(*type);
}

FieldDrift& DriftList::Entry(std::string_view field) {
  auto known = by_name_.find(std::string(field));
  if (known != by_name_.end()) return *known->second;
  if (fields_.size() >= kFieldsMax) {
    if (fields_.size() == kFieldsMax) fields_.push_back({.field = kOthers, .mixed = true});
    return fields_.back();
  }
  fields_.push_back({.field = std::string(field)});
  by_name_.emplace(field, &fields_.back());
  return fields_.back();
}

const DriftList* DriftOf(const Decoder& decoder) {
  const auto* source = dynamic_cast<const DriftSource*>(&decoder);
  return source == nullptr ? nullptr : source->drift();
}

std::optional<LogicalType> WiderType(const LogicalType& a, const LogicalType& b) {
  if (a == b) return a;
  if (a.id() == LogicalTypeId::LIST && b.id() == LogicalTypeId::LIST) {
    auto element = WiderType(duckdb::ListType::GetChildType(a), duckdb::ListType::GetChildType(b));
    return element ? std::optional(LogicalType::LIST(*element)) : std::nullopt;
  }
  if (a.id() == LogicalTypeId::STRUCT && b.id() == LogicalTypeId::STRUCT) return WiderStruct(a, b);
  if (!IsScalar(a) || !IsScalar(b)) return std::nullopt;
  if (a.IsIntegral() && b.IsIntegral()) return LogicalType::BIGINT;
  return a.IsNumeric() && b.IsNumeric() ? LogicalType::DOUBLE : LogicalType::VARCHAR;
}

std::string DeclaredType(const LogicalType& type) {
  if (type.id() == LogicalTypeId::LIST) {
    return fmt::format("ARRAY<{}>", DeclaredType(duckdb::ListType::GetChildType(type)));
  }
  if (type.id() == LogicalTypeId::MAP) {
    return fmt::format("MAP<{}, {}>", DeclaredType(duckdb::MapType::KeyType(type)),
                       DeclaredType(duckdb::MapType::ValueType(type)));
  }
  if (type.id() == LogicalTypeId::STRUCT) {
    std::vector<std::string> fields;
    for (const auto& [name, field] : duckdb::StructType::GetChildTypes(type)) {
      fields.push_back(Quoted(name) + " " + DeclaredType(field));
    }
    return "ROW<" + Join(fields, ", ") + ">";
  }
  auto column = MakeColumnType(type);
  return column.ok() ? TypeName(*column) : type.ToString();
}

}  // namespace millrace::format
