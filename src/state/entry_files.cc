#include "state/entry_files.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <cstring>

#include "state/entry_bytes.h"

namespace millrace::state {

namespace {

constexpr size_t kHeadBytes = 12;
constexpr const char* kPast = "/past";

std::string HeadOf(std::string_view payload) {
  std::string head;
  PutNumber(head, static_cast<uint32_t>(payload.size()));
  PutNumber(head, static_cast<uint64_t>(XXH3_64bits(payload.data(), payload.size())));
  return head;
}

// The payload of the entry that `bytes` begin with; nothing when it is cut off or damaged.
std::optional<std::string_view> PayloadAt(std::string_view bytes) {
  if (bytes.size() < kHeadBytes) return std::nullopt;
  uint32_t size = 0;
  uint64_t sum = 0;
  std::memcpy(&size, bytes.data(), sizeof size);
  std::memcpy(&sum, bytes.data() + sizeof size, sizeof sum);
  if (bytes.size() - kHeadBytes < size) return std::nullopt;
  const std::string_view payload = bytes.substr(kHeadBytes, size);
  if (XXH3_64bits(payload.data(), payload.size()) != sum) return std::nullopt;
  return payload;
}

}  // namespace

EntryFiles::EntryFiles(env::FileSystem* files, std::string directory, std::string prefix)
    : files_(files), directory_(std::move(directory)), prefix_(std::move(prefix)) {}

Result<std::unique_ptr<EntryFiles>> EntryFiles::Open(env::FileSystem* files,
                                                     const std::string& directory,
                                                     const std::string& prefix,
                                                     const Visit& visit) {
  std::unique_ptr<EntryFiles> entries(new EntryFiles(files, directory, prefix));
  MR_RETURN_IF_ERROR(files->CreateDirectories(directory));
  MR_RETURN_IF_ERROR(entries->FindEntries(visit));
  return entries;
}

Status EntryFiles::FindEntries(const Visit& visit) {
  MR_ASSIGN_OR_RETURN(std::vector<std::string> names, files_->List(directory_));
  for (const std::string& name : names) {
    if (name.rfind(prefix_, 0) == 0) all_.push_back({directory_ + "/" + name, 0});
  }
  model::Epoch last = 0;
  for (OneFile& file : all_) {
    MR_ASSIGN_OR_RETURN(std::string content, ReadWholeFile(*files_, file.path));
    std::string_view rest = content;
    size_ = 0;
    while (auto payload = PayloadAt(rest)) {
      const auto size = static_cast<int64_t>(payload->size());
      const auto head = static_cast<int64_t>(kHeadBytes);
      auto epoch = visit(*payload, {file.path, size_ + head, size});
      if (!epoch) break;
      last = *epoch;
      size_ += head + size;
      rest.remove_prefix(kHeadBytes + payload->size());
    }
    file.last = last;
  }
  if (all_.empty()) return Status::Ok();
  MR_ASSIGN_OR_RETURN(open_, files_->Open(all_.back().path, env::OpenMode::kWrite));
  MR_RETURN_IF_ERROR(open_->Truncate(size_));
  return open_->Sync();
}

Result<EntryFiles::Place> EntryFiles::Append(model::Epoch epoch, std::string_view payload) {
  if (payload.size() > UINT32_MAX) {
    return Status(Code::kResourceExhausted,
                  fmt::format("what epoch {} has to remember is {} bytes, more than 4 GiB", epoch,
                              payload.size()))
        .WithHint("set 'millrace.epoch.bytes' lower");
  }
  if (!open_) {
    std::string path = fmt::format("{}/{}{:020}", directory_, prefix_, epoch);
    MR_ASSIGN_OR_RETURN(auto file, files_->Open(path, env::OpenMode::kCreate));
    MR_RETURN_IF_ERROR(files_->SyncDirectory(directory_));
    open_ = std::move(file);
    size_ = 0;
    all_.push_back({path, epoch});
  }
  const std::string head = HeadOf(payload);
  const std::string_view parts[] = {head, payload};
  MR_RETURN_IF_ERROR(open_->WriteAt(size_, parts));
  const Place place{all_.back().path, size_ + static_cast<int64_t>(head.size()),
                    static_cast<int64_t>(payload.size())};
  size_ += static_cast<int64_t>(head.size() + payload.size());
  all_.back().last = epoch;
  return place;
}

Status EntryFiles::Sync() {
  return open_ ? open_->Sync() : Status::Ok();
}

Result<std::string> EntryFiles::Read(const Place& place) const {
  MR_ASSIGN_OR_RETURN(auto file, files_->Open(place.path, env::OpenMode::kRead));
  std::string payload(static_cast<size_t>(place.size), '\0');
  MR_ASSIGN_OR_RETURN(size_t size, file->ReadAt(place.offset, payload.data(), payload.size()));
  if (size == payload.size()) return payload;
  return Status(Code::kCorruption,
                fmt::format("{} ends before byte {}", place.path, place.offset + place.size));
}

void EntryFiles::EndFile() {
  open_.reset();
}

Status EntryFiles::ForgetUpTo(model::Epoch epoch) {
  while (!all_.empty() && all_.front().last <= epoch) {
    if (all_.size() == 1) open_.reset();
    Status forgotten = Forget(all_.front().path);
    if (!forgotten.ok() && forgotten.code() != Code::kNotFound) return forgotten;
    all_.erase(all_.begin());
  }
  return Status::Ok();
}

Status EntryFiles::Forget(const std::string& path) {
  if (past_bytes_max_ == 0) return files_->Remove(path);
  MR_RETURN_IF_ERROR(files_->Rename(path, directory_ + kPast + path.substr(directory_.size())));
  return TrimPast();
}

Status EntryFiles::KeepPast(int64_t bytes_max) {
  past_bytes_max_ = bytes_max;
  if (bytes_max > 0) MR_RETURN_IF_ERROR(files_->CreateDirectories(directory_ + kPast));
  return TrimPast();
}

Status EntryFiles::TrimPast() {
  auto names = files_->List(directory_ + kPast);
  if (!names.ok()) return names.status().code() == Code::kNotFound ? Status::Ok() : names.status();
  int64_t bytes = 0;
  for (auto name = names->rbegin(); name != names->rend(); ++name) {
    if (name->rfind(prefix_, 0) != 0) continue;
    const std::string path = directory_ + kPast + "/" + *name;
    MR_ASSIGN_OR_RETURN(const int64_t size, files_->Size(path));
    bytes += size;
    if (bytes > past_bytes_max_) MR_RETURN_IF_ERROR(files_->Remove(path));
  }
  return Status::Ok();
}

void EntryFiles::VisitPayloads(std::string_view content,
                               const std::function<void(std::string_view payload)>& visit) {
  while (auto payload = PayloadAt(content)) {
    visit(*payload);
    content.remove_prefix(kHeadBytes + payload->size());
  }
}

}  // namespace millrace::state
