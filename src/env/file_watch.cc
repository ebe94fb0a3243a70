#include "env/file_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "env/clock.h"

namespace millrace::env {

namespace fs = std::filesystem;

namespace {

// Not IN_MODIFY: a file counts when its writer has closed it. A new one counts at once, too: it may
// be a link.
constexpr uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                             IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR;

constexpr int64_t kLongestWaitFactor = 10;

Status Failed(const std::string& what, int error) {
  return Status(Code::kIo, what + ": " + std::strerror(error));
}

}  // namespace

Result<std::unique_ptr<FileWatch>> FileWatch::Open() {
  const int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify < 0 && errno == EMFILE) {
    return Status(Code::kResourceExhausted, "files cannot be watched: too many programs do already")
        .WithHint("raise the limit: sysctl fs.inotify.max_user_instances=1024");
  }
  if (inotify < 0) return Failed("files cannot be watched", errno);
  const int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) {
    const int error = errno;
    close(inotify);
    return Failed("files cannot be watched", error);
  }
  return std::unique_ptr<FileWatch>(new FileWatch(inotify, wake));
}

FileWatch::~FileWatch() {
  close(inotify_);
  close(wake_);
}

void FileWatch::Interrupt() {
  const uint64_t one = 1;
  (void)!write(wake_, &one, sizeof(one));
}

Status FileWatch::AddOne(const std::string& directory, bool below) {
  const int watch = inotify_add_watch(inotify_, directory.c_str(), kEvents);
  if (watch < 0 && errno == ENOSPC) {
    return Status(Code::kResourceExhausted,
                  "\"" + directory + "\" cannot be watched: the system's limit is reached, after " +
                      std::to_string(numbers_.size()) + " directories of ours")
        .WithHint("raise the limit: sysctl fs.inotify.max_user_watches=524288");
  }
  if (watch < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return Status::Ok();  // gone again
    return Failed("\"" + directory + "\" cannot be watched", errno);
  }
  // The system knows a directory by what it is, not by its name.
  if (auto known = directories_.find(watch); known != directories_.end()) {
    numbers_.erase(known->second.path);
  }
  directories_[watch] = {directory, below};
  numbers_[directory] = watch;
  return Status::Ok();
}

Status FileWatch::AddTree(const std::string& directory) {
  // Itself first: what is made in it meanwhile is then told.
  MR_RETURN_IF_ERROR(AddOne(directory, true));
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (it->is_symlink(error) || !it->is_directory(error)) continue;
    MR_RETURN_IF_ERROR(AddTree(it->path().string()));
  }
  return Status::Ok();
}

Result<bool> FileWatch::Add(const std::string& directory, bool below) {
  if (auto known = numbers_.find(directory); known != numbers_.end()) {
    if (directories_[known->second].below || !below) return false;
  }
  MR_RETURN_IF_ERROR(below ? AddTree(directory) : AddOne(directory, false));
  return numbers_.contains(directory);
}

// With all below it: it is gone, or has another name, which is told by itself.
void FileWatch::Drop(const std::string& directory) {
  for (auto it = numbers_.lower_bound(directory); it != numbers_.end();) {
    if (!it->first.starts_with(directory)) break;
    if (it->first.size() > directory.size() && it->first[directory.size()] != '/') {
      ++it;
      continue;
    }
    inotify_rm_watch(inotify_, it->second);
    directories_.erase(it->second);
    it = numbers_.erase(it);
  }
}

Status FileWatch::TakeEvent(int watch, uint32_t mask, const std::string& name,
                            FileChanges& changes) {
  if ((mask & IN_Q_OVERFLOW) != 0) {
    changes.lost = true;
    return Status::Ok();
  }
  auto found = directories_.find(watch);
  if (found == directories_.end()) return Status::Ok();  // of one that was dropped
  const Directory directory = found->second;
  if ((mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
    changes.paths.insert(directory.path);
    Drop(directory.path);
    return Status::Ok();
  }
  const std::string path = directory.path + "/" + name;
  if ((mask & IN_ISDIR) != 0) {
    changes.paths.insert(path);
    if ((mask & (IN_MOVED_FROM | IN_DELETE)) != 0) Drop(path);
    if ((mask & (IN_MOVED_TO | IN_CREATE)) == 0 || !directory.below) return Status::Ok();
    Drop(path);  // of a directory that had the name before
    return AddTree(path);
  }
  changes.paths.insert(path);
  return Status::Ok();
}

Result<bool> FileWatch::ReadEvents(FileChanges& changes) {
  alignas(inotify_event) std::array<char, 64 << 10> buffer;
  const ssize_t size = read(inotify_, buffer.data(), buffer.size());
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (size < 0) return Failed("changes of files cannot be read", errno);
  for (ssize_t at = 0; at < size;) {
    inotify_event event;
    std::memcpy(&event, buffer.data() + at, sizeof(event));
    const std::string name = event.len > 0 ? buffer.data() + at + sizeof(event) : "";
    at += static_cast<ssize_t>(sizeof(event)) + event.len;
    MR_RETURN_IF_ERROR(TakeEvent(event.wd, event.mask, name, changes));
  }
  return true;
}

Result<FileChanges> FileWatch::Wait(int64_t quiet_ms) {
  FileChanges changes;
  int64_t first_us = 0;
  for (;;) {
    std::array<pollfd, 2> watched = {pollfd{inotify_, POLLIN, 0}, pollfd{wake_, POLLIN, 0}};
    const int ready =
        poll(watched.data(), watched.size(), changes.empty() ? -1 : static_cast<int>(quiet_ms));
    if (ready < 0 && errno != EINTR) return Failed("waiting for changes of files", errno);
    if ((watched[1].revents & POLLIN) != 0) {
      uint64_t count = 0;
      (void)!read(wake_, &count, sizeof(count));
      return FileChanges{};
    }
    if (ready == 0) return changes;
    MR_RETURN_IF_ERROR(ReadEvents(changes).status());
    const int64_t now_us = Clock::System()->MonotonicMicros();
    if (first_us == 0 && !changes.empty()) first_us = now_us;
    if (first_us > 0 && now_us - first_us > kLongestWaitFactor * quiet_ms * 1000) return changes;
  }
}

}  // namespace millrace::env
