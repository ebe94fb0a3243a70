#include "env/fault_files.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace millrace::env {

namespace {

constexpr size_t kSector = 512;

Status NotFound(const char* what, const std::string& path) {
  return Status(Code::kNotFound,
                std::string("cannot ") + what + " \"" + path + "\": no such file or directory");
}

void Apply(std::string& to, int64_t offset, std::string_view bytes) {
  const size_t end = static_cast<size_t>(offset) + bytes.size();
  if (to.size() < end) to.resize(end, '\0');
  std::memcpy(to.data() + offset, bytes.data(), bytes.size());
}

}  // namespace

class FaultFileSystem::OpenFile : public File {
 public:
  OpenFile(FaultFileSystem* fs, std::shared_ptr<Node> node, std::string path, uint64_t boot)
      : fs_(fs), node_(std::move(node)), path_(std::move(path)), boot_(boot) {
    fs_->open_files_++;
  }
  ~OpenFile() override {
    std::lock_guard lock(fs_->mutex_);
    fs_->open_files_--;
  }

  Result<size_t> ReadAt(int64_t offset, char* to, size_t length) override {
    std::lock_guard lock(fs_->mutex_);
    MR_RETURN_IF_ERROR(Alive("read"));
    const auto start = static_cast<size_t>(offset);
    if (start >= node_->data.size()) return size_t{0};
    const size_t n = std::min(length, node_->data.size() - start);
    std::memcpy(to, node_->data.data() + start, n);
    return n;
  }

  Status WriteAt(int64_t offset, std::span<const std::string_view> parts) override {
    std::lock_guard lock(fs_->mutex_);
    MR_RETURN_IF_ERROR(Alive("write to"));
    std::string bytes;
    for (const auto& part : parts) bytes.append(part);
    bool partial = false;
    Status status = fs_->Begin("write to", path_, &partial);
    if (!status.ok()) {
      if (!partial) return status;
      bytes.resize(fs_->random_() % (bytes.size() + 1));
    }
    const auto size = static_cast<int64_t>(node_->data.size());
    const int64_t growth = std::max<int64_t>(0, offset + static_cast<int64_t>(bytes.size()) - size);
    const int64_t room = fs_->capacity_ < 0 ? growth : fs_->capacity_ - fs_->UsedLocked();
    if (status.ok() && growth > room) {
      const int64_t fits =
          static_cast<int64_t>(bytes.size()) - (growth - std::max<int64_t>(0, room));
      bytes.resize(static_cast<size_t>(std::max<int64_t>(0, fits)));
      status = Status(Code::kResourceExhausted,
                      "cannot write to \"" + path_ + "\": no space left on device")
                   .WithRetry(Retry::kBackoff);
    }
    if (!bytes.empty()) {
      Apply(node_->data, offset, bytes);
      node_->unsynced.push_back({false, offset, std::move(bytes)});
    }
    return status;
  }

  Status Sync() override {
    std::lock_guard lock(fs_->mutex_);
    MR_RETURN_IF_ERROR(Alive("sync"));
    bool partial = false;
    MR_RETURN_IF_ERROR(fs_->Begin("sync", path_, &partial));
    if (fs_->failing_syncs_ > 0) {
      fs_->failing_syncs_--;
      return Status(Code::kIo, "cannot sync \"" + path_ + "\": planned failure");
    }
    for (const Write& write : node_->unsynced) {
      if (write.truncate) {
        node_->synced.resize(static_cast<size_t>(write.offset), '\0');
      } else {
        Apply(node_->synced, write.offset, write.bytes);
      }
    }
    node_->unsynced.clear();
    return {};
  }

  Status Truncate(int64_t size) override {
    std::lock_guard lock(fs_->mutex_);
    MR_RETURN_IF_ERROR(Alive("truncate"));
    bool partial = false;
    MR_RETURN_IF_ERROR(fs_->Begin("truncate", path_, &partial));
    node_->data.resize(static_cast<size_t>(size), '\0');
    node_->unsynced.push_back({true, size, {}});
    return {};
  }

  Result<int64_t> Size() override {
    std::lock_guard lock(fs_->mutex_);
    MR_RETURN_IF_ERROR(Alive("ask the size of"));
    return static_cast<int64_t>(node_->data.size());
  }

 private:
  Status Alive(const char* what) const {
    if (boot_ != fs_->boot_) {
      return Status(Code::kIo, std::string("cannot ") + what + " \"" + path_ +
                                   "\": it was opened before the last restart");
    }
    return fs_->Alive(what, path_);
  }

  FaultFileSystem* fs_;
  std::shared_ptr<Node> node_;
  std::string path_;
  uint64_t boot_;
};

class FaultFileSystem::HeldLock : public FileLock {
 public:
  HeldLock(FaultFileSystem* fs, std::string path, uint64_t boot)
      : fs_(fs), path_(std::move(path)), boot_(boot) {}
  ~HeldLock() override {
    std::lock_guard lock(fs_->mutex_);
    if (boot_ == fs_->boot_) fs_->locks_.erase(path_);
  }

