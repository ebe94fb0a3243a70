// AvroSchema: an Avro schema, parsed and checked.
//
// Contract: immutable once parsed; types may refer to each other in circles, so they are plain
// pointers into the schema that owns them and live as long as it does.
//
// Source: Apache Avro 1.11 specification, "Schema Declaration", "Names", "Logical Types". A logical
// type that is unknown, or that does not fit the type it stands on, is passed over, as the
// specification says.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/schema_registry.h"

namespace millrace::format {

enum class AvroKind : uint8_t {
  kNull,
  kBoolean,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kBytes,
  kString,
  kRecord,
  kEnum,
  kArray,
  kMap,
  kUnion,
  kFixed,
};

enum class AvroLogical : uint8_t {
  kNone,
  kDecimal,
  kUuid,
  kDate,
  kTimeMillis,
  kTimeMicros,
  kTimestampMillis,
  kTimestampMicros,
  kLocalTimestampMillis,
  kLocalTimestampMicros,
};

struct AvroType;

struct AvroField {
  std::string name;
  std::vector<std::string> aliases = {};
  const AvroType* type = nullptr;
  // The field's default, as it would be encoded; none: readers must find the field.
  std::optional<std::string> default_bytes = {};
};

struct AvroType {
  AvroKind kind = AvroKind::kNull;
  AvroLogical logical = AvroLogical::kNone;
  int precision = 0;                               // kDecimal
  int scale = 0;                                   // kDecimal
  std::string name = {};                           // record, enum, fixed: with its namespace
  std::vector<std::string> aliases = {};           // record, enum, fixed: with their namespaces
  std::vector<AvroField> fields = {};              // record
  std::vector<std::string> symbols = {};           // enum
  std::optional<std::string> default_symbol = {};  // enum
  int64_t size = 0;                                // fixed: bytes
  // union: its branches; array: its elements' type; map: its values'.
  std::vector<const AvroType*> parts = {};

  bool named() const;
  // "int", "record \"shop.Order\""
  std::string Describe() const;
};

const char* AvroKindName(AvroKind kind);
// A name without its namespace.
std::string_view AvroShortName(std::string_view full_name);
const AvroField* FindAvroField(const AvroType& record, std::string_view name);

class AvroSchema {
 public:
  // `references`: schemas whose named types `text` may use, each after those that it uses itself.
  // Errors: kInvalidArgument, saying what is wrong and where ("at fields/2/type").
  static Result<std::shared_ptr<const AvroSchema>> Parse(
      std::string_view text, const std::vector<NamedSchema>& references = {});

  const AvroType& root() const { return *root_; }

 private:
  friend class AvroSchemaParser;
  AvroSchema() = default;

  std::vector<std::unique_ptr<AvroType>> types_;
  const AvroType* root_ = nullptr;
};

}  // namespace millrace::format
