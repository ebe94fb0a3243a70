#include "project/history/history_place.h"

#include <algorithm>
#include <string_view>

#include "env/files.h"

namespace millrace::project {

namespace {

constexpr std::string_view kStaged = "segment.tmp";

env::FileSystem& Files() {
  return *env::FileSystem::Real();
}

bool IsMissing(const Status& status) {
  return status.code() == Code::kNotFound;
}

class LocalPlace : public HistoryPlace {
 public:
  Result<std::vector<duck::RemoteFile>> List(const std::string& directory) override {
    std::vector<duck::RemoteFile> files;
    MR_RETURN_IF_ERROR(ListBelow(directory, "", files));
    return files;
  }

  Result<std::string> Stage(const std::string& directory) override {
    MR_RETURN_IF_ERROR(Files().CreateDirectories(directory));
    return directory + "/" + std::string(kStaged);
  }

  Status Publish(const std::string& staged, const std::string& path) override {
    {
      MR_ASSIGN_OR_RETURN(auto written, Files().Open(staged, env::OpenMode::kWrite));
      MR_RETURN_IF_ERROR(written->Sync());
    }
    MR_RETURN_IF_ERROR(Files().Rename(staged, path));
    return Files().SyncDirectory(env::ParentDirectory(path));
  }

  Status Remove(const std::string& path) override {
    Status removed = Files().Remove(path);
    return IsMissing(removed) ? Status::Ok() : removed;
  }

  Status RemoveOthers(const std::string& directory, const std::string& kept) override {
    const auto names = Files().List(directory);
    if (!names.ok()) return IsMissing(names.status()) ? Status::Ok() : names.status();
    for (const std::string& name : *names) {
      if (name != kept) MR_RETURN_IF_ERROR(RemoveTree(directory + "/" + name));
    }
    return Status::Ok();
  }

 private:
  static Status ListBelow(const std::string& directory, const std::string& below,
                          std::vector<duck::RemoteFile>& files) {
    auto names = Files().List(directory);
    if (!names.ok()) return IsMissing(names.status()) ? Status::Ok() : names.status();
    std::sort(names->begin(), names->end());
    for (const std::string& name : *names) {
      const std::string path = directory + "/" + name;
      // Names of files have a suffix, those of directories none.
      if (name.find('.') == std::string::npos) {
        MR_RETURN_IF_ERROR(ListBelow(path, below + name + "/", files));
        continue;
      }
      MR_ASSIGN_OR_RETURN(const int64_t bytes, Files().Size(path));
      files.push_back({below + name, bytes});
    }
    return Status::Ok();
  }

  static Status RemoveTree(const std::string& path) {
    if (auto names = Files().List(path); names.ok()) {
      for (const std::string& name : *names) MR_RETURN_IF_ERROR(RemoveTree(path + "/" + name));
    }
    return Files().Remove(path);
  }
};

class RemotePlace : public HistoryPlace {
 public:
  RemotePlace(duck::Warehouse& database, std::string staging)
      : database_(database), staging_(std::move(staging)) {}

  Result<std::vector<duck::RemoteFile>> List(const std::string& directory) override {
    auto files = duck::ListRemoteFiles(*database_.Connect(), directory);
    if (!files.ok()) return AskAgain(files.status(), directory);
    return files;
  }

  Result<std::string> Stage(const std::string&) override {
    MR_RETURN_IF_ERROR(Files().CreateDirectories(staging_));
    return staging_ + "/" + std::string(kStaged);
  }

  Status Publish(const std::string& staged, const std::string& path) override {
    MR_RETURN_IF_ERROR(AskAgain(duck::UploadFile(*database_.Connect(), staged, path), path));
    return Files().Remove(staged);
  }

  Status Remove(const std::string& path) override {
    return AskAgain(duck::RemoveRemoteFile(*database_.Connect(), path), path);
  }

  Status RemoveOthers(const std::string&, const std::string&) override { return Status::Ok(); }

 private:
  duck::Warehouse& database_;
  const std::string staging_;
};

}  // namespace

std::unique_ptr<HistoryPlace> NewLocalPlace() {
  return std::make_unique<LocalPlace>();
}

std::unique_ptr<HistoryPlace> NewRemotePlace(duck::Warehouse& database, std::string staging) {
  return std::make_unique<RemotePlace>(database, std::move(staging));
}

Status AskAgain(Status status, const std::string& path) {
  if (status.ok() || path.find("://") == std::string::npos) return status;
  return std::move(status).Annotate("\"" + path + "\"").WithRetry(Retry::kBackoff);
}

}  // namespace millrace::project
