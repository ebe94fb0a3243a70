// JsonObject: a JSON object that can be changed field by field; what is not changed keeps its
// bytes.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace millrace::serve {

class JsonObject {
 public:
  // Error kInvalidArgument: not JSON, or another value than an object. Of a key that comes twice
  // the last value counts.
  static Result<JsonObject> Parse(std::string_view text);

  // Name and value of each field, in order; values are JSON as written.
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }
  // Replaces a field's value, or adds the field at the end. `json` is taken as it is.
  void Set(const std::string& name, std::string json);
  void Remove(const std::string& name);
  std::string ToString() const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// JSON merge patch (RFC 7396) of an object: fields of `patch` replace those of `target`, objects
// are merged, null removes. Errors: kInvalidArgument when one of them is not an object.
Result<std::string> MergePatch(std::string_view target, std::string_view patch);

}  // namespace millrace::serve
