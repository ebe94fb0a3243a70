#include "state/checkpoint_files.h"

#include <fmt/format.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "state/state_keys.h"

namespace millrace::state {

namespace {
constexpr size_t kBlockBytes = 1 << 20;

rocksdb::Slice ToSlice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
}  // namespace

// ---- SortedRun --------------------------------------------------------------------------------

char* SortedRun::Allocate(size_t size) {
  if (size > kBlockBytes) {
    large_.push_back(std::make_unique_for_overwrite<char[]>(size));
    return large_.back().get();
  }
  if (blocks_used_ == 0 || block_size_used_ + size > kBlockBytes) {
    if (blocks_used_ == blocks_.size())
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(kBlockBytes));
    blocks_used_++;
    block_size_used_ = 0;
  }
  char* at = blocks_[blocks_used_ - 1].get() + block_size_used_;
  block_size_used_ += size;
  return at;
}

void SortedRun::Add(uint32_t operator_id, std::string_view key, std::string_view value,
                    bool deleted) {
  const size_t key_size = kOperatorIdBytes + key.size();
  char* at = Allocate(key_size + value.size());
  WriteOperatorId(operator_id, at);
  std::memcpy(at + kOperatorIdBytes, key.data(), key.size());
  if (!value.empty()) std::memcpy(at + key_size, value.data(), value.size());
  Change change{{at, key_size}, {at + key_size, value.size()}, deleted};
  sorted_ = sorted_ && (changes_.empty() || changes_.back().key < change.key);
  changes_.push_back(change);
  bytes_ += key_size + value.size();
}

void SortedRun::AddDeletedRange(DeletedRange range) {
  range.at = changes_.size();
  bytes_ += range.first.size() + range.last.size();
  ranges_.push_back(std::move(range));
}

void SortedRun::Clear() {
  changes_.clear();
  ranges_.clear();
  large_.clear();
  blocks_used_ = 0;
  block_size_used_ = 0;
  sorted_ = true;
  bytes_ = 0;
}

void SortedRun::AppendTo(rocksdb::WriteBatch& batch) const {
  size_t range = 0;
  for (size_t i = 0; i <= changes_.size(); i++) {
    for (; range < ranges_.size() && ranges_[range].at == i; range++)
      batch.DeleteRange(ranges_[range].first, ranges_[range].last);
    if (i == changes_.size()) return;
    if (changes_[i].deleted) {
      batch.Delete(ToSlice(changes_[i].key));
    } else {
      batch.Put(ToSlice(changes_[i].key), ToSlice(changes_[i].value));
    }
  }
}

std::vector<SortedRun::Change> SortedRun::Sorted() const {
  std::vector<uint32_t> order(changes_.size());
  std::iota(order.begin(), order.end(), 0);
  auto key = [&](uint32_t i) { return changes_[i].key; };
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return key(a) < key(b); });
  std::vector<bool> gone(changes_.size(), false);
  for (const DeletedRange& range : ranges_) {
    auto it =
        std::lower_bound(order.begin(), order.end(), range.first,
                         [&](uint32_t i, const std::string& first) { return key(i) < first; });
    for (; it != order.end() && key(*it) < range.last; ++it) {
      if (*it < range.at) gone[*it] = true;
    }
  }
  std::vector<Change> sorted;
  sorted.reserve(order.size());
  for (size_t i = 0; i < order.size(); i++) {
    bool overruled = i + 1 < order.size() && key(order[i + 1]) == key(order[i]);
    if (!overruled && !gone[order[i]]) sorted.push_back(changes_[order[i]]);
  }
  return sorted;
}

rocksdb::Status SortedRun::WriteTo(const std::string& path, const rocksdb::Options& options) {
  // What is written once and read after a crash need not go through the page cache; file systems
  // that cannot do without it (tmpfs) say so on open.
  rocksdb::EnvOptions direct;
  direct.use_direct_writes = true;
  auto file = std::make_unique<rocksdb::SstFileWriter>(direct, options);
  if (!file->Open(path).ok()) {
    file = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), options);
    rocksdb::Status opened = file->Open(path);
    if (!opened.ok()) return opened;
  }
  auto write = [&](const std::vector<Change>& changes) {
    rocksdb::Status status;
    for (size_t i = 0; status.ok() && i < changes.size(); i++) {
      status = changes[i].deleted ? file->Delete(ToSlice(changes[i].key))
                                  : file->Put(ToSlice(changes[i].key), ToSlice(changes[i].value));
    }
    return status;
  };
  // A range does not cover keys of its own file: those that it deletes are left out instead.
  rocksdb::Status status = sorted_ && ranges_.empty() ? write(changes_) : write(Sorted());
  for (size_t i = 0; status.ok() && i < ranges_.size(); i++)
    status = file->DeleteRange(ranges_[i].first, ranges_[i].last);
  return status.ok() ? file->Finish() : status;
}

// ---- CheckpointFiles --------------------------------------------------------------------------

CheckpointFiles::CheckpointFiles(std::string directory, rocksdb::Options options, size_t run_bytes)
    : directory_(std::move(directory)), options_(std::move(options)), run_bytes_(run_bytes) {}

void CheckpointFiles::Start(model::Epoch epoch) {
  Clear();
  epoch_ = epoch;
}

void CheckpointFiles::Clear() {
  run_.Clear();
  paths_.clear();
  bytes_written_ = 0;
  failing_ = false;
}

// A file of its own for each operator that has much to write: files whose keys do not touch those
// of others need no merging, ever.
void CheckpointFiles::MakeRoomFor(uint32_t operator_id) {
  bool other = operator_id != operator_id_ && run_.bytes() >= run_bytes_ / 8;
  if (!failing_ && (other || run_.bytes() >= run_bytes_)) failing_ = !WriteRun().ok();
  operator_id_ = operator_id;
}

void CheckpointFiles::Put(uint32_t operator_id, std::string_view key, std::string_view value) {
  MakeRoomFor(operator_id);
  run_.Add(operator_id, key, value, false);
}

void CheckpointFiles::Delete(uint32_t operator_id, std::string_view key) {
  MakeRoomFor(operator_id);
  run_.Add(operator_id, key, {}, true);
}

void CheckpointFiles::DeletePrefix(uint32_t operator_id, std::string_view prefix) {
  MakeRoomFor(operator_id);
  std::string first = FullKey(operator_id, prefix);
  run_.AddDeletedRange({first, AfterPrefix(first)});
}

rocksdb::Status CheckpointFiles::WriteRun() {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);  // else opening the file says why
  std::string path = fmt::format("{}/{}-{}.sst", directory_, epoch_, paths_.size());
  std::filesystem::remove(path, error);  // of an attempt that failed
  rocksdb::Status status = run_.WriteTo(path, options_);
  if (!status.ok()) return status;
  paths_.push_back(path);
  bytes_written_ += static_cast<int64_t>(run_.bytes());
  run_.Clear();
  return status;
}

rocksdb::Status CheckpointFiles::Finish() {
  return run_.empty() ? rocksdb::Status::OK() : WriteRun();
}

}  // namespace millrace::state
