#include "format/json_schema/json_schema.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>

#include "base/strings.h"

namespace millrace::format {

using Json = simdjson::dom::element;
using Object = simdjson::dom::object;
using Kind = JsonSchemaNode::Kind;
using Node = const JsonSchemaNode*;

namespace {

constexpr const char* kStringKeywords[] = {"minLength", "maxLength", "pattern"};
constexpr const char* kNumberKeywords[] = {"minimum", "maximum", "exclusiveMinimum",
                                           "exclusiveMaximum", "multipleOf"};
constexpr const char* kArrayKeywords[] = {"items",    "additionalItems", "prefixItems",
                                          "minItems", "maxItems",        "uniqueItems",
                                          "contains", "unevaluatedItems"};
constexpr const char* kObjectKeywords[] = {
    "properties",    "additionalProperties", "patternProperties",    "required",
    "minProperties", "maxProperties",        "dependencies",         "dependentRequired",
    "propertyNames", "dependentSchemas",     "unevaluatedProperties"};

std::vector<const char*> LimitsOf(Kind kind) {
  switch (kind) {
    case Kind::kString:
      return {"minLength", "maxLength"};
    case Kind::kNumber:
      return {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};
    case Kind::kArray:
      return {"minItems", "maxItems", "minContains", "maxContains"};
    default:
      return {"minProperties", "maxProperties"};
  }
}

bool Has(const Object& object, const char* key) {
  return object[key].error() == simdjson::SUCCESS;
}

template <size_t n>
bool HasAny(const Object& object, const char* const (&keys)[n]) {
  return std::any_of(std::begin(keys), std::end(keys),
                     [&](const char* key) { return Has(object, key); });
}

std::string TextOf(const Object& object, const char* key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

// A name as a part of a JSON pointer.
std::string Token(std::string_view name) {
  std::string token;
  for (const char c : name) token += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return token;
}

// `%25` in the fragment of a URI is `%`.
std::string Unescaped(std::string_view uri) {
  std::string text;
  for (size_t i = 0; i < uri.size(); i++) {
    int byte = 0;
    const char* hex = uri.data() + i + 1;
    if (uri[i] == '%' && i + 2 < uri.size() &&
        std::from_chars(hex, hex + 2, byte, 16).ptr == hex + 2) {
      text += static_cast<char>(byte);
      i += 2;
    } else {
      text += uri[i];
    }
  }
  return text;
}

}  // namespace

class JsonSchemaLoader {
 public:
  explicit JsonSchemaLoader(JsonSchema& schema) : schema_(schema) {}

  Status Load(std::string_view text, const std::vector<NamedSchema>& references) {
    documents_.resize(references.size() + 1);
    MR_RETURN_IF_ERROR(Open(documents_[0], "", text));
    for (size_t i = 0; i < references.size(); i++) {
      MR_RETURN_IF_ERROR(Open(documents_[i + 1], references[i].name, references[i].text));
    }
    schema_.root_ = NodeAt({&documents_[0], ""}, documents_[0].root);
    return status_;
  }

 private:
  struct Document {
    std::string name;
    std::string id;            // $id, without the fragment
    bool unevaluated = false;  // of a draft that knows `unevaluated…`, and keywords beside $ref
    simdjson::dom::parser parser;
    Json root;
  };
  struct Place {
    Document* document;
    std::string pointer;
    bool operator<(const Place& other) const {
      return std::tie(document, pointer) < std::tie(other.document, other.pointer);
    }
    Place Below(const std::string& more) const { return {document, pointer + "/" + more}; }
  };

  static Status Open(Document& document, const std::string& name, std::string_view text) {
    document.name = name;
    const auto error = document.parser.parse(text.data(), text.size()).get(document.root);
    if (error != simdjson::SUCCESS) {
      return Status(Code::kInvalidArgument,
                    std::string("not valid JSON: ") + ToLower(simdjson::error_message(error)));
    }
    Object object;
    if (document.root.get(object) != simdjson::SUCCESS) return {};
    const std::string draft = TextOf(object, "$schema");
    document.unevaluated = draft.find("/draft/20") != std::string::npos;
    document.id = TextOf(object, Has(object, "$id") ? "$id" : "id");
    document.id = document.id.substr(0, document.id.find('#'));
    return {};
  }

  // The first fault counts; the node of a faulty schema allows anything.
  void Fail(const Place& at, const std::string& message) {
    if (!status_.ok()) return;
    const std::string in =
        at.document->name.empty() ? "" : fmt::format("in \"{}\": ", at.document->name);
    status_ = Status(Code::kInvalidArgument, fmt::format("{}{} (at {})", in, message,
                                                         at.pointer.empty() ? "/" : at.pointer));
  }

