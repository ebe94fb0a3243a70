// JsonBody: a request's body as a JSON object, with errors that name the field.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "serve/http_types.h"

namespace millrace::serve {

class JsonBody {
 public:
  // Errors: not JSON, not an object, a field that is not in `fields` (with a did-you-mean).
  // An empty body is an object without fields.
  static Result<JsonBody> Parse(const Request& request, const std::vector<std::string>& fields);

  // Errors: the field is there and of another type. None when missing or null.
  Result<std::optional<std::string>> Text(std::string_view field) const;
  Result<std::optional<int64_t>> Number(std::string_view field) const;
  // None when missing; not checked further.
  std::optional<simdjson::dom::element> Field(std::string_view field) const;

 private:
  JsonBody() = default;
  std::unique_ptr<simdjson::dom::parser> parser_ = std::make_unique<simdjson::dom::parser>();
  std::optional<simdjson::dom::object> object_;
};

}  // namespace millrace::serve
