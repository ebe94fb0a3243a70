#include "dbt/configs.h"

#include <algorithm>

namespace millrace::dbt {

namespace {

std::string PlainKey(std::string key) {
  if (key.starts_with("+")) key.erase(0, 1);
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

}  // namespace

void MergeConfig(const Value& more, Value& config) {
  for (const auto& [raw_key, value] : more.map()) {
    const std::string key = PlainKey(raw_key);
    if (key == "tags" || key == "pre_hook" || key == "post_hook") {
      Value all = Value::List{};
      for (const Value* part : {&config[key], &value}) {
        if (part->is_list()) {
          for (const Value& item : part->list()) all.Append(item);
        } else if (!part->is_null()) {
          all.Append(*part);
        }
      }
      config.Set(key, all);
    } else if (key == "meta" || key == "column_types") {
      Value merged = config[key].is_map() ? config[key] : Value::Object();
      for (const auto& [name, item] : value.map()) merged.Set(name, item);
      config.Set(key, merged);
    } else {
      config.Set(key, value);
    }
  }
}

Value ConfigByPath(const Value& section, const std::vector<std::string>& fqn) {
  Value config = Value::Object();
  const Value* level = &section;
  for (size_t depth = 0;; depth++) {
    Value here = Value::Object();
    for (const auto& [key, value] : level->map()) {
      // Without "+" a map is a folder's or a node's section.
      if (key.starts_with("+") || !value.is_map()) here.Set(key, value);
    }
    MergeConfig(here, config);
    if (depth >= fqn.size() || !(*level)[fqn[depth]].is_map()) return config;
    level = &(*level)[fqn[depth]];
  }
}

}  // namespace millrace::dbt