  JsonSchemaNode* New(Kind kind) {
    schema_.nodes_.push_back(std::make_unique<JsonSchemaNode>());
    schema_.nodes_.back()->kind = kind;
    return schema_.nodes_.back().get();
  }

  // One node for each place, known before it is filled: what it holds may lead back to it.
  Node NodeAt(const Place& at, Json json) {
    if (auto known = known_.find(at); known != known_.end()) return known->second;
    JsonSchemaNode* node = New(Kind::kAny);
    known_[at] = node;
    if (depth_ == kDepthMax) {
      Fail(at, "schemas are nested, or refer to each other, too deeply");
      return node;
    }
    depth_++;
    Fill(*node, at, json);
    depth_--;
    return node;
  }

  void Fill(JsonSchemaNode& node, const Place& at, Json json) {
    node.text = simdjson::minify(json);
    bool allowed = false;
    if (json.get(allowed) == simdjson::SUCCESS) {
      node.kind = allowed ? Kind::kAny : Kind::kNever;
      return;
    }
    Object object;
    if (json.get(object) != simdjson::SUCCESS) {
      return Fail(at, "a schema is an object, true or false");
    }
    node.has_default = Has(object, "default");
    std::vector<JsonSchemaNode*> said = Reference(at, object);
    if (said.empty() || at.document->unevaluated) AddKeywords(at, object, said);
    if (said.size() == 1) {
      const std::string text = std::move(node.text);
      const bool has_default = node.has_default;
      node = std::move(*said[0]);
      node.text = text;
      node.has_default = has_default;
    } else if (!said.empty()) {
      node.kind = Kind::kAllOf;
      for (JsonSchemaNode* one : said) {
        if (one->text.empty()) one->text = fmt::format("{}:{}", node.parts.size(), node.text);
        node.parts.push_back(one);
      }
    }
  }

  std::vector<JsonSchemaNode*> Reference(const Place& at, const Object& object) {
    std::string_view reference;
    if (object["$ref"].get(reference) != simdjson::SUCCESS) return {};
    JsonSchemaNode* node = New(Kind::kReference);
    node->text = fmt::format(R"({{"$ref":{}}})", JsonQuote(reference));
    node->parts.push_back(Follow(at, std::string(reference)));
    return {node};
  }

  Node Follow(const Place& at, const std::string& reference) {
    const size_t hash = reference.find('#');
    const std::string uri = reference.substr(0, hash);
    const std::string fragment =
        hash == std::string::npos ? "" : Unescaped(reference.substr(hash + 1));
    if (uri.starts_with("http://json-schema.org/") || uri.starts_with("https://json-schema.org/")) {
      return New(Kind::kAny);
    }
    Document* document = uri.empty() ? at.document : FindDocument(*at.document, uri);
    Json json;
    if (document != nullptr) {
      if (fragment.empty() || fragment[0] == '/') {
        if (document->root.at_pointer(fragment).get(json) == simdjson::SUCCESS) {
          return NodeAt({document, fragment}, json);
        }
      } else if (FindAnchor(document->root, fragment, json)) {
        return NodeAt({document, "#" + fragment}, json);
      }
    }
    Fail(at, fmt::format("it refers to \"{}\", which is not there", reference));
    return New(Kind::kAny);
  }

  // By name or $id, as it stands or beside the document that refers to it.
  Document* FindDocument(const Document& from, const std::string& uri) {
    const size_t slash = from.id.rfind('/');
    const std::string beside =
        slash == std::string::npos ? uri : from.id.substr(0, slash + 1) + uri;
    for (Document& document : documents_) {
      for (const std::string& name : {uri, beside}) {
        if (document.id == name || document.name == name) return &document;
      }
    }
    return nullptr;
  }

  static bool FindAnchor(Json json, const std::string& anchor, Json& found) {
    Object object;
    if (json.get(object) == simdjson::SUCCESS) {
      if (TextOf(object, "$anchor") == anchor || TextOf(object, "$id") == "#" + anchor) {
        found = json;
        return true;
      }
      for (auto [key, value] : object) {
        if (FindAnchor(value, anchor, found)) return true;
      }
    }
    simdjson::dom::array array;
    if (json.get(array) != simdjson::SUCCESS) return false;
    for (Json value : array) {
      if (FindAnchor(value, anchor, found)) return true;
    }
    return false;
  }

