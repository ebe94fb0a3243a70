#include "format/avro/avro_schema_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/strings.h"
#include "format/avro/avro_cursor.h"

namespace millrace::format {

using simdjson::dom::array;
using simdjson::dom::object;

namespace {

constexpr size_t kDepthMax = 200;  // of the schema's JSON

constexpr std::pair<std::string_view, AvroKind> kPrimitives[] = {
    {"null", AvroKind::kNull},   {"boolean", AvroKind::kBoolean}, {"int", AvroKind::kInt},
    {"long", AvroKind::kLong},   {"float", AvroKind::kFloat},     {"double", AvroKind::kDouble},
    {"bytes", AvroKind::kBytes}, {"string", AvroKind::kString}};

bool IsName(std::string_view text) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (text.empty() || !letter(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

bool IsFullName(std::string_view text) {
  const std::vector<std::string> parts = Split(text, '.');
  return std::all_of(parts.begin(), parts.end(), IsName);
}

std::optional<std::string> Text(object json, std::string_view key) {
  std::string_view value;
  if (json[key].get(value) != simdjson::SUCCESS) return std::nullopt;
  return std::string(value);
}

std::vector<std::string> Texts(object json, std::string_view key) {
  std::vector<std::string> texts;
  array values;
  if (json[key].get(values) != simdjson::SUCCESS) return texts;
  for (auto value : values) {
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) texts.emplace_back(text);
  }
  return texts;
}

std::string FullName(const std::string& name, const std::string& space) {
  return name.find('.') != std::string::npos || space.empty() ? name : space + "." + name;
}

// The bytes that a JSON text stands for: a character for each, U+0000 to U+00FF.
bool BytesOfText(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size(); i++) {
    const auto c = static_cast<uint8_t>(text[i]);
    if (c < 0x80) {
      out += text[i];
    } else if ((c == 0xC2 || c == 0xC3) && i + 1 < text.size()) {
      out += static_cast<char>((c << 6) | (static_cast<uint8_t>(text[++i]) & 0x3F));
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

Status AvroSchemaParser::Parse(std::string_view text) {
  simdjson::dom::parser parser;
  Json json;
  path_.clear();
  if (auto error = parser.parse(text.data(), text.size()).get(json); error) {
    // A primitive's bare name is also taken, as Avro's own parsers do.
    if (!IsName(Trim(text))) {
      return Status(Code::kInvalidArgument, fmt::format("the schema is not valid JSON: {}",
                                                        simdjson::error_message(error)));
    }
    MR_ASSIGN_OR_RETURN(schema_.root_, ParseName(Trim(text), ""));
    return {};
  }
  MR_ASSIGN_OR_RETURN(schema_.root_, ParseType(json, ""));
  for (const PendingDefault& pending : pending_) {
    AvroField& field = pending.record->fields[pending.field];
    std::string bytes;
    if (!EncodeDefault(pending.json, *field.type, bytes)) {
      path_ = pending.path;
      return Fault(fmt::format("the default {} is not of type {}", simdjson::minify(pending.json),
                               field.type->Describe()));
    }
    field.default_bytes = std::move(bytes);
  }
  pending_.clear();
  return {};
}

Result<const AvroType*> AvroSchemaParser::ParseType(Json json, const std::string& space) {
  if (path_.size() > kDepthMax) return Fault("the schema is nested too deeply");
  if (json.is_string()) return ParseName(json.get_string().value_unsafe(), space);
  if (json.is_array()) return ParseUnion(json.get_array().value_unsafe(), space);
  if (json.is_object()) return ParseObject(json.get_object().value_unsafe(), space);
  return Fault("a type is a name, an object or an array");
}

Result<const AvroType*> AvroSchemaParser::ParseName(std::string_view name,
                                                    const std::string& space) {
  for (const auto& [primitive, kind] : kPrimitives) {
    if (name == primitive) return &NewType(kind);
  }
  auto found = by_name_.find(FullName(std::string(name), space));
  if (found == by_name_.end()) found = by_name_.find(name);
  if (found != by_name_.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [primitive, kind] : kPrimitives) known.emplace_back(primitive);
  for (const auto& [known_name, type] : by_name_) known.push_back(known_name);
  return Fault(fmt::format("there is no type \"{}\"", name)).WithHint(DidYouMean(name, known));
}

Result<const AvroType*> AvroSchemaParser::ParseUnion(array branches, const std::string& space) {
  AvroType& type = NewType(AvroKind::kUnion);
  std::set<std::string> seen;
  size_t index = 0;
  for (Json branch : branches) {
    path_.push_back(std::to_string(index++));
    MR_ASSIGN_OR_RETURN(const AvroType* part, ParseType(branch, space));
    if (part->kind == AvroKind::kUnion) return Fault("a union is directly inside a union");
    if (!seen.insert(part->named() ? part->name : AvroKindName(part->kind)).second) {
      return Fault(fmt::format("the union has {} twice", part->Describe()));
    }
    type.parts.push_back(part);
    path_.pop_back();
  }
  if (type.parts.empty()) return Fault("the union has no types");
  return &type;
}

Result<const AvroType*> AvroSchemaParser::ParseObject(object json, const std::string& space) {
  Json type_json;
  if (json["type"].get(type_json) != simdjson::SUCCESS) return Fault("there is no \"type\"");
  const std::string name = Text(json, "type").value_or("");
  std::string inside = space;
  if (name == "record" || name == "error" || name == "enum" || name == "fixed") {
    AvroType& type = NewType(name == "enum"    ? AvroKind::kEnum
                             : name == "fixed" ? AvroKind::kFixed
                                               : AvroKind::kRecord);
    MR_RETURN_IF_ERROR(ParseNames(json, type, inside));
    if (type.kind == AvroKind::kRecord) MR_RETURN_IF_ERROR(ParseFields(json, type, inside));
    if (type.kind == AvroKind::kEnum) MR_RETURN_IF_ERROR(ParseSymbols(json, type));
    if (type.kind == AvroKind::kFixed) {
      if (json["size"].get(type.size) != simdjson::SUCCESS || type.size < 0) {
        return Fault(fmt::format("{} has no \"size\" in bytes", type.Describe()));
      }
      ParseLogical(json, type);
    }
    return &type;
  }
  if (name == "array" || name == "map") {
    AvroType& type = NewType(name == "array" ? AvroKind::kArray : AvroKind::kMap);
    const char* key = name == "array" ? "items" : "values";
    Json part;
    if (json[key].get(part) != simdjson::SUCCESS) {
      return Fault(fmt::format("the {} has no \"{}\"", name, key));
    }
    path_.emplace_back(key);
    MR_ASSIGN_OR_RETURN(const AvroType* part_type, ParseType(part, space));
    type.parts.push_back(part_type);
    path_.pop_back();
    return &type;
  }
  path_.emplace_back("type");
  MR_ASSIGN_OR_RETURN(const AvroType* type, ParseType(type_json, space));
  path_.pop_back();
  if (type->named() || !type->parts.empty()) return type;
  AvroType& own = NewType(type->kind);
  ParseLogical(json, own);
  return &own;
}

Status AvroSchemaParser::ParseNames(object json, AvroType& type, std::string& space) {
  const std::string name = Text(json, "name").value_or("");
  const std::string own_space = Text(json, "namespace").value_or(space);
  type.name = FullName(name, own_space);
  if (name.empty()) return Fault(fmt::format("the {} has no \"name\"", AvroKindName(type.kind)));
  if (!IsFullName(type.name)) {
    return Fault(fmt::format("\"{}\" is not a name", type.name))
        .WithHint("a name has letters, digits and _, and does not begin with a digit");
  }
  const size_t dot = type.name.rfind('.');
  space = dot == std::string::npos ? "" : type.name.substr(0, dot);
  for (const std::string& alias : Texts(json, "aliases")) {
    type.aliases.push_back(FullName(alias, space));
  }
  const bool primitive = std::any_of(std::begin(kPrimitives), std::end(kPrimitives),
                                     [&](const auto& known) { return known.first == name; });
  if (primitive) return Fault(fmt::format("\"{}\" is the name of a primitive type", name));
  if (!by_name_.emplace(type.name, &type).second) {
    return Fault(fmt::format("there are two types \"{}\"", type.name));
  }
  return {};
}

Status AvroSchemaParser::ParseFields(object json, AvroType& type, const std::string& space) {
  array fields;
  if (json["fields"].get(fields) != simdjson::SUCCESS) {
    return Fault(fmt::format("{} has no \"fields\"", type.Describe()));
  }
  path_.emplace_back("fields");
  for (Json entry : fields) {
    path_.push_back(std::to_string(type.fields.size()));
    object field_json;
    if (entry.get(field_json) != simdjson::SUCCESS) return Fault("a field is an object");
    AvroField field;
    MR_RETURN_IF_ERROR(ParseField(field_json, field, space));
    if (FindAvroField(type, field.name) != nullptr) {
      return Fault(fmt::format("{} has two fields \"{}\"", type.Describe(), field.name));
    }
    Json given;
    if (field_json["default"].get(given) == simdjson::SUCCESS) {
      pending_.push_back({&type, type.fields.size(), given, path_});
      field.default_bytes.emplace();  // there is one, whatever it will be
    }
    type.fields.push_back(std::move(field));
    path_.pop_back();
  }
  path_.pop_back();
  return {};
}

Status AvroSchemaParser::ParseField(object json, AvroField& field, const std::string& space) {
  field.name = Text(json, "name").value_or("");
  if (!IsName(field.name)) return Fault(fmt::format("\"{}\" is not a field's name", field.name));
  field.aliases = Texts(json, "aliases");
  Json type;
  if (json["type"].get(type) != simdjson::SUCCESS) {
    return Fault(fmt::format("field \"{}\" has no \"type\"", field.name));
  }
  path_.emplace_back("type");
  MR_ASSIGN_OR_RETURN(field.type, ParseType(type, space));
  path_.pop_back();
  return {};
}

Status AvroSchemaParser::ParseSymbols(object json, AvroType& type) {
  array symbols;
  if (json["symbols"].get(symbols) != simdjson::SUCCESS) {
    return Fault(fmt::format("{} has no \"symbols\"", type.Describe()));
  }
  type.symbols = Texts(json, "symbols");
  if (type.symbols.size() != symbols.size()) {
    return Fault(fmt::format("a symbol of {} is not a text", type.Describe()));
  }
  std::set<std::string> seen;
  for (const std::string& symbol : type.symbols) {
    if (!IsName(symbol)) return Fault(fmt::format("\"{}\" is not a symbol", symbol));
    if (!seen.insert(symbol).second) {
      return Fault(fmt::format("{} has the symbol \"{}\" twice", type.Describe(), symbol));
    }
  }
  type.default_symbol = Text(json, "default");
  if (type.default_symbol && !seen.count(*type.default_symbol)) {
    return Fault(fmt::format("the default \"{}\" is no symbol of {}", *type.default_symbol,
                             type.Describe()));
  }
  return {};
}

void AvroSchemaParser::ParseLogical(object json, AvroType& type) {
  struct Known {
    std::string_view name;
    AvroKind on;
    AvroLogical logical;
  };
  static constexpr Known kKnown[] = {
      {"date", AvroKind::kInt, AvroLogical::kDate},
      {"time-millis", AvroKind::kInt, AvroLogical::kTimeMillis},
      {"time-micros", AvroKind::kLong, AvroLogical::kTimeMicros},
      {"timestamp-millis", AvroKind::kLong, AvroLogical::kTimestampMillis},
      {"timestamp-micros", AvroKind::kLong, AvroLogical::kTimestampMicros},
      {"local-timestamp-millis", AvroKind::kLong, AvroLogical::kLocalTimestampMillis},
      {"local-timestamp-micros", AvroKind::kLong, AvroLogical::kLocalTimestampMicros},
      {"uuid", AvroKind::kString, AvroLogical::kUuid},
  };
  const std::string name = Text(json, "logicalType").value_or("");
  for (const Known& known : kKnown) {
    if (name == known.name && type.kind == known.on) type.logical = known.logical;
  }
  if (name == "uuid" && type.kind == AvroKind::kFixed && type.size == 16) {
    type.logical = AvroLogical::kUuid;
  }
  if (name != "decimal" || (type.kind != AvroKind::kBytes && type.kind != AvroKind::kFixed)) return;
  int64_t precision = 0;
  int64_t scale = 0;
  if (json["precision"].get(precision) != simdjson::SUCCESS) return;
  if (json["scale"].get(scale) != simdjson::SUCCESS) scale = 0;
  if (precision < 1 || precision > 1'000'000 || scale < 0 || scale > precision) return;
  type.logical = AvroLogical::kDecimal;
  type.precision = static_cast<int>(precision);
  type.scale = static_cast<int>(scale);
}

bool AvroSchemaParser::EncodeDefault(Json json, const AvroType& type, std::string& out, int depth) {
  if (depth > static_cast<int>(kDepthMax)) return false;
  bool boolean = false;
  int64_t integer = 0;
  double floating = 0;
  std::string_view text;
  switch (type.kind) {
    case AvroKind::kNull:
      return json.is_null();
    case AvroKind::kBoolean:
      if (json.get(boolean) != simdjson::SUCCESS) return false;
      out += boolean ? '\1' : '\0';
      return true;
    case AvroKind::kInt:
      if (json.get(integer) != simdjson::SUCCESS || integer != static_cast<int32_t>(integer)) {
        return false;
      }
      AppendAvroLong(integer, out);
      return true;
    case AvroKind::kLong:
      if (json.get(integer) != simdjson::SUCCESS) return false;
      AppendAvroLong(integer, out);
      return true;
    case AvroKind::kFloat:
      if (json.get(floating) != simdjson::SUCCESS) return false;
      AppendAvroFloating(static_cast<float>(floating), out);
      return true;
    case AvroKind::kDouble:
      if (json.get(floating) != simdjson::SUCCESS) return false;
      AppendAvroFloating(floating, out);
      return true;
    case AvroKind::kString:
      if (json.get(text) != simdjson::SUCCESS) return false;
      AppendAvroBytes(text, out);
      return true;
    case AvroKind::kBytes:
    case AvroKind::kFixed: {
      std::string bytes;
      if (json.get(text) != simdjson::SUCCESS || !BytesOfText(text, bytes)) return false;
      if (type.kind == AvroKind::kBytes) {
        AppendAvroBytes(bytes, out);
        return true;
      }
      out += bytes;
      return static_cast<int64_t>(bytes.size()) == type.size;
    }
    case AvroKind::kEnum: {
      if (json.get(text) != simdjson::SUCCESS) return false;
      auto found = std::find(type.symbols.begin(), type.symbols.end(), text);
      if (found == type.symbols.end()) return false;
      AppendAvroLong(found - type.symbols.begin(), out);
      return true;
    }
    case AvroKind::kArray: {
      array values;
      if (json.get(values) != simdjson::SUCCESS) return false;
      for (Json value : values) {
        AppendAvroLong(1, out);
        if (!EncodeDefault(value, *type.parts[0], out, depth + 1)) return false;
      }
      AppendAvroLong(0, out);
      return true;
    }
    case AvroKind::kMap: {
      object values;
      if (json.get(values) != simdjson::SUCCESS) return false;
      for (auto entry : values) {
        AppendAvroLong(1, out);
        AppendAvroBytes(entry.key, out);
        if (!EncodeDefault(entry.value, *type.parts[0], out, depth + 1)) return false;
      }
      AppendAvroLong(0, out);
      return true;
    }
    case AvroKind::kUnion:
      // The specification asks for the first branch; others are in use, and clear all the same.
      for (size_t i = 0; i < type.parts.size(); i++) {
        std::string branch;
        if (!EncodeDefault(json, *type.parts[i], branch, depth + 1)) continue;
        AppendAvroLong(static_cast<int64_t>(i), out);
        out += branch;
        return true;
      }
      return false;
    case AvroKind::kRecord:
      return EncodeDefaultRecord(json, type, out, depth);
  }
  return false;
}

bool AvroSchemaParser::EncodeDefaultRecord(Json json, const AvroType& type, std::string& out,
                                           int depth) {
  object values;
  if (json.get(values) != simdjson::SUCCESS) return false;
  for (const AvroField& field : type.fields) {
    Json value;
    if (values[field.name].get(value) == simdjson::SUCCESS) {
      if (!EncodeDefault(value, *field.type, out, depth + 1)) return false;
    } else if (field.default_bytes && !field.default_bytes->empty()) {
      out += *field.default_bytes;
    } else if (field.type->kind != AvroKind::kNull) {
      return false;
    }
  }
  return true;
}

AvroType& AvroSchemaParser::NewType(AvroKind kind) {
  schema_.types_.push_back(std::make_unique<AvroType>());
  schema_.types_.back()->kind = kind;
  return *schema_.types_.back();
}

Status AvroSchemaParser::Fault(std::string message) const {
  if (!path_.empty()) message += " (at " + Join(path_, "/") + ")";
  return {Code::kInvalidArgument, std::move(message)};
}

}  // namespace millrace::format
