// OptionSpec: the description of one option of a connector or a format, from which options are
// checked, documented and explained in error messages. Nobody parses options by hand.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace millrace::model {

enum class OptionType { kString, kBool, kInt, kDouble, kDuration, kBytes, kEnum };

struct OptionSpec {
  std::string name;  // as in WITH ('name' = …); a trailing ".*" takes a family ("properties.*")
  OptionType type = OptionType::kString;
  std::string doc;  // one sentence; the unit where there is one
  std::optional<std::string> default_value = {};
  bool required = false;
  bool secret = false;                    // never printed
  std::vector<std::string> choices = {};  // kEnum
  std::string example = {};
};

}  // namespace millrace::model
