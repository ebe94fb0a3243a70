// PastState: the artifacts of an earlier run, of Millrace or of dbt, to compare a project with:
// `--state` with the selectors state: and result:, and --defer.
//
// Source: https://docs.getdbt.com/reference/node-selection/state-comparison-caveats
#pragma once

#include <map>
#include <memory>
#include <string>

#include "dbt/node.h"

namespace millrace::dbt {

class PastState {
 public:
  // Reads manifest.json of `directory`, and run_results.json if it is there. Errors: kNotFound,
  // kSyntax.
  static Result<std::shared_ptr<const PastState>> Load(const std::string& directory);

  // `what`: new, old, modified, unmodified; "modified.body", ".configs", ".contract" or ".macros"
  // asks for one kind of change. `macros`: today's, by id. Errors: kBadOption for anything else.
  Result<bool> Matches(const std::string& what, const Node& node,
                       const std::map<std::string, std::string>& macros) const;
  // How the node's last run ended: success, error, fail, skipped …; "" if it had none.
  std::string ResultOf(const std::string& id) const;
  // {"$relation": …} of a node that was there; null for any other.
  Value RelationOf(const std::string& id) const;

 private:
  PastState() = default;
  bool SameBody(const Node& node, const Value& then) const;
  bool SameConfigs(const Node& node, const Value& then) const;
  bool SameContract(const Node& node, const Value& then) const;
  bool SameMacros(const Node& node, const Value& then,
                  const std::map<std::string, std::string>& macros) const;

  bool ours_ = false;                   // written by Millrace: configs are complete
  std::map<std::string, Value> nodes_;  // entries of the manifest, by id
  std::map<std::string, std::string> macros_;
  std::map<std::string, std::string> results_;
};

// Of a file's text, as dbt's manifest has it: the hash as hexadecimal digits.
std::string Sha256Hex(const std::string& text);

}  // namespace millrace::dbt