 private:
  FaultFileSystem* fs_;
  std::string path_;
  uint64_t boot_;
};

FaultFileSystem::FaultFileSystem(uint64_t seed) : random_(seed) {}
FaultFileSystem::~FaultFileSystem() = default;

void FaultFileSystem::FailOperation(int64_t n, Status error) {
  std::lock_guard lock(mutex_);
  planned_[operations_ + n] = std::move(error);
}

void FaultFileSystem::FailSyncs(int count) {
  std::lock_guard lock(mutex_);
  failing_syncs_ = count;
}

void FaultFileSystem::CrashAt(int64_t n) {
  std::lock_guard lock(mutex_);
  crash_at_ = operations_ + n;
}

void FaultFileSystem::SetCapacity(int64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

// Which of a file's unsynced writes are on the disk when the power comes back.
std::string FaultFileSystem::Survivors(const Node& node, std::mt19937_64& random) {
  std::string bytes = node.synced;
  const uint64_t kind = random() % 4;
  const size_t count = kind == 0   ? 0
                       : kind == 2 ? random() % (node.unsynced.size() + 1)
                                   : node.unsynced.size();
  for (size_t i = 0; i < count; i++) {
    const Write& write = node.unsynced[i];
    if (write.truncate) {
      if (kind != 3 || random() % 2 == 0) bytes.resize(static_cast<size_t>(write.offset), '\0');
      continue;
    }
    if (kind != 3) {
      const bool torn = kind == 2 && i + 1 == count;
      const size_t n = torn ? random() % (write.bytes.size() + 1) : write.bytes.size();
      Apply(bytes, write.offset, std::string_view(write.bytes).substr(0, n));
      continue;
    }
    // Sectors reach the disk in any order; the length may be written before any of them.
    const size_t old_size = bytes.size();
    const size_t end = static_cast<size_t>(write.offset) + write.bytes.size();
    if (end > bytes.size()) bytes.resize(end, '\0');
    const char garbage = static_cast<char>(random() % 2 == 0 ? 0 : random());
    for (size_t at = static_cast<size_t>(write.offset); at < end;) {
      const size_t stop = std::min(end, (at / kSector + 1) * kSector);
      if (random() % 2 == 0) {
        const auto part =
            std::string_view(write.bytes).substr(at - static_cast<size_t>(write.offset), stop - at);
        Apply(bytes, static_cast<int64_t>(at), part);
      } else {
        for (size_t b = std::max(at, old_size); b < stop; b++) bytes[b] = garbage;
      }
      at = stop;
    }
  }
  return bytes;
}

void FaultFileSystem::Restart() {
  std::lock_guard lock(mutex_);
  std::map<std::string, size_t> total;
  for (const Change& change : unsynced_changes_) total[change.directory]++;
  std::map<std::string, size_t> kept;
  for (const auto& [directory, n] : total) kept[directory] = random_() % (n + 1);
  for (const Change& change : unsynced_changes_) {
    if (kept[change.directory] == 0) continue;
    kept[change.directory]--;
    for (const auto& [path, node] : change.entries) {
      if (node) {
        synced_entries_[path] = node;
      } else {
        synced_entries_.erase(path);
      }
    }
  }
  unsynced_changes_.clear();
  entries_ = synced_entries_;
  for (auto& [path, node] : entries_) {
    if (node->directory) continue;
    node->data = Survivors(*node, random_);
    node->synced = node->data;
    node->unsynced.clear();
  }
  locks_.clear();
  planned_.clear();
  crash_at_ = -1;
  failing_syncs_ = 0;
  crashed_ = false;
  boot_++;
}

int64_t FaultFileSystem::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}
bool FaultFileSystem::crashed() const {
  std::lock_guard lock(mutex_);
  return crashed_;
}
int FaultFileSystem::open_files() const {
  std::lock_guard lock(mutex_);
  return open_files_;
}
int64_t FaultFileSystem::used_bytes() const {
  std::lock_guard lock(mutex_);
  return UsedLocked();
}

int64_t FaultFileSystem::UsedLocked() const {
  int64_t sum = 0;
  for (const auto& [path, node] : entries_) sum += static_cast<int64_t>(node->data.size());
  return sum;
}

void FaultFileSystem::SetContent(const std::string& path, std::string bytes) {
  std::lock_guard lock(mutex_);
  auto& node = entries_[path];
  if (!node) node = std::make_shared<Node>();
  synced_entries_[path] = node;
  node->unsynced.clear();
  node->synced = bytes;
  node->data = std::move(bytes);
}

std::string FaultFileSystem::Content(const std::string& path) const {
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(path);
  return it == entries_.end() ? std::string() : it->second->data;
}

Status FaultFileSystem::Alive(const char* what, const std::string& path) const {
  if (!crashed_) return {};
  return Status(Code::kIo, std::string("cannot ") + what + " \"" + path + "\": the power is off");
}

Status FaultFileSystem::Begin(const char* what, const std::string& path, bool* partial) {
  operations_++;
  if (operations_ == crash_at_) {
    crashed_ = true;
    *partial = true;
    return Alive(what, path);
  }
  const auto it = planned_.find(operations_);
  if (it == planned_.end()) return {};
  Status error = std::move(it->second);
  planned_.erase(it);
  *partial = true;
  return error;
}

