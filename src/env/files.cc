#include "env/files.h"

namespace millrace::env {

Result<std::string> ReadWholeFile(FileSystem& files, const std::string& path) {
  MR_ASSIGN_OR_RETURN(auto file, files.Open(path, OpenMode::kRead));
  MR_ASSIGN_OR_RETURN(int64_t size, file->Size());
  std::string content(static_cast<size_t>(size), '\0');
  MR_ASSIGN_OR_RETURN(size_t got, file->ReadAt(0, content.data(), content.size()));
  content.resize(got);
  return content;
}

Status ReplaceFile(FileSystem& files, const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  {
    MR_ASSIGN_OR_RETURN(auto file, files.Open(temporary, OpenMode::kCreate));
    MR_RETURN_IF_ERROR(file->Truncate(0));
    MR_RETURN_IF_ERROR(file->WriteAt(0, {&content, 1}));
    MR_RETURN_IF_ERROR(file->Sync());
  }
  MR_RETURN_IF_ERROR(files.Rename(temporary, path));
  return files.SyncDirectory(ParentDirectory(path));
}

std::string ParentDirectory(std::string_view path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string_view::npos) return ".";
  if (slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

}  // namespace millrace::env
