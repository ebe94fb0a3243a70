#include <set>

#include "connectors/delta/table_store.h"
#include "env/rename_new.h"

namespace millrace::connectors::delta {

namespace {

class LocalStore : public TableStore {
 public:
  LocalStore(env::FileSystem& files, std::string directory, const std::string& writer)
      : files_(files),
        directory_(std::move(directory)),
        aside_(directory_ + "/_delta_log/." + writer + ".tmp") {}

  Status Open(duckdb::Connection&) override {
    return files_.CreateDirectories(directory_ + "/_delta_log");
  }

  bool remote() const override { return false; }

  Result<std::vector<std::string>> List(const std::string& directory) override {
    return files_.List(directory);
  }

  Result<std::vector<std::string>> FindSettled(const std::string& prefix, size_t levels) override {
    std::vector<std::string> found;
    MR_RETURN_IF_ERROR(Find(directory_ + "/", prefix, levels, found));
    return found;
  }

  Result<std::string> Read(const std::string& path) override {
    return env::ReadWholeFile(files_, path);
  }

  Result<bool> Exists(const std::string& path) override { return files_.Size(path).ok(); }

  Status WriteNew(const std::string& path, std::string_view text) override {
    {
      MR_ASSIGN_OR_RETURN(auto file, files_.Open(aside_, env::OpenMode::kCreate));
      MR_RETURN_IF_ERROR(file->Truncate(0));
      MR_RETURN_IF_ERROR(file->WriteAt(0, {{text}}));
      MR_RETURN_IF_ERROR(file->Sync());
    }
    MR_RETURN_IF_ERROR(env::RenameNew(aside_, path));
    return files_.SyncDirectory(env::ParentDirectory(path));
  }

  Status Replace(const std::string& path, std::string_view text) override {
    return env::ReplaceFile(files_, path, text);
  }

  std::string staging() const override { return aside_ + ".staged"; }

  Status Publish(const std::string& staged, const std::string& path) override {
    {
      MR_ASSIGN_OR_RETURN(auto file, files_.Open(staged, env::OpenMode::kWrite));
      MR_RETURN_IF_ERROR(file->Sync());
    }
    MR_RETURN_IF_ERROR(files_.Rename(staged, path));
    return files_.SyncDirectory(env::ParentDirectory(path));
  }

  Status MakeDurable(const std::vector<std::string>& paths) override {
    std::set<std::string> directories;
    for (std::string path : paths) {
      MR_ASSIGN_OR_RETURN(auto file, files_.Open(path, env::OpenMode::kWrite));
      MR_RETURN_IF_ERROR(file->Sync());
      while (path.size() > directory_.size()) {
        path = env::ParentDirectory(path);
        directories.insert(path);
      }
    }
    for (const std::string& directory : directories) {
      MR_RETURN_IF_ERROR(files_.SyncDirectory(directory));
    }
    return Status::Ok();
  }

  Status Remove(const std::string& path) override {
    Status removed = files_.Remove(path);
    return removed.code() == Code::kNotFound ? Status::Ok() : removed;
  }

 private:
  // `below`: ends with '/'.
  Status Find(const std::string& below, const std::string& prefix, size_t levels,
              std::vector<std::string>& found) {
    MR_ASSIGN_OR_RETURN(auto names, files_.List(below));
    for (const std::string& name : names) {
      if (levels > 0 && name.find('=') != std::string::npos) {
        MR_RETURN_IF_ERROR(Find(below + name + "/", prefix, levels - 1, found));
      } else if (name.starts_with(prefix)) {
        found.push_back(below + name);
      }
    }
    return Status::Ok();
  }

  env::FileSystem& files_;
  const std::string directory_;
  const std::string aside_;  // what is not there yet
};

}  // namespace

std::unique_ptr<TableStore> NewLocalStore(env::FileSystem& files, std::string directory,
                                          const std::string& writer) {
  return std::make_unique<LocalStore>(files, std::move(directory), writer);
}

}  // namespace millrace::connectors::delta
