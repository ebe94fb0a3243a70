#include "serve/json_object.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/strings.h"

namespace millrace::serve {

namespace {

using simdjson::ondemand::json_type;

// A value as it is written.
simdjson::error_code RawText(simdjson::ondemand::value value, std::string_view& out) {
  json_type type;
  if (auto error = value.type().get(type)) return error;
  if (type == json_type::object) {
    simdjson::ondemand::object object;
    if (auto error = value.get_object().get(object)) return error;
    return object.raw_json().get(out);
  }
  if (type == json_type::array) {
    simdjson::ondemand::array array;
    if (auto error = value.get_array().get(array)) return error;
    return array.raw_json().get(out);
  }
  out = value.raw_json_token();
  return simdjson::SUCCESS;
}

Status NotAnObject(std::string_view why) {
  return Status(Code::kInvalidArgument, fmt::format("not a JSON object: {}", why));
}

}  // namespace

Result<JsonObject> JsonObject::Parse(std::string_view text) {
  // The on-demand parser passes over values that nobody looks at: this one checks the whole.
  simdjson::dom::parser checker;
  simdjson::dom::element whole;
  simdjson::padded_string padded(text);
  if (auto error = checker.parse(padded).get(whole)) {
    return NotAnObject(ToLower(simdjson::error_message(error)));
  }
  if (!whole.is_object()) return NotAnObject("it is another value");
  JsonObject out;
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  auto error = parser.iterate(padded).get(document);
  if (!error) error = document.get_object().get(object);
  if (error) return NotAnObject(ToLower(simdjson::error_message(error)));
  for (auto field : object) {
    std::string_view name, raw;
    error = field.unescaped_key().get(name);
    std::string key(name);
    if (!error) error = RawText(field.value(), raw);
    if (error) return NotAnObject(ToLower(simdjson::error_message(error)));
    out.Set(key, std::string(Trim(raw)));
  }
  return out;
}

void JsonObject::Set(const std::string& name, std::string json) {
  for (auto& [key, value] : fields_) {
    if (key != name) continue;
    value = std::move(json);
    return;
  }
  fields_.emplace_back(name, std::move(json));
}

void JsonObject::Remove(const std::string& name) {
  fields_.erase(std::remove_if(fields_.begin(), fields_.end(),
                               [&](const auto& field) { return field.first == name; }),
                fields_.end());
}

std::string JsonObject::ToString() const {
  std::string out = "{";
  for (const auto& [name, value] : fields_) {
    if (out.size() > 1) out += ',';
    out += JsonQuote(name) + ":" + value;
  }
  return out + "}";
}

Result<std::string> MergePatch(std::string_view target, std::string_view patch) {
  MR_ASSIGN_OR_RETURN(JsonObject object, JsonObject::Parse(target));
  MR_ASSIGN_OR_RETURN(JsonObject changes, JsonObject::Parse(patch));
  for (const auto& [name, value] : changes.fields()) {
    if (value == "null") {
      object.Remove(name);
      continue;
    }
    if (value.front() != '{') {
      object.Set(name, value);
      continue;
    }
    // RFC 7396: what is no object becomes an empty one first.
    std::string before = "{}";
    for (const auto& [key, old] : object.fields()) {
      if (key == name && old.front() == '{') before = old;
    }
    MR_ASSIGN_OR_RETURN(std::string merged, MergePatch(before, value));
    object.Set(name, std::move(merged));
  }
  return object.ToString();
}

}  // namespace millrace::serve