  // One node for each thing that the schema says.
  void AddKeywords(const Place& at, const Object& object, std::vector<JsonSchemaNode*>& said) {
    Json json;
    if (object["const"].get(json) == simdjson::SUCCESS) {
      said.push_back(New(Kind::kConst));
      said.back()->values.insert(simdjson::minify(json));
    }
    simdjson::dom::array array;
    if (object["enum"].get(array) == simdjson::SUCCESS) {
      said.push_back(New(Kind::kEnum));
      for (Json value : array) said.back()->values.insert(simdjson::minify(value));
    }
    if (object["type"].get(json) == simdjson::SUCCESS) {
      AddTypes(at, object, json, said);
    } else {
      if (HasAny(object, kStringKeywords)) said.push_back(Untyped(at, object, Kind::kString));
      if (HasAny(object, kNumberKeywords)) said.push_back(Untyped(at, object, Kind::kNumber));
      if (HasAny(object, kArrayKeywords)) said.push_back(Untyped(at, object, Kind::kArray));
      if (HasAny(object, kObjectKeywords)) said.push_back(Untyped(at, object, Kind::kObject));
    }
    AddCombined(at, object, "allOf", Kind::kAllOf, said);
    AddCombined(at, object, "anyOf", Kind::kAnyOf, said);
    AddCombined(at, object, "oneOf", Kind::kOneOf, said);
    if (object["not"].get(json) == simdjson::SUCCESS) {
      said.push_back(New(Kind::kNot));
      said.back()->parts.push_back(NodeAt(at.Below("not"), json));
    }
    if (Has(object, "if")) said.push_back(New(Kind::kConditional));
  }

  void AddTypes(const Place& at, const Object& object, Json type,
                std::vector<JsonSchemaNode*>& said) {
    std::string_view name;
    if (type.get(name) == simdjson::SUCCESS) {
      said.push_back(OfType(at, object, name));
      return;
    }
    simdjson::dom::array names;
    if (type.get(names) != simdjson::SUCCESS) return Fail(at, "\"type\" is no name of a type");
    JsonSchemaNode* sum = New(Kind::kAnyOf);
    for (Json one : names) {
      if (one.get(name) != simdjson::SUCCESS) return Fail(at, "\"type\" is no list of names");
      JsonSchemaNode* part = OfType(at, object, name);
      part->text = name;
      sum->parts.push_back(part);
    }
    said.push_back(sum);
  }

  JsonSchemaNode* OfType(const Place& at, const Object& object, std::string_view name) {
    if (name == "string") return Typed(at, object, Kind::kString);
    if (name == "object") return Typed(at, object, Kind::kObject);
    if (name == "array") return Typed(at, object, Kind::kArray);
    if (name == "boolean") return New(Kind::kBoolean);
    if (name == "null") return New(Kind::kNull);
    if (name != "number" && name != "integer") {
      Fail(at, fmt::format("\"{}\" is no type; one of: array, boolean, integer, null, number, "
                           "object, string",
                           name));
    }
    JsonSchemaNode* number = Typed(at, object, Kind::kNumber);
    number->integer = name == "integer";
    return number;
  }

  void AddCombined(const Place& at, const Object& object, const char* keyword, Kind kind,
                   std::vector<JsonSchemaNode*>& said) {
    simdjson::dom::array parts;
    if (object[keyword].get(parts) != simdjson::SUCCESS) return;
    JsonSchemaNode* node = New(kind);
    for (Json part : parts) {
      node->parts.push_back(
          NodeAt(at.Below(fmt::format("{}/{}", keyword, node->parts.size())), part));
    }
    said.push_back(node);
  }

  JsonSchemaNode* Untyped(const Place& at, const Object& object, Kind kind) {
    JsonSchemaNode* node = Typed(at, object, kind);
    node->typed = false;
    return node;
  }

  JsonSchemaNode* Typed(const Place& at, const Object& object, Kind kind) {
    JsonSchemaNode* node = New(kind);
    for (const char* keyword : LimitsOf(kind)) {
      double value = 0;
      if (object[keyword].get(value) == simdjson::SUCCESS) node->limits[keyword] = value;
    }
    // Draft 4: `exclusiveMaximum` says whether `maximum` is.
    for (const auto& [limit, exclusive] :
         {std::pair{"maximum", "exclusiveMaximum"}, std::pair{"minimum", "exclusiveMinimum"}}) {
      bool is_exclusive = false;
      if (object[exclusive].get(is_exclusive) != simdjson::SUCCESS || !is_exclusive) continue;
      if (auto entry = node->limits.extract(limit)) {
        entry.key() = exclusive;
        node->limits.insert(std::move(entry));
      }
    }
    std::string_view pattern;
    if (kind == Kind::kString && object["pattern"].get(pattern) == simdjson::SUCCESS) {
      node->pattern = pattern;
    }
    double multiple = 0;
    if (kind == Kind::kNumber && object["multipleOf"].get(multiple) == simdjson::SUCCESS) {
      node->multiple_of = multiple;
    }
    if (kind == Kind::kArray) FillArray(*node, at, object);
    if (kind == Kind::kObject) FillObject(*node, at, object);
    return node;
  }

