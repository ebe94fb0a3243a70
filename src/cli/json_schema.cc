#include "cli/json_schema.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <set>
#include <vector>

#include "base/strings.h"

namespace millrace::cli {

namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr int kDepthMax = 32;  // a schema may refer to itself

std::string Quoted(const std::string& name) {
  std::string out = "`";
  for (char c : name) out += c == '`' ? std::string("``") : std::string(1, c);
  return out + "`";
}

std::string NumberText(element value) {
  return simdjson::minify(value);
}

// A value of enum or const as SQL; "" for what is no scalar.
std::string Literal(element value) {
  std::string_view text;
  if (!value.get(text)) return QuoteLiteral(text);
  if (value.is_bool()) return bool(value) ? "TRUE" : "FALSE";
  return value.is_number() ? NumberText(value) : "";
}

std::string TextOf(const object& schema, const char* key) {
  std::string_view text;
  return schema[key].get_string().get(text) ? "" : std::string(text);
}

class TableWriter {
 public:
  TableWriter(object root, std::string table) : root_(root), table_(std::move(table)) {}

  Result<std::string> Write() {
    MR_ASSIGN_OR_RETURN(object top, Resolve(root_));
    object properties;
    if (top["properties"].get_object().get(properties)) {
      return Status(Code::kBadOption, "the schema has no \"properties\"")
          .WithHint("it must describe a JSON object");
    }
    NoteUnknown(top, "", {"type", "properties", "required"});
    std::set<std::string> required = Required(top);
    for (auto field : properties) {
      std::string name(field.key);
      MR_ASSIGN_OR_RETURN(Column column, ColumnOf(field.value, name, 0));
      bool not_null = required.count(name) > 0 && !column.nullable;
      lines_.push_back(
          fmt::format("  {} {}{}", Quoted(name), column.type, not_null ? " NOT NULL" : ""));
      MR_RETURN_IF_ERROR(AddChecks(column.schema, name));
    }
    lines_.insert(lines_.end(), checks_.begin(), checks_.end());
    std::string out = fmt::format(
        "CREATE TABLE {} (\n{}\n) WITH (\n  'connector' = 'kafka',\n"
        "  'topic' = {},\n  'properties.bootstrap.servers' = 'embedded',\n"
        "  'scan.startup.mode' = 'earliest-offset',\n  'format' = 'json'\n);\n",
        Quoted(table_), Join(lines_, ",\n"), QuoteLiteral(table_));
    for (const std::string& note : notes_) out += "-- not carried over: " + note + "\n";
    return out;
  }

 private:
  struct Column {
    std::string type;
    bool nullable = false;
    object schema;  // what it refers to, resolved
  };

  Result<object> Resolve(object schema) {
    for (int depth = 0; depth < kDepthMax; depth++) {
      std::string reference = TextOf(schema, "$ref");
      if (reference.empty()) return schema;
      element target;
      if (reference.rfind('#', 0) != 0 || root_.at_pointer(reference.substr(1)).get(target) ||
          target.get(schema)) {
        return Status(Code::kBadOption, fmt::format("\"$ref\": \"{}\" leads nowhere", reference))
            .WithHint("references must be within the file: #/$defs/name");
      }
    }
    return Status(Code::kBadOption, "a \"$ref\" refers to itself");
  }

  static std::set<std::string> Required(const object& schema) {
    std::set<std::string> names;
    array list;
    if (schema["required"].get_array().get(list)) return names;
    for (element one : list) {
      std::string_view name;
      if (!one.get(name)) names.emplace(name);
    }
    return names;
  }

  void NoteUnknown(const object& schema, const std::string& name, std::set<std::string> known) {
    known.insert({"$schema", "$id", "$defs", "$ref", "definitions", "title", "description",
                  "default", "examples", "$comment"});
    for (auto field : schema) {
      std::string key(field.key);
      if (known.count(key) == 0) {
        notes_.push_back(name.empty() ? key : fmt::format("{} of {}", key, name));
      }
    }
  }

  // {"anyOf": [X, {"type": "null"}]} is X that may be null.
  Result<object> WithoutNull(object schema, bool& nullable) {
    for (const char* key : {"anyOf", "oneOf"}) {
      array choices;
      if (schema[key].get_array().get(choices) || choices.size() != 2) continue;
      for (size_t i = 0; i < 2; i++) {
        object one, other;
        if (choices.at(i).get_object().get(one) || choices.at(1 - i).get_object().get(other)) break;
        if (TextOf(one, "type") != "null") continue;
        nullable = true;
        return Resolve(other);
      }
    }
    return schema;
  }

  Result<Column> ColumnOf(element value, const std::string& name, int depth) {
    if (depth > kDepthMax) {
      return Status(Code::kBadOption, fmt::format("\"{}\" contains itself", name));
    }
    Column column;
    object schema;
    if (value.get(schema)) {
      column.type = "STRING";
      notes_.push_back("what " + name + " is: its schema is no object");
      return column;
    }
    // What stands beside a reference or a choice is not looked at.
    if (!TextOf(schema, "$ref").empty()) NoteUnknown(schema, name, {});
    MR_ASSIGN_OR_RETURN(schema, Resolve(schema));
    MR_ASSIGN_OR_RETURN(column.schema, WithoutNull(schema, column.nullable));
    if (column.nullable) NoteUnknown(schema, name, {"anyOf", "oneOf"});
    std::string type = TextOf(column.schema, "type");
    array types;
    if (!column.schema["type"].get_array().get(types)) {
      for (element one : types) {
        std::string_view text;
        if (one.get(text)) continue;
        if (text == "null") {
          column.nullable = true;
        } else if (type.empty()) {
          type = std::string(text);
        } else {
          notes_.push_back(fmt::format("type \"{}\" of {}", text, name));
        }
      }
    }
    MR_ASSIGN_OR_RETURN(column.type, TypeOf(column.schema, type, name, depth));
    NoteUnknown(column.schema, name, Known(type, depth));
    return column;
  }

