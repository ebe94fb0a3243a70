#include "connectors/filesystem/file_list.h"

#include <glob.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

namespace millrace::connectors::filesystem {

namespace fs = std::filesystem;

namespace {

bool Hidden(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with(".") || name.starts_with("_");
}

void AddAllBelow(const fs::path& directory, std::vector<std::string>& files) {
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(
           directory, fs::directory_options::skip_permission_denied, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (Hidden(it->path())) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file(error)) {
      files.push_back(it->path().string());
    }
  }
}

}  // namespace

std::string ResolvePath(const std::string& path, const std::string& base_dir) {
  std::string local = path.starts_with("file://") ? path.substr(7) : path;
  if (fs::path(local).is_relative() && !base_dir.empty())
    local = (fs::path(base_dir) / local).string();
  return fs::path(local).lexically_normal().string();
}

Result<std::vector<std::string>> ListFiles(const std::string& path) {
  std::vector<std::string> roots;
  std::error_code error;
  if (fs::exists(path, error)) {
    roots.push_back(path);
  } else if (path.find_first_of("*?[") != std::string::npos) {
    glob_t found{};
    if (glob(path.c_str(), 0, nullptr, &found) == 0) {
      for (size_t i = 0; i < found.gl_pathc; i++) {
        if (!Hidden(found.gl_pathv[i])) roots.push_back(found.gl_pathv[i]);
      }
    }
    globfree(&found);
  } else {
    return Status(Code::kNotFound, "there is no file or directory \"" + path + "\"")
        .WithHint("create it, or correct the option \"path\"");
  }
  std::vector<std::string> files;
  for (const std::string& root : roots) {
    if (fs::is_directory(root, error)) {
      AddAllBelow(root, files);
    } else {
      files.push_back(root);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<FileState> StateOf(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (!error) {
    const auto modified = fs::last_write_time(path, error);
    if (!error) {
      const auto wall = std::chrono::file_clock::to_sys(modified).time_since_epoch();
      return FileState{static_cast<int64_t>(size),
                       std::chrono::duration_cast<std::chrono::microseconds>(wall).count()};
    }
  }
  return Status(error == std::errc::no_such_file_or_directory ? Code::kNotFound : Code::kIo,
                "cannot read file \"" + path + "\": " + error.message());
}

}  // namespace millrace::connectors::filesystem