  // Null where the keyword is not there, or true.
  Node Rest(const Place& at, const Object& object, const char* keyword) {
    Json json;
    if (object[keyword].get(json) != simdjson::SUCCESS) return nullptr;
    bool anything = false;
    if (json.get(anything) == simdjson::SUCCESS && anything) return nullptr;
    return NodeAt(at.Below(keyword), json);
  }

  void FillArray(JsonSchemaNode& node, const Place& at, const Object& object) {
    bool unique = false;
    node.unique_items = object["uniqueItems"].get(unique) == simdjson::SUCCESS && unique;
    const bool prefix = Has(object, "prefixItems");
    const char* first = prefix ? "prefixItems" : "items";
    simdjson::dom::array items;
    if (object[first].get(items) == simdjson::SUCCESS) {
      for (Json item : items) {
        node.parts.push_back(
            NodeAt(at.Below(fmt::format("{}/{}", first, node.parts.size())), item));
      }
      node.additional = Rest(at, object, prefix ? "items" : "additionalItems");
    } else {
      Json json;
      if (object["items"].get(json) == simdjson::SUCCESS) {
        node.items = NodeAt(at.Below("items"), json);
      }
      node.additional = Rest(at, object, "additionalItems");
    }
    if (at.document->unevaluated) node.unevaluated = Rest(at, object, "unevaluatedItems");
  }

  void FillObject(JsonSchemaNode& node, const Place& at, const Object& object) {
    Object schemas;
    if (object["properties"].get(schemas) == simdjson::SUCCESS) {
      for (auto [name, json] : schemas) {
        node.properties[std::string(name)] = NodeAt(at.Below("properties/" + Token(name)), json);
      }
    }
    if (object["patternProperties"].get(schemas) == simdjson::SUCCESS) {
      for (auto [pattern, json] : schemas) {
        node.pattern_properties.emplace_back(
            pattern, NodeAt(at.Below("patternProperties/" + Token(pattern)), json));
      }
    }
    Json required;
    if (object["required"].get(required) == simdjson::SUCCESS) node.required = Names(required);
    node.additional = Rest(at, object, "additionalProperties");
    if (at.document->unevaluated) node.unevaluated = Rest(at, object, "unevaluatedProperties");
    for (const char* keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
      if (object[keyword].get(schemas) != simdjson::SUCCESS) continue;
      for (auto [name, json] : schemas) {
        if (json.is_array()) {
          node.required_with[std::string(name)] = Names(json);
        } else {
          node.schema_with[std::string(name)] =
              NodeAt(at.Below(fmt::format("{}/{}", keyword, Token(name))), json);
        }
      }
    }
  }

  static std::set<std::string> Names(Json json) {
    std::set<std::string> names;
    simdjson::dom::array array;
    if (json.get(array) != simdjson::SUCCESS) return names;
    for (Json one : array) {
      std::string_view name;
      if (one.get(name) == simdjson::SUCCESS) names.emplace(name);
    }
    return names;
  }

  static constexpr int kDepthMax = 1000;

  JsonSchema& schema_;
  int depth_ = 0;
  std::vector<Document> documents_;
  std::map<Place, Node> known_;
  Status status_;
};

bool JsonSchemaNode::combined() const {
  return kind == Kind::kAllOf || kind == Kind::kAnyOf || kind == Kind::kOneOf;
}

Result<std::shared_ptr<const JsonSchema>> JsonSchema::Parse(
    std::string_view text, const std::vector<NamedSchema>& references) {
  std::shared_ptr<JsonSchema> schema(new JsonSchema());
  MR_RETURN_IF_ERROR(JsonSchemaLoader(*schema).Load(text, references));
  return std::shared_ptr<const JsonSchema>(std::move(schema));
}

const JsonSchemaNode& Resolved(const JsonSchemaNode& node) {
  static const JsonSchemaNode kAnything;
  const JsonSchemaNode* at = &node;
  for (std::set<const JsonSchemaNode*> seen; at->kind == Kind::kReference; at = at->parts[0]) {
    if (!seen.insert(at).second) return kAnything;
  }
  return *at;
}

}  // namespace millrace::format