  // Keywords that TypeOf and AddChecks carry over. Inside of others nothing is checked.
  static std::set<std::string> Known(const std::string& type, int depth) {
    if (depth > 0) return {"type", "properties", "items", "format"};
    std::set<std::string> known = {"type", "enum", "const"};
    if (type == "object") known.insert("properties");
    if (type == "array") known.insert("items");
    if (type == "string") known.insert({"format", "minLength", "maxLength", "pattern"});
    if (type == "integer" || type == "number") {
      known.insert({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"});
    }
    return known;
  }

  Result<std::string> TypeOf(const object& schema, const std::string& type, const std::string& name,
                             int depth) {
    if (type == "integer") return std::string("BIGINT");
    if (type == "number") return std::string("DOUBLE");
    if (type == "boolean") return std::string("BOOLEAN");
    if (type == "array") {
      element items;
      if (schema["items"].get(items)) return std::string("ARRAY<STRING>");
      MR_ASSIGN_OR_RETURN(Column inner, ColumnOf(items, name + "[]", depth + 1));
      return "ARRAY<" + inner.type + ">";
    }
    object properties;
    if (type == "object" && !schema["properties"].get_object().get(properties)) {
      std::vector<std::string> fields;
      for (auto field : properties) {
        std::string inner_name(field.key);
        MR_ASSIGN_OR_RETURN(Column inner,
                            ColumnOf(field.value, name + "." + inner_name, depth + 1));
        fields.push_back(Quoted(inner_name) + " " + inner.type);
      }
      return "ROW<" + Join(fields, ", ") + ">";
    }
    if (type != "string") {
      notes_.push_back(
          fmt::format("what {} is{}", name, type.empty() ? "" : " (\"" + type + "\")"));
      return std::string("STRING");
    }
    std::string format = TextOf(schema, "format");
    if (format == "date-time") return std::string("TIMESTAMP(3)");
    if (format == "date") return std::string("DATE");
    if (format == "time") return std::string("TIME");
    if (!format.empty()) notes_.push_back(fmt::format("format \"{}\" of {}", format, name));
    return std::string("STRING");
  }

  void Check(const std::string& name, const char* what, const std::string& condition) {
    std::string label = ToLower(name) + "_" + what;
    for (char& c : label) {
      if (!isalnum(static_cast<unsigned char>(c))) c = '_';
    }
    checks_.push_back(fmt::format("  CONSTRAINT {} CHECK ({})", Quoted(label), condition));
  }

  Status AddChecks(const object& schema, const std::string& name) {
    const std::string column = Quoted(name);
    element value;
    const std::pair<const char*, const char*> kBounds[] = {
        {"minimum", ">="}, {"maximum", "<="}, {"exclusiveMinimum", ">"}, {"exclusiveMaximum", "<"}};
    for (const auto& [key, sign] : kBounds) {
      if (schema[key].get(value)) continue;
      if (value.is_number()) {
        Check(name, key, fmt::format("{} {} {}", column, sign, NumberText(value)));
      } else {
        notes_.push_back(fmt::format("{} of {}", key, name));  // draft 4's boolean
      }
    }
    if (!schema["multipleOf"].get(value)) {
      Check(name, "multipleOf", fmt::format("MOD({}, {}) = 0", column, NumberText(value)));
    }
    if (!schema["minLength"].get(value)) {
      Check(name, "minLength", fmt::format("CHAR_LENGTH({}) >= {}", column, NumberText(value)));
    }
    if (!schema["maxLength"].get(value)) {
      Check(name, "maxLength", fmt::format("CHAR_LENGTH({}) <= {}", column, NumberText(value)));
    }
    if (std::string pattern = TextOf(schema, "pattern"); !pattern.empty()) {
      Check(name, "pattern", fmt::format("REGEXP({}, {})", column, QuoteLiteral(pattern)));
    }
    std::vector<std::string> allowed;
    array list;
    if (!schema["enum"].get_array().get(list)) {
      for (element one : list) {
        if (!one.is_null()) allowed.push_back(Literal(one));
      }
    } else if (!schema["const"].get(value)) {
      allowed.push_back(Literal(value));
    }
    if (std::find(allowed.begin(), allowed.end(), "") != allowed.end()) {
      notes_.push_back("enum of " + name);
    } else if (!allowed.empty()) {
      Check(name, "known", fmt::format("{} IN ({})", column, Join(allowed, ", ")));
    }
    return Status::Ok();
  }

  object root_;
  std::string table_;
  std::vector<std::string> lines_;
  std::vector<std::string> checks_;
  std::vector<std::string> notes_;
};

}  // namespace

Result<std::string> TableFromJsonSchema(const std::string& schema_json, const std::string& table) {
  simdjson::dom::parser parser;
  object root;
  if (auto error = parser.parse(schema_json).get_object().get(root)) {
    return Status(Code::kSyntax,
                  fmt::format("not a JSON Schema: {}", ToLower(simdjson::error_message(error))));
  }
  return TableWriter(root, table).Write();
}

}  // namespace millrace::cli
