#include "connectors/filesystem/split_list.h"

#include <algorithm>

#include "connectors/filesystem/file_list.h"

namespace millrace::connectors::filesystem {

SplitList::SplitList(const TableContext& table)
    : base_dir_(table.services.base_dir),
      path_(ResolvePath(table.options.GetString("path"), table.services.base_dir)) {
  if (!base_dir_.empty()) base_dir_ = ResolvePath(base_dir_, "");
  if (!base_dir_.empty() && !base_dir_.ends_with('/')) base_dir_ += '/';
}

Status SplitList::Refresh() {
  MR_ASSIGN_OR_RETURN(auto files, ListFiles(path_));
  std::set<std::string> ids;
  for (std::string& file : files) {
    // Below the project: without its directory, so that a project can be moved.
    const bool below = !base_dir_.empty() && file.starts_with(base_dir_);
    ids.insert(below ? file.substr(base_dir_.size()) : file);
  }
  std::vector<Split> next;
  for (const Split& known : splits_) {
    if (ids.erase(known.id)) next.push_back(known);
  }
  for (const std::string& id : ids) next.push_back({id});
  splits_ = std::move(next);
  return Status::Ok();
}

std::string SplitList::PathOf(const Split& split) const {
  return split.id.starts_with("/") ? split.id : base_dir_ + split.id;
}

}  // namespace millrace::connectors::filesystem
