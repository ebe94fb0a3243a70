// Versions of a model: an entry of a .yml file with `versions:` stands for a node of each version,
// "model.shop.orders.v2" with the table "orders_v2".
//
// Source: https://docs.getdbt.com/reference/resource-properties/versions
#pragma once

#include <string>
#include <vector>

#include "dbt/node.h"

namespace millrace::dbt {

struct ModelVersion {
  // Where it may be, without ".sql": `defined_in`, or orders_v2; the latest also in orders.
  std::vector<std::string> files;
  // The model's entry as it is for this version, with "version" and "latest_version".
  Value entry;
};

// Errors: kBadOption for one without `v`, for two that are alike, and for a latest_version that is
// none of them.
Result<std::vector<ModelVersion>> VersionsOf(const Value& entry);

// As numbers if both are, else as texts.
bool IsLowerVersion(const Value& a, const Value& b);

// What a template named: ref('orders'), ref('package', 'orders', v=2).
struct Reference {
  std::string package, name, version;  // "": not said

  explicit Reference(const Value& entry);  // of Node::refs
  static Value Entry(const std::vector<std::string>& names, const Value& version);
  // As the end of an id: "orders", "orders.v2".
  std::string place() const { return version.empty() ? name : name + ".v" + version; }
};

// "2" of a node with versions, else "".
std::string VersionOf(const Node& node);
// "orders_v2", or the name where there are no versions; unique where the name alone is not.
std::string NameWithVersion(const Node& node);
// Whether it has no versions, or is the latest.
bool IsLatest(const Node& node);

}  // namespace millrace::dbt
