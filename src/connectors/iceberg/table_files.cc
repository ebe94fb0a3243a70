#include "connectors/iceberg/table_files.h"

#include "base/strings.h"
#include "duck/door.h"
#include "duck/warehouse.h"
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
  auto bytes = duck::AtTheDoor([&]() -> Result<std::string> {
    auto& files = duckdb::FileSystem::GetFileSystem(*connection_.context);
    auto handle = files.OpenFile(PathOf(location), duckdb::FileFlags::FILE_FLAGS_READ);
    std::string content(static_cast<size_t>(handle->GetFileSize()), '\0');
    handle->Read(content.data(), content.size(), 0);
    return content;
  });
  if (!bytes.ok()) return ForStore(std::move(bytes).status());
  return bytes;
}

Status TableFiles::Write(const std::string& location, std::string_view bytes) {
  MR_RETURN_IF_ERROR(ForStore(duck::AtTheDoor([&]() -> Status {
    auto& files = duckdb::FileSystem::GetFileSystem(*connection_.context);
    auto handle =
        files.OpenFile(PathOf(location), duckdb::FileFlags::FILE_FLAGS_WRITE |
                                             duckdb::FileFlags::FILE_FLAGS_FILE_CREATE_NEW);
    handle->Write(const_cast<char*>(bytes.data()), bytes.size());
    handle->Close();
    return Status::Ok();
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
  return ForStore(duck::AtTheDoor([&]() -> Status {
    auto& files = duckdb::FileSystem::GetFileSystem(*connection_.context);
    const std::string path = PathOf(location);
    if (files.FileExists(path)) files.RemoveFile(path);
    return Status::Ok();
  }));
}

Result<std::vector<TableFiles::Listed>> TableFiles::List(const std::string& directory) {
  const std::string path = PathOf(directory);
  auto rows = duck::Warehouse::QueryOn(
      connection_,
      "SELECT filename, epoch_us(last_modified) FROM read_blob(" + QuoteLiteral(path + "/*") + ")");
  std::vector<Listed> listed;
  if (!rows.ok()) {
    // A pattern that nothing fits is an error to DuckDB.
    if (rows.status().message().find("No files found") != std::string::npos) return listed;
    return ForStore(std::move(rows).status());
  }
  for (size_t i = 0; i < rows->row_count(); i++) {
    // Named as the table's metadata names them.
    const std::string name = rows->Get(i, 0).ToString().substr(path.size());
    listed.push_back({directory + name, rows->Get(i, 1).GetValue<int64_t>()});
  }
  return listed;
}

}  // namespace millrace::connectors::iceberg
