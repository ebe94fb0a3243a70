#include <algorithm>

#include "connectors/delta/table_store.h"
#include "connectors/s3/s3_objects.h"
#include "duck/remote_files.h"

namespace millrace::connectors::delta {

namespace {

constexpr int64_t kTimeoutMs = 30'000;
// A commit that was given up may reach the store after all, and then needs its files.
constexpr int64_t kSettledAfterUs = 3'600'000'000;

Status MayPass(Status status) {
  return status.ok() ? std::move(status) : std::move(status).WithRetry(Retry::kBackoff);
}

class S3Store : public TableStore {
 public:
  S3Store(const s3::Access& access, env::Clock& clock, std::string directory,
          const std::string& writer, const std::string& staging)
      : access_(access),
        clock_(clock),
        directory_(std::move(directory)),
        writer_(writer),
        staging_(staging),
        objects_(access, directory_, kTimeoutMs) {}

  Status Open(duckdb::Connection& connection) override {
    connection_ = &connection;
    MR_RETURN_IF_ERROR(MayPass(s3::UseAccess(connection, access_)));
    MR_RETURN_IF_ERROR(env::FileSystem::Real()->CreateDirectories(staging_));
    // Readers of the log pass over names that begin so.
    return objects_.CheckWriteNew(directory_ + "/_delta_log/." + writer_ + ".probe");
  }

  bool remote() const override { return true; }

  Result<std::vector<std::string>> List(const std::string& directory) override {
    MR_ASSIGN_OR_RETURN(const auto files, Listed(directory));
    std::vector<std::string> names;
    for (const duck::RemoteFile& file : files) {
      if (file.path.find('/') == std::string::npos) names.push_back(file.path);
    }
    return names;
  }

  Result<std::vector<std::string>> FindSettled(const std::string& prefix, size_t levels) override {
    MR_ASSIGN_OR_RETURN(const auto files, Listed(directory_));
    const int64_t settled_us = clock_.WallMicros() - kSettledAfterUs;
    std::vector<std::string> found;
    for (const duck::RemoteFile& file : files) {
      const size_t name = file.path.rfind('/') + 1;  // 0 where there is none
      const auto below = std::count(file.path.begin(), file.path.end(), '/');
      if (file.modified_us < settled_us && static_cast<size_t>(below) == levels &&
          file.path.compare(name, prefix.size(), prefix) == 0) {
        found.push_back(directory_ + "/" + file.path);
      }
    }
    return found;
  }

  Result<std::string> Read(const std::string& path) override { return objects_.Read(path); }
  Result<bool> Exists(const std::string& path) override { return objects_.Exists(path); }

  Status WriteNew(const std::string& path, std::string_view text) override {
    return objects_.WriteNew(path, text);
  }

  Status Replace(const std::string& path, std::string_view text) override {
    return objects_.Write(path, text);
  }

  std::string staging() const override { return staging_ + "/" + writer_ + ".tmp"; }

  Status Publish(const std::string& staged, const std::string& path) override {
    MR_RETURN_IF_ERROR(MayPass(duck::UploadFile(*connection_, staged, path)));
    return env::FileSystem::Real()->Remove(staged);
  }

  // An object is, once it is there.
  Status MakeDurable(const std::vector<std::string>&) override { return Status::Ok(); }

  Status Remove(const std::string& path) override { return objects_.Remove(path); }

 private:
  Result<std::vector<duck::RemoteFile>> Listed(const std::string& directory) {
    auto files = duck::ListRemoteFiles(*connection_, directory);
    if (!files.ok()) return MayPass(std::move(files).status());
    return files;
  }

  const s3::Access access_;
  env::Clock& clock_;
  const std::string directory_;
  const std::string writer_;
  const std::string staging_;
  s3::S3Objects objects_;
  duckdb::Connection* connection_ = nullptr;
};

}  // namespace

std::unique_ptr<TableStore> NewS3Store(const s3::Access& access, env::Clock& clock,
                                       std::string directory, const std::string& writer,
                                       const std::string& staging) {
  return std::make_unique<S3Store>(access, clock, std::move(directory), writer, staging);
}

}  // namespace millrace::connectors::delta
