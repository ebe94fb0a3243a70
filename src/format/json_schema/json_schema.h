// JsonSchema: a JSON Schema taken apart into the kinds of values that it allows, to compare it
// (registry/json_compatibility.h) and to check documents with it
// (format/json_schema/json_validator.h).
//
// A schema that says several things (a type and an enum, `properties` and `allOf`) is the product
// (allOf) of them; a list of types their sum (anyOf). So every node says one thing.
//
// Known are the keywords of drafts 4 to 2020-12; without $schema a schema is draft 7's, where
// `unevaluated…` means nothing. `$ref` leads within the schema, to a reference's name or `$id`.
// `contains`, `propertyNames`, `format` and the insides of `if` are not looked at.
//
// Source: JSON Schema 2020-12 and its predecessors, json-schema.org/specification.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "format/schema_registry.h"

namespace millrace::format {

struct JsonSchemaNode {
  enum class Kind {
    kAny,    // true, {}
    kNever,  // false
    kString,
    kNumber,
    kBoolean,
    kNull,
    kObject,
    kArray,
    kConst,
    kEnum,
    kConditional,  // if, then, else
    kAllOf,
    kAnyOf,
    kOneOf,
    kNot,
    kReference,
  };
  Kind kind = Kind::kAny;
  std::string text = {};  // the schema, without white space
  bool has_default = false;
  bool typed = true;  // false: only its keywords say the type, so it allows values of any other

  // Of any kind: "maxLength", "minimum", "minItems", "maxContains" … and their values.
  std::map<std::string, double> limits = {};
  std::optional<std::string> pattern = {};
  std::optional<double> multiple_of = {};
  bool integer = false;       // kNumber
  bool unique_items = false;  // kArray

  // kConst (one), kEnum: JSON without white space.
  std::set<std::string> values = {};
  // kAllOf, kAnyOf, kOneOf; kNot, kReference: one. kArray: of the first items.
  std::vector<const JsonSchemaNode*> parts = {};

  // kObject, kArray: what else there may be. Null: anything (additionalProperties: true).
  const JsonSchemaNode* additional = nullptr;
  const JsonSchemaNode* unevaluated = nullptr;
  const JsonSchemaNode* items = nullptr;  // kArray: of all items; null: anything

  // kObject.
  std::map<std::string, const JsonSchemaNode*> properties = {};
  std::vector<std::pair<std::string, const JsonSchemaNode*>> pattern_properties = {};
  std::set<std::string> required = {};
  std::map<std::string, std::set<std::string>> required_with = {};  // dependentRequired
  std::map<std::string, const JsonSchemaNode*> schema_with = {};    // dependentSchemas
  bool combined() const;
};

class JsonSchema {
 public:
  // Errors: kInvalidArgument for what is no JSON Schema and for a `$ref` that leads nowhere, saying
  // where ("at /properties/price").
  static Result<std::shared_ptr<const JsonSchema>> Parse(
      std::string_view text, const std::vector<NamedSchema>& references = {});

  const JsonSchemaNode& root() const { return *root_; }

 private:
  friend class JsonSchemaLoader;
  JsonSchema() = default;

  std::vector<std::unique_ptr<JsonSchemaNode>> nodes_;
  const JsonSchemaNode* root_ = nullptr;
};

// Where a reference leads in the end; a reference that leads to itself allows anything.
const JsonSchemaNode& Resolved(const JsonSchemaNode& node);

}  // namespace millrace::format
