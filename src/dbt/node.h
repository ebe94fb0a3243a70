// Node: one thing of a dbt project that can be built, tested or read from.
#pragma once

#include <string>
#include <vector>

#include "dbt/value.h"

namespace millrace::dbt {

struct Node {
  std::string kind;  // model, seed, snapshot, test, unit_test, source, operation
  std::string id;    // "model.shop.orders"
  std::string name;
  std::string package;
  std::string path;  // from the project's directory: "models/marts/orders.sql"
  int line = 1;      // where `code` starts in that file
  std::vector<std::string> fqn;
  std::string code;      // the template
  std::string checksum;  // of the file's text: Sha256Hex (past_state.h)
  Value config = Value::Object();
  Value properties;  // the entry of a .yml file: description, columns, meta …
  std::vector<std::string> tags;

  std::string database, schema, alias;  // where it is, or will be

  std::vector<std::string> depends_on;  // ids, in the order of their first mention
  Value refs = Value::List{};           // [["orders"], ["package", "orders"]]
  Value source_refs = Value::List{};    // [["shop", "orders"]]
  std::vector<std::string> macros;      // ids of the project's macros that it calls

  // tests only
  std::string test_name;  // "unique"; "" for a singular test
  std::string tested;     // the model's or source's name; of unit tests, too
  std::string column;

  std::string compiled;     // SQL, once rendered
  std::string source_name;  // sources: the group
  bool enabled = true;

  std::string materialized() const {
    return config["materialized"].text_or(kind == "model" ? "view" : kind);
  }
};

// What a template holds for the node: {"$relation": …}.
inline Value RelationOf(const Node& node) {
  return Value::Object({{"$relation", Value::Object({{"database", node.database},
                                                     {"schema", node.schema},
                                                     {"identifier", node.alias}})}});
}

}  // namespace millrace::dbt
