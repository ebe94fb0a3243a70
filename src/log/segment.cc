#include "log/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "log/batch_reader.h"

namespace millrace::log {

Segment::Segment(env::FileSystem* files, OpenFiles* open_files, std::string directory,
                 int64_t base_offset, int64_t durable_bytes)
    : files_(files),
      open_files_(open_files),
      directory_(std::move(directory)),
      base_offset_(base_offset),
      durable_bytes_(durable_bytes) {}

std::string Segment::Path(std::string_view suffix) const {
  return directory_ + "/" + SegmentName(base_offset_) + std::string(suffix);
}

void Segment::Grow(int64_t end) {
  NoteChecked(durable_bytes(), end);
  durable_bytes_.store(end, std::memory_order_release);
}

void Segment::NoteChecked(int64_t position, int64_t end) {
  int64_t checked = checked_bytes();
  while (position <= checked && checked < end &&
         !checked_bytes_.compare_exchange_weak(checked, end, std::memory_order_relaxed)) {
  }
}

Result<std::shared_ptr<env::File>> Segment::File(env::OpenMode mode) {
  last_used_.store(open_files_->Tick(), std::memory_order_relaxed);
  std::shared_ptr<env::File> file;
  {
    std::lock_guard lock(file_mutex_);
    if (file_ && (writable_ || mode == env::OpenMode::kRead)) return file_;
    MR_ASSIGN_OR_RETURN(file_, files_->Open(path(), mode));
    writable_ = mode != env::OpenMode::kRead;
    file = file_;
  }
  open_files_->Opened(shared_from_this());
  return file;
}

bool Segment::CloseIfIdle(uint64_t used) {
  std::lock_guard lock(file_mutex_);
  if (last_used() != used || kept_open_) return false;
  file_.reset();
  return true;
}

Status Segment::KeepOpen() {
  MR_RETURN_IF_ERROR(PrepareIndex());
  {
    std::lock_guard lock(file_mutex_);
    kept_open_ = true;
  }
  return File(env::OpenMode::kRead).status();
}

Result<IndexEntry> Segment::FindOffset(int64_t offset) {
  std::lock_guard lock(index_mutex_);
  MR_RETURN_IF_ERROR(PrepareIndexLocked());
  return index_->FloorOffset(offset);
}

Result<IndexEntry> Segment::FindTime(int64_t timestamp_ms) {
  std::lock_guard lock(index_mutex_);
  MR_RETURN_IF_ERROR(PrepareIndexLocked());
  return index_->FloorTime(timestamp_ms);
}

Result<std::optional<IndexEntry>> Segment::FindPosition(int64_t position) {
  std::lock_guard lock(index_mutex_);
  MR_RETURN_IF_ERROR(PrepareIndexLocked());
  const IndexEntry* entry = index_->FirstFrom(position);
  return entry == nullptr ? std::nullopt : std::optional<IndexEntry>(*entry);
}

Result<IndexEntry> Segment::FindLast(int64_t offset, int64_t position) {
  std::lock_guard lock(index_mutex_);
  MR_RETURN_IF_ERROR(PrepareIndexLocked());
  const IndexEntry by_offset = index_->FloorOffset(offset);
  const IndexEntry by_position = index_->FloorPosition(position);
  return by_offset.position < by_position.position ? by_offset : by_position;
}

Result<int64_t> Segment::MaxTimestamp() {
  std::lock_guard lock(index_mutex_);
  MR_RETURN_IF_ERROR(PrepareIndexLocked());
  return index_->max_timestamp_ms();
}

Status Segment::PrepareIndex() {
  std::lock_guard lock(index_mutex_);
  return PrepareIndexLocked();
}

Status Segment::PrepareIndexLocked() {
  if (index_) return {};
  if (durable_bytes() == 0) {
    index_.emplace(base_offset_);
    persisted_entries_ = 0;
    return {};
  }
  // A missing or unreadable index is an empty one: the segment itself has all that it says.
  auto offsets = env::ReadWholeFile(*files_, Path(".index"));
  auto times = env::ReadWholeFile(*files_, Path(".timeindex"));
  index_ = SegmentIndex::Decode(base_offset_, offsets.ok() ? *offsets : std::string(),
                                times.ok() ? *times : std::string(), durable_bytes());
  persisted_entries_ = index_->entry_count();
  Status status = ExtendIndexLocked();
  if (!status.ok()) index_.reset();
  return status;
}

// Follows the headers from where the index ends.
Status Segment::ExtendIndexLocked() {
  constexpr size_t kBlock = 64 << 10;
  MR_ASSIGN_OR_RETURN(const auto file, File(env::OpenMode::kRead));
  int64_t position = index_->covered_bytes();
  if (position > 0) {
    // An entry that does not point to its batch shows that the files are not this segment's.
    Buffer buffer;
    BatchReader reader(*file, position, durable_bytes(), kBatchHeaderSize, buffer);
    MR_ASSIGN_OR_RETURN(const auto header, reader.Header());
    if (!header || header->base_offset != index_->FloorOffset(INT64_MAX).offset) {
      index_.emplace(base_offset_);
      persisted_entries_ = 0;
      position = 0;
    }
  }
  Buffer buffer;
  BatchReader reader(*file, position, durable_bytes(), kBlock, buffer);
  while (true) {
    MR_ASSIGN_OR_RETURN(const auto header, reader.Header());
    if (!header) return {};  // the end, or damage that reading will meet and report
    index_->Add(*header, reader.position());
    reader.Advance(*header);
  }
}

void Segment::AddToIndex(const BatchHeader& header, int64_t position) {
  std::lock_guard lock(index_mutex_);
  if (index_) index_->Add(header, position);
}

void Segment::PersistIndex() {
  std::lock_guard lock(index_mutex_);
  if (!index_ || index_->entry_count() == persisted_entries_) return;
  const auto append = [&](std::string_view suffix, std::string_view bytes) -> Status {
    const auto entry_bytes = bytes.size() / (index_->entry_count() - persisted_entries_);
    MR_ASSIGN_OR_RETURN(const auto file, files_->Open(Path(suffix), env::OpenMode::kCreate));
    const auto start = static_cast<int64_t>(persisted_entries_ * entry_bytes);
    MR_RETURN_IF_ERROR(file->Truncate(start));
    return file->WriteAt(start, {&bytes, 1});
  };
  if (append(".index", index_->EncodeOffsets(persisted_entries_)).ok() &&
      append(".timeindex", index_->EncodeTimes(persisted_entries_)).ok()) {
    persisted_entries_ = index_->entry_count();
  }
}

Status Segment::RebuildIndex() {
  std::lock_guard lock(index_mutex_);
  index_.emplace(base_offset_);
  persisted_entries_ = 0;
  return ExtendIndexLocked();
}

std::string SegmentName(int64_t base_offset) {
  return fmt::format("{:020}", base_offset);
}

std::optional<int64_t> ParseSegmentName(std::string_view name) {
  int64_t base = 0;
  if (name.size() != 20 || name[0] == '-') return std::nullopt;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), base);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return base;
}

void OpenFiles::Opened(std::shared_ptr<Segment> segment) {
  std::vector<std::pair<uint64_t, std::shared_ptr<Segment>>> used;
  {
    std::lock_guard lock(mutex_);
    open_.push_back(std::move(segment));
    if (open_.size() <= limit_) return;
    for (auto& weak : open_) {
      if (auto strong = weak.lock()) used.emplace_back(strong->last_used(), std::move(strong));
    }
    // A segment opened twice (for reading, then writing) is listed twice.
    std::sort(used.begin(), used.end());
    used.erase(std::unique(used.begin(), used.end()), used.end());
    const size_t closing = used.size() > limit_ / 2 ? used.size() - limit_ / 2 : 0;
    open_.clear();
    for (size_t i = closing; i < used.size(); i++) open_.push_back(used[i].second);
    used.resize(closing);
  }
  for (auto& [tick, idle] : used) {
    if (idle->CloseIfIdle(tick)) continue;
    std::lock_guard lock(mutex_);
    open_.push_back(idle);
  }
}

}  // namespace millrace::log
