#include "duck/remote_files.h"

#include <algorithm>
#include <duckdb/common/file_system.hpp>
#include <duckdb/main/client_context.hpp>

#include "duck/door.h"
#include "duck/extensions.h"
#include "duck/warehouse.h"

namespace millrace::duck {

namespace {

// What a listing tells of a file, or else the store when it is asked.
RemoteFile Told(duckdb::FileSystem& files, const duckdb::OpenFileInfo& file, std::string path) {
  RemoteFile told{.path = std::move(path)};
  if (file.extended_info) {
    const auto& options = file.extended_info->options;
    const auto size = options.find("file_size"), modified = options.find("last_modified");
    if (size != options.end() && modified != options.end()) {
      told.bytes = size->second.GetValue<int64_t>();
      told.modified_us =
          modified->second.DefaultCastAs(duckdb::LogicalType::TIMESTAMP).GetValue<int64_t>();
      return told;
    }
  }
  auto handle = files.OpenFile(file, duckdb::FileFlags::FILE_FLAGS_READ);
  told.bytes = static_cast<int64_t>(handle->GetFileSize());
  told.modified_us = files.GetLastModifiedTime(*handle).value;
  return told;
}

}  // namespace

Status WithFiles(duckdb::Connection& connection,
                 const std::function<void(duckdb::FileSystem&)>& body) {
  return AtTheDoor([&] {
    duckdb::ClientContext& context = *connection.context;
    context.RunFunctionInTransaction([&] { body(duckdb::FileSystem::GetFileSystem(context)); });
    return Status::Ok();
  });
}

Status LoadRemoteFiles(duckdb::Connection& connection) {
  if (duckdb::DatabaseInstance::GetDatabase(*connection.context).ExtensionIsLoaded("httpfs")) {
    return Status::Ok();
  }
  MR_RETURN_IF_ERROR(UseExtensions(connection));
  MR_RETURN_IF_ERROR(ExplainMissingExtension(Warehouse::Execute(connection, "LOAD httpfs")));
  return Warehouse::Execute(connection, "SET allow_persistent_secrets = false");
}

Result<std::vector<RemoteFile>> ListRemoteFiles(duckdb::Connection& connection,
                                                const std::string& directory) {
  std::vector<RemoteFile> found;
  MR_RETURN_IF_ERROR(WithFiles(connection, [&](duckdb::FileSystem& files) {
    for (const auto& file : files.Glob(directory + "/**")) {
      // Some stores list names with "%" in a way that DuckDB does not understand.
      if (!file.path.starts_with(directory + "/")) continue;
      found.push_back(Told(files, file, file.path.substr(directory.size() + 1)));
    }
  }));
  std::sort(found.begin(), found.end(),
            [](const RemoteFile& a, const RemoteFile& b) { return a.path < b.path; });
  return found;
}

Status UploadFile(duckdb::Connection& connection, const std::string& local,
                  const std::string& target) {
  return WithFiles(connection, [&](duckdb::FileSystem& files) {
    auto from = files.OpenFile(local, duckdb::FileFlags::FILE_FLAGS_READ);
    auto to = files.OpenFile(target, duckdb::FileFlags::FILE_FLAGS_WRITE |
                                         duckdb::FileFlags::FILE_FLAGS_FILE_CREATE_NEW);
    std::string buffer(1 << 20, '\0');
    for (;;) {
      const int64_t size = from->Read(buffer.data(), buffer.size());
      if (size == 0) break;
      to->Write(buffer.data(), static_cast<duckdb::idx_t>(size));
    }
    to->Close();  // completes the upload
  });
}

Status RemoveRemoteFile(duckdb::Connection& connection, const std::string& path) {
  return WithFiles(connection, [&](duckdb::FileSystem& files) { files.RemoveFile(path); });
}

}  // namespace millrace::duck
