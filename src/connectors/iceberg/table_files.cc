#include "connectors/iceberg/table_files.h"

#include "duck/remote_files.h"
#include "env/files.h"

namespace millrace::connectors::iceberg {

namespace {

bool IsLocal(const std::string& path) {
  return path.find("://") == std::string::npos;
}

Status ForStore(Status status) {
  return status.ok() ? std::move(status) : std::move(status).WithRetry(Retry::kBackoff);
}

}  // namespace

std::string PathOf(const std::string& location) {
  if (!location.starts_with("file:")) return location;
  // "file:/x" and "file:///x" are the same.
  const size_t slash = location.find_first_not_of('/', sizeof "file:" - 1);
  return slash == std::string::npos ? "/" : location.substr(slash - 1);
}

Status TableFiles::CreateDirectory(const std::string& location) {
  const std::string path = PathOf(location);
  if (!IsLocal(path)) return Status::Ok();
  return ForStore(env::FileSystem::Real()->CreateDirectories(path));
}

Result<std::string> TableFiles::Read(const std::string& location) {
  std::string content;
  MR_RETURN_IF_ERROR(ForStore(duck::WithFiles(connection_, [&](duckdb::FileSystem& files) {
    auto handle = files.OpenFile(PathOf(location), duckdb::FileFlags::FILE_FLAGS_READ);
    content.assign(static_cast<size_t>(handle->GetFileSize()), '\0');
    handle->Read(content.data(), content.size(), 0);
  })));
  return content;
}

Status TableFiles::Write(const std::string& location, std::string_view bytes) {
  MR_RETURN_IF_ERROR(ForStore(duck::WithFiles(connection_, [&](duckdb::FileSystem& files) {
    auto handle =
        files.OpenFile(PathOf(location), duckdb::FileFlags::FILE_FLAGS_WRITE |
                                             duckdb::FileFlags::FILE_FLAGS_FILE_CREATE_NEW);
    handle->Write(const_cast<char*>(bytes.data()), bytes.size());
    handle->Close();
  })));
  return MakeDurable(location);
}

Status TableFiles::MakeDurable(const std::string& location) {
  const std::string path = PathOf(location);
  if (!IsLocal(path)) return Status::Ok();  // an object is, once it is there
  auto* files = env::FileSystem::Real();
  auto file = files->Open(path, env::OpenMode::kWrite);
  if (!file.ok()) return ForStore(std::move(file).status());
  MR_RETURN_IF_ERROR(ForStore((*file)->Sync()));
  return ForStore(files->SyncDirectory(env::ParentDirectory(path)));
}

Status TableFiles::Remove(const std::string& location) {
  return ForStore(duck::WithFiles(connection_, [&](duckdb::FileSystem& files) {
    const std::string path = PathOf(location);
    // A store does not mind when there is none.
    if (!IsLocal(path) || files.FileExists(path)) files.RemoveFile(path);
  }));
}

Result<std::vector<TableFiles::Listed>> TableFiles::List(const std::string& directory) {
  const std::string path = PathOf(directory);
  std::vector<Listed> listed;
  auto found = duck::ListRemoteFiles(connection_, path);
  if (!found.ok()) return ForStore(std::move(found).status());
  for (const duck::RemoteFile& file : *found) {
    if (file.path.find('/') != std::string::npos) continue;
    // Named as the table's metadata names them.
    listed.push_back({directory + "/" + file.path, file.modified_us});
  }
  return listed;
}

}  // namespace millrace::connectors::iceberg
