// SplitList: the files of a table as splits, in an order that only grows.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "connectors/connector.h"

namespace millrace::connectors::filesystem {

class SplitList {
 public:
  explicit SplitList(const TableContext& table);
  // Looks at the directory: new files come last, sorted by name; files that are gone are dropped.
  Status Refresh();
  const std::vector<Split>& splits() const { return splits_; }
  std::string PathOf(const Split& split) const;

 private:
  std::string base_dir_;
  std::string path_;
  std::vector<Split> splits_;
};

}  // namespace millrace::connectors::filesystem
