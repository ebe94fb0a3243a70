#include "state/entry_files.h"

#include <fmt/format.h>

#include <cstring>

#include "state/entry_bytes.h"

namespace millrace::state {

Status EntryFiles::Open(const Take& take) {
  MR_RETURN_IF_ERROR(files_->CreateDirectories(directory_));
  MR_ASSIGN_OR_RETURN(std::vector<std::string> names, files_->List(directory_));
  for (const std::string& name : names) {
    if (name.rfind(prefix_, 0) == 0) paths_.push_back(directory_ + "/" + name);
  }
  for (const std::string& path : paths_) {
    MR_ASSIGN_OR_RETURN(std::string content, ReadWholeFile(*files_, path));
    std::string_view rest = content;
    size_ = 0;
    while (auto payload = EntryAt(rest)) {
      model::Epoch epoch = 0;
      if (payload->size() < sizeof epoch) break;
      std::memcpy(&epoch, payload->data(), sizeof epoch);
      const int64_t size = static_cast<int64_t>(payload->size());
      const int64_t head = static_cast<int64_t>(kEntryHead);
      if (!take(epoch, *payload, {path, size_ + head, size})) break;
      last_epoch_ = epoch;
      rest.remove_prefix(kEntryHead + payload->size());
      size_ += head + size;
    }
  }
  if (paths_.empty()) return Status::Ok();
  MR_ASSIGN_OR_RETURN(file_, files_->Open(paths_.back(), env::OpenMode::kWrite));
  MR_RETURN_IF_ERROR(file_->Truncate(size_));
  return file_->Sync();
}

Status EntryFiles::Append(model::Epoch epoch, std::string_view payload) {
  if (!file_) {
    const std::string path = fmt::format("{}/{}{:020}", directory_, prefix_, epoch);
    MR_ASSIGN_OR_RETURN(file_, files_->Open(path, env::OpenMode::kCreate));
    size_ = 0;
    paths_.push_back(path);
    MR_RETURN_IF_ERROR(files_->SyncDirectory(directory_));
  }
  const std::string head = EntryHead(payload);
  const std::string_view parts[] = {head, payload};
  MR_RETURN_IF_ERROR(file_->WriteAt(size_, parts));
  size_ += static_cast<int64_t>(head.size() + payload.size());
  last_epoch_ = epoch;
  return Status::Ok();
}

Status EntryFiles::Sync() {
  return file_ ? file_->Sync() : Status::Ok();
}

Result<std::string> EntryFiles::Read(const EntryPlace& place) const {
  MR_ASSIGN_OR_RETURN(auto file, files_->Open(place.path, env::OpenMode::kRead));
  std::string payload(static_cast<size_t>(place.size), '\0');
  MR_ASSIGN_OR_RETURN(const size_t read,
                      file->ReadAt(place.offset, payload.data(), payload.size()));
  if (read == payload.size()) return payload;
  return Status(Code::kCorruption,
                fmt::format("{} has lost its end since it was opened", place.path))
      .WithHint("something else wrote to it: restore the file, or the job's state");
}

Result<bool> EntryFiles::ForgetUpTo(model::Epoch epoch) {
  if (last_epoch_ > epoch) return false;
  file_.reset();
  for (const std::string& path : paths_) {
    Status removed = files_->Remove(path);
    if (!removed.ok() && removed.code() != Code::kNotFound) return removed;
  }
  paths_.clear();
  size_ = 0;
  return true;
}

}  // namespace millrace::state