void FaultFileSystem::ChangeEntries(Change change) {
  for (const auto& [path, node] : change.entries) {
    if (node) {
      entries_[path] = node;
    } else {
      entries_.erase(path);
    }
  }
  unsynced_changes_.push_back(std::move(change));
}

Result<std::unique_ptr<File>> FaultFileSystem::Open(const std::string& path, OpenMode mode) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(Alive("open", path));
  auto it = entries_.find(path);
  if (it == entries_.end()) {
    const std::string parent = ParentDirectory(path);
    if (mode != OpenMode::kCreate || !entries_.contains(parent)) return NotFound("open", path);
    bool partial = false;
    MR_RETURN_IF_ERROR(Begin("create", path, &partial));
    ChangeEntries({parent, {{path, std::make_shared<Node>()}}});
    it = entries_.find(path);
  }
  if (it->second->directory) {
    return Status(Code::kIo, "cannot open \"" + path + "\": is a directory");
  }
  return std::unique_ptr<File>(new OpenFile(this, it->second, path, boot_));
}

Status FaultFileSystem::CreateDirectories(const std::string& path) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(Alive("create directory", path));
  for (std::string p = path; !entries_.contains(p); p = ParentDirectory(p)) {
    // Durable on return, and so is every earlier change there, the removal of this name included.
    SyncEntries(ParentDirectory(p));
    auto node = std::make_shared<Node>();
    node->directory = true;
    entries_[p] = node;
    synced_entries_[p] = node;
    if (ParentDirectory(p) == p) break;
  }
  return {};
}

Status FaultFileSystem::CreateDirectory(const std::string& path) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(Alive("create directory", path));
  const std::string parent = ParentDirectory(path);
  if (!entries_.contains(parent)) return NotFound("create directory", path);
  if (entries_.contains(path)) {
    return Status(Code::kAlreadyExists, "cannot create directory \"" + path + "\": it exists");
  }
  bool partial = false;
  MR_RETURN_IF_ERROR(Begin("create directory", path, &partial));
  auto node = std::make_shared<Node>();
  node->directory = true;
  ChangeEntries({parent, {{path, node}}});
  return {};
}

Result<std::vector<std::string>> FaultFileSystem::List(const std::string& path) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(Alive("list", path));
  if (!entries_.contains(path)) return NotFound("list", path);
  std::vector<std::string> names;
  for (const auto& [entry, node] : entries_) {
    if (entry != path && ParentDirectory(entry) == path) {
      names.push_back(entry.substr(path == "/" ? 1 : path.size() + 1));
    }
  }
  return names;
}

Status FaultFileSystem::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(Alive("rename", from));
  const auto it = entries_.find(from);
  if (it == entries_.end()) return NotFound("rename", from);
  bool partial = false;
  MR_RETURN_IF_ERROR(Begin("rename", from, &partial));
  ChangeEntries({ParentDirectory(to), {{to, it->second}, {from, nullptr}}});
  return {};
}

Status FaultFileSystem::Remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(Alive("remove", path));
  if (!entries_.contains(path)) return NotFound("remove", path);
  const auto next = std::next(entries_.find(path));
  if (next != entries_.end() && next->first.starts_with(path + "/")) {
    return Status(Code::kIo, "cannot remove \"" + path + "\": directory not empty");
  }
  bool partial = false;
  MR_RETURN_IF_ERROR(Begin("remove", path, &partial));
  ChangeEntries({ParentDirectory(path), {{path, nullptr}}});
  return {};
}

Status FaultFileSystem::SyncDirectory(const std::string& path) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(Alive("sync directory", path));
  if (!entries_.contains(path)) return NotFound("sync directory", path);
  bool partial = false;
  MR_RETURN_IF_ERROR(Begin("sync directory", path, &partial));
  SyncEntries(path);
  return {};
}

void FaultFileSystem::SyncEntries(const std::string& directory) {
  std::erase_if(unsynced_changes_, [&](const Change& change) {
    if (change.directory != directory) return false;
    for (const auto& [entry, node] : change.entries) {
      if (node) {
        synced_entries_[entry] = node;
      } else {
        synced_entries_.erase(entry);
      }
    }
    return true;
  });
}

Result<int64_t> FaultFileSystem::Size(const std::string& path) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(Alive("ask the size of", path));
  const auto it = entries_.find(path);
  if (it == entries_.end()) return NotFound("ask the size of", path);
  return static_cast<int64_t>(it->second->data.size());
}

Result<std::unique_ptr<FileLock>> FaultFileSystem::Lock(const std::string& path) {
  std::lock_guard lock(mutex_);
  MR_RETURN_IF_ERROR(Alive("lock", path));
  if (!locks_.insert(path).second) {
    return Status(Code::kFailedPrecondition, "\"" + path + "\" is locked by this process");
  }
  return std::unique_ptr<FileLock>(new HeldLock(this, path, boot_));
}

}  // namespace millrace::env
