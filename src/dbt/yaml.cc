#include "dbt/yaml.h"

#include <yaml-cpp/yaml.h>

#include <charconv>

namespace millrace::dbt {

namespace {

Value FromScalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // quoted
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return {};
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const char* end = text.data() + text.size();
  int64_t integer = 0;
  if (auto r = std::from_chars(text.data(), end, integer); r.ec == std::errc() && r.ptr == end) {
    return integer;
  }
  double number = 0;
  const bool digit = text.find_first_of("0123456789") != std::string::npos;
  if (auto r = std::from_chars(text.data(), end, number);
      digit && r.ec == std::errc() && r.ptr == end) {
    return number;
  }
  return text;
}

Value FromNode(const YAML::Node& node) {
  if (node.IsScalar()) return FromScalar(node);
  if (node.IsSequence()) {
    Value out = Value::List{};
    for (const auto& item : node) out.Append(FromNode(item));
    return out;
  }
  if (node.IsMap()) {
    Value out = Value::Object();
    for (const auto& entry : node) out.Set(FromNode(entry.first).text(), FromNode(entry.second));
    return out;
  }
  return {};
}

}  // namespace

Result<Value> ParseYaml(const std::string& text, const std::string& path) {
  try {
    return FromNode(YAML::Load(text));
  } catch (const YAML::Exception& e) {
    return Status(Code::kSyntax, "not valid YAML: " + e.msg)
        .At({path, e.mark.line + 1, e.mark.column + 1, 1});
  }
}

}  // namespace millrace::dbt
