// StateStore over RocksDB. All changes of a checkpoint are one synced write batch.
#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <cstring>

#include "state/state_store.h"

namespace millrace::state {

namespace {

constexpr const char* kEpochKey = "epoch";

std::string FullKey(uint32_t operator_id, std::string_view key) {
  std::string full(4, '\0');
  for (size_t i = 0; i < 4; i++) full[i] = static_cast<char>(operator_id >> (24 - 8 * i));
  full.append(key);
  return full;
}

// The smallest key that is greater than every key that starts with `prefix`.
std::string AfterPrefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xFF) prefix.pop_back();
  if (!prefix.empty())
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

Status FromRocks(const rocksdb::Status& status, const std::string& directory) {
  if (status.ok()) return Status::Ok();
  std::string what = fmt::format("state in {}: {}", directory, status.ToString());
  if (status.IsCorruption()) {
    return Status(Code::kCorruption, what)
        .WithHint("the log still has the input: delete this directory to compute the state again");
  }
  if (status.IsNoSpace()) {
    return Status(Code::kResourceExhausted, what).WithRetry(Retry::kBackoff);
  }
  if (status.ToString().find("lock") != std::string::npos) {
    return Status(Code::kFailedPrecondition, what).WithHint("another process runs this job");
  }
  return Status(Code::kIo, what);
}

class BatchWriter : public StateWriter {
 public:
  explicit BatchWriter(rocksdb::WriteBatch& batch) : batch_(batch) {}
  void Put(uint32_t operator_id, std::string_view key, std::string_view value) override {
    batch_.Put(FullKey(operator_id, key), rocksdb::Slice(value.data(), value.size()));
  }
  void Delete(uint32_t operator_id, std::string_view key) override {
    batch_.Delete(FullKey(operator_id, key));
  }
  void DeletePrefix(uint32_t operator_id, std::string_view prefix) override {
    std::string first = FullKey(operator_id, prefix);
    batch_.DeleteRange(first, AfterPrefix(first));
  }

 private:
  rocksdb::WriteBatch& batch_;
};

class RocksStateStore : public StateStore {
 public:
  explicit RocksStateStore(std::string directory) : directory_(std::move(directory)) {}

  Status Open() {
    rocksdb::Options options;
    options.create_if_missing = true;
    // Millrace runs several jobs in one process: keep each store small and quiet.
    options.write_buffer_size = 8 << 20;
    options.max_write_buffer_number = 2;
    options.max_background_jobs = 1;
    options.max_open_files = 64;
    options.keep_log_file_num = 2;
    options.info_log_level = rocksdb::WARN_LEVEL;
    rocksdb::DB* db = nullptr;
    MR_RETURN_IF_ERROR(FromRocks(rocksdb::DB::Open(options, directory_, &db), directory_));
    db_.reset(db);
    Scan(kJobEntries, kEpochKey, [&](std::string_view, std::string_view value) {
      std::memcpy(&epoch_, value.data(), sizeof epoch_);
    });
    return Status::Ok();
  }

  void Scan(uint32_t operator_id, std::string_view prefix,
            const std::function<void(std::string_view, std::string_view)>& visit) const override {
    std::string first = FullKey(operator_id, prefix);
    std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
    for (it->Seek(first); it->Valid() && it->key().starts_with(first); it->Next()) {
      visit({it->key().data() + 4, it->key().size() - 4}, {it->value().data(), it->value().size()});
    }
  }

  model::Epoch epoch() const override { return epoch_; }

  Status Checkpoint(model::Epoch epoch, const std::function<void(StateWriter&)>& write,
                    size_t bytes_expected) override {
    // `write` hands over changes once; when the disk refuses them they wait here for the retry.
    if (unwritten_epoch_ != epoch) {
      unwritten_ = rocksdb::WriteBatch(bytes_expected);
      BatchWriter writer(unwritten_);
      write(writer);
      writer.Put(kJobEntries, kEpochKey, {reinterpret_cast<const char*>(&epoch), sizeof epoch});
      unwritten_epoch_ = epoch;
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    MR_RETURN_IF_ERROR(FromRocks(db_->Write(options, &unwritten_), directory_));
    unwritten_ = rocksdb::WriteBatch();
    unwritten_epoch_ = -1;
    epoch_ = epoch;
    return Status::Ok();
  }

 private:
  std::string directory_;
  std::unique_ptr<rocksdb::DB> db_;
  model::Epoch epoch_ = 0;
  rocksdb::WriteBatch unwritten_;
  model::Epoch unwritten_epoch_ = -1;
};

}  // namespace

Result<std::unique_ptr<StateStore>> StateStore::Open(const std::string& directory) {
  auto store = std::make_unique<RocksStateStore>(directory);
  MR_RETURN_IF_ERROR(store->Open());
  return std::unique_ptr<StateStore>(std::move(store));
}

}  // namespace millrace::state
