// Which nodes a command takes: dbt's node selection.
//
//   name, glob*, tag:x, path:models/marts, source:a.b, config.materialized:view,
//   resource_type:seed, test_type:generic, package:p, fqn:…, state:modified, result:error;  +x all
//   above, x+ all below, 2+x, x+1,
//   @x; "a b" either, "a,b" both.
// Source: https://docs.getdbt.com/reference/node-selection/syntax
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dbt/project.h"

namespace millrace::dbt {

struct Selection {
  std::vector<std::string> select;  // none: everything
  std::vector<std::string> exclude;
  std::optional<std::set<std::string>> only = std::nullopt;  // of what is selected, these ids
};

// The ids; a test is in when a node that it reads is. Errors: kBadOption for a method that is not
// known.
Result<std::set<std::string>> Select(Project& project, const Selection& selection);

// Ids so that each comes after what it reads; by name where that leaves a choice. kBind with the
// cycle's members when there is one.
Result<std::vector<std::string>> InOrder(const Project& project);

}  // namespace millrace::dbt
