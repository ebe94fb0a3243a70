#include "sql/functions.h"

#include <map>

#include "sql/function_spec.h"

namespace millrace::sql {
namespace {

std::vector<FunctionRule> MakeRules() {
  std::vector<FunctionRule> rules;
  for (const FunctionGroup& group : FunctionGroups()) {
    for (const FunctionSpec& spec : group.functions) {
      for (const FunctionForm& form : spec.forms) {
        rules.push_back({spec.name, form.arguments_min, form.arguments_max, form.result});
      }
    }
  }
  for (const RefusedFunction& refused : RefusedFunctions()) {
    rules.push_back({refused.name, refused.arguments_min, refused.arguments_max, "", refused.hint});
  }
  return rules;
}

const std::vector<FunctionRule>& Rules() {
  static const std::vector<FunctionRule> rules = MakeRules();
  return rules;
}

}  // namespace

std::vector<const FunctionRule*> FindFunctionRules(std::string_view upper_name) {
  static const auto* index = [] {
    auto* map = new std::multimap<std::string_view, const FunctionRule*>;
    for (const FunctionRule& rule : Rules()) map->emplace(rule.name, &rule);
    return map;
  }();
  std::vector<const FunctionRule*> found;
  auto [begin, end] = index->equal_range(upper_name);
  for (auto it = begin; it != end; ++it) found.push_back(it->second);
  return found;
}

}  // namespace millrace::sql
