// The machine's files behind env/files.h (POSIX).
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "env/files.h"
#include "env/rename_new.h"

namespace millrace::env {

namespace {

Status SystemError(const char* action, const std::string& path, int error) {
  const std::string message = "cannot " + std::string(action) + " \"" + path +
                              "\": " + std::generic_category().message(error);
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return Status(Code::kResourceExhausted, message)
          .WithRetry(Retry::kBackoff)
          .WithHint("free space on the disk that holds it, or raise the quota");
    case ENOENT:
      return Status(Code::kNotFound, message);
    case EEXIST:
      return Status(Code::kAlreadyExists, message);
    case EMFILE:
    case ENFILE:
      return Status(Code::kResourceExhausted, message)
          .WithRetry(Retry::kBackoff)
          .WithHint("raise the limit on open files (ulimit -n)");
    default:
      return Status(Code::kIo, message);
  }
}

// Repeats a system call that a signal has cut short.
template <typename Call>
auto Retrying(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class RealFile : public File {
 public:
  RealFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  Result<size_t> ReadAt(int64_t offset, char* to, size_t length) override {
    size_t done = 0;
    while (done < length) {
      const ssize_t n = Retrying([&] {
        return pread(fd_.get(), to + done, length - done, offset + static_cast<int64_t>(done));
      });
      if (n < 0) return SystemError("read", path_, errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Status WriteAt(int64_t offset, std::span<const std::string_view> parts) override {
    constexpr size_t kPartsPerCall = 256;
    std::array<iovec, kPartsPerCall> vectors;
    size_t part = 0;     // first part that is not wholly written
    size_t written = 0;  // bytes of it that are
    while (part < parts.size()) {
      const size_t count = std::min(kPartsPerCall, parts.size() - part);
      for (size_t i = 0; i < count; i++) {
        const size_t skip = i == 0 ? written : 0;
        vectors[i].iov_base = const_cast<char*>(parts[part + i].data() + skip);
        vectors[i].iov_len = parts[part + i].size() - skip;
      }
      ssize_t n = Retrying(
          [&] { return pwritev(fd_.get(), vectors.data(), static_cast<int>(count), offset); });
      if (n < 0) return SystemError("write to", path_, errno);
      const size_t part_before = part;
      offset += n;
      auto left = static_cast<size_t>(n);
      while (part < parts.size() && left >= parts[part].size() - written) {
        left -= parts[part].size() - written;
        written = 0;
        part++;
      }
      written += left;
      // The system may write nothing without an error; asking again for ever would be worse.
      if (n == 0 && part == part_before) return SystemError("write to", path_, EIO);
    }
    return {};
  }

  int descriptor() const override { return fd_.get(); }

  Status Sync() override {
    if (Retrying([&] { return fdatasync(fd_.get()); }) < 0) {
      return SystemError("sync", path_, errno);
    }
    return {};
  }

  Status Truncate(int64_t size) override {
    if (Retrying([&] { return ftruncate(fd_.get(), size); }) < 0) {
      return SystemError("truncate", path_, errno);
    }
    return {};
  }

  Result<int64_t> Size() override {
    struct stat info;
    if (fstat(fd_.get(), &info) < 0) return SystemError("ask the size of", path_, errno);
    return static_cast<int64_t>(info.st_size);
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class RealLock : public FileLock {
 public:
  explicit RealLock(int fd) : fd_(fd) {}

 private:
  Descriptor fd_;
};

class RealFileSystem : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC | (mode == OpenMode::kRead ? O_RDONLY : O_RDWR);
    if (mode == OpenMode::kCreate) flags |= O_CREAT;
    const int fd = Retrying([&] { return open(path.c_str(), flags, 0644); });
    if (fd < 0) return SystemError("open", path, errno);
    return std::unique_ptr<File>(new RealFile(fd, path));
  }

  Status CreateDirectories(const std::string& path) override {
    if (path.empty() || mkdir(path.c_str(), 0755) == 0) {
      return path.empty() ? Status() : SyncDirectory(ParentDirectory(path));
    }
    if (errno == ENOENT && ParentDirectory(path) != path) {
      MR_RETURN_IF_ERROR(CreateDirectories(ParentDirectory(path)));
      if (mkdir(path.c_str(), 0755) == 0) return SyncDirectory(ParentDirectory(path));
    }
    const int error = errno;
    struct stat info;
    if (error == EEXIST && stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return SystemError("create directory", path, error);
  }

  Status CreateDirectory(const std::string& path) override {
    if (mkdir(path.c_str(), 0755) < 0) return SystemError("create directory", path, errno);
    return {};
  }

  Result<std::vector<std::string>> List(const std::string& path) override {
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) return SystemError("list", path, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(directory)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int error = errno;
    closedir(directory);
    if (error != 0) return SystemError("list", path, error);
    std::sort(names.begin(), names.end());
    return names;
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) < 0) {
      return SystemError("rename", from, errno).Annotate("to \"" + to + "\"");
    }
    return {};
  }

  Status Remove(const std::string& path) override {
    if (remove(path.c_str()) < 0) return SystemError("remove", path, errno);
    return {};
  }

  Status SyncDirectory(const std::string& path) override {
    const Descriptor fd(
        Retrying([&] { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (fd.get() < 0) return SystemError("open directory", path, errno);
    if (Retrying([&] { return fsync(fd.get()); }) < 0) {
      return SystemError("sync directory", path, errno);
    }
    return {};
  }

  Result<int64_t> Size(const std::string& path) override {
    struct stat info;
    if (stat(path.c_str(), &info) < 0) return SystemError("ask the size of", path, errno);
    return static_cast<int64_t>(info.st_size);
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    const int fd = Retrying([&] { return open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); });
    if (fd < 0) return SystemError("open", path, errno);
    auto lock = std::make_unique<RealLock>(fd);
    if (Retrying([&] { return flock(fd, LOCK_EX | LOCK_NB); }) < 0) {
      if (errno != EWOULDBLOCK) return SystemError("lock", path, errno);
      char text[32] = {};
      const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
      const long pid = n > 0 ? std::strtol(text, nullptr, 10) : 0;
      return Status(Code::kFailedPrecondition,
                    "\"" + path + "\" is locked by " +
                        (pid > 0 ? "process " + std::to_string(pid) : "another process"))
          .WithHint("stop that process first, or use another directory");
    }
    const std::string pid = std::to_string(getpid()) + "\n";
    if (ftruncate(fd, 0) < 0 ||
        pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
      return SystemError("write to", path, errno);
    }
    return std::unique_ptr<FileLock>(std::move(lock));
  }
};

}  // namespace

Status RenameNew(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) < 0) {
    return SystemError("rename", from, errno).Annotate("to \"" + to + "\"");
  }
  return {};
}

FileSystem* FileSystem::Real() {
  static RealFileSystem files;
  return &files;
}

}  // namespace millrace::env
