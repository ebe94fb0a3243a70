#include "dbt/same.h"

#include <algorithm>
#include <tuple>

namespace millrace::dbt {

bool Same(const Value& a, const Value& b) {
  if (a.is_map() || b.is_map()) {
    return a.is_map() && b.is_map() &&
           std::equal(a.map().begin(), a.map().end(), b.map().begin(), b.map().end(),
                      [](const auto& one, const auto& other) {
                        return one.first == other.first && Same(one.second, other.second);
                      });
  }
  if (a.is_list() || b.is_list()) {
    return a.is_list() && b.is_list() &&
           std::equal(a.list().begin(), a.list().end(), b.list().begin(), b.list().end(),
                      [](const Value& one, const Value& other) { return Same(one, other); });
  }
  // Of what is left, JSON tells the kinds apart; texts need not be quoted for it.
  if (a.is_text() || b.is_text()) return a.is_text() && b.is_text() && a.text() == b.text();
  return a.ToJson() == b.ToJson();
}

bool Same(const Node& a, const Node& b) {
  const auto plain = [](const Node& node) {
    return std::tie(node.kind, node.id, node.name, node.package, node.path, node.line, node.fqn,
                    node.code, node.checksum, node.tags, node.database, node.schema, node.alias,
                    node.depends_on, node.macros, node.test_name, node.tested, node.column,
                    node.compiled, node.source_name, node.enabled);
  };
  return plain(a) == plain(b) && Same(a.config, b.config) && Same(a.properties, b.properties) &&
         Same(a.refs, b.refs) && Same(a.source_refs, b.source_refs);
}

}  // namespace millrace::dbt
