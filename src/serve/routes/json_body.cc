#include "serve/routes/json_body.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace millrace::serve {

Result<JsonBody> JsonBody::Parse(const Request& request, const std::vector<std::string>& fields) {
  JsonBody body;
  if (Trim(request.body()).empty()) return body;
  simdjson::dom::element root;
  auto error = body.parser_->parse(request.body().data(), request.body().size()).get(root);
  if (error) {
    return Status(Code::kInvalidArgument, fmt::format("the body is not valid JSON: {}",
                                                      ToLower(simdjson::error_message(error))));
  }
  simdjson::dom::object object;
  if (root.get(object)) {
    return Status(Code::kInvalidArgument, "the body is not a JSON object");
  }
  for (auto field : object) {
    std::string name(field.key);
    if (std::find(fields.begin(), fields.end(), name) == fields.end()) {
      return Status(Code::kUnknownOption, fmt::format("the field \"{}\" is not known here", name))
          .WithHint(DidYouMean(name, fields));
    }
  }
  body.object_ = object;
  return body;
}

std::optional<simdjson::dom::element> JsonBody::Field(std::string_view field) const {
  simdjson::dom::element element;
  if (!object_ || object_->at_key(field).get(element)) return std::nullopt;
  return element;
}

Result<std::optional<std::string>> JsonBody::Text(std::string_view field) const {
  auto element = Field(field);
  if (!element || element->is_null()) return std::optional<std::string>();
  std::string_view text;
  if (element->get(text)) {
    return Status(Code::kInvalidArgument, fmt::format("the field \"{}\" is not a text", field));
  }
  return std::optional<std::string>(std::string(text));
}

Result<std::optional<int64_t>> JsonBody::Number(std::string_view field) const {
  auto element = Field(field);
  if (!element || element->is_null()) return std::optional<int64_t>();
  int64_t number = 0;
  if (element->get(number)) {
    return Status(Code::kInvalidArgument,
                  fmt::format("the field \"{}\" is not a whole number", field));
  }
  return std::optional<int64_t>(number);
}

}  // namespace millrace::serve
