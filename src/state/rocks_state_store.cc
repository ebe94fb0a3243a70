// StateStore over RocksDB. A small checkpoint is one synced write batch; a large one is table files
// that the database takes over in one step (state/checkpoint_files.h). Either is written by a
// thread of its own.
#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <cstring>
#include <filesystem>
#include <future>
#include <optional>
#include <utility>

#include "state/checkpoint_files.h"
#include "state/state_keys.h"
#include "state/state_store.h"

namespace millrace::state {

namespace {

constexpr const char* kEpochKey = "epoch";
constexpr size_t kRunBytes = 64 << 20;   // of a checkpoint, gathered in memory before it is written
constexpr size_t kSmallBytes = 1 << 20;  // a checkpoint up to this goes through the database's log

rocksdb::Options StoreOptions() {
  rocksdb::Options options;
  options.create_if_missing = true;
  // Millrace runs several jobs in one process: keep each store small and quiet.
  options.write_buffer_size = 8 << 20;
  options.max_write_buffer_number = 2;
  options.max_background_jobs = 1;
  options.max_open_files = 64;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::WARN_LEVEL;
  // A checkpoint's files are merged with older ones only when there are many: that is most of what
  // a state of rows that change costs, and to read them again after a crash is cheap.
  options.level0_file_num_compaction_trigger = 12;
  options.level0_slowdown_writes_trigger = 30;
  options.level0_stop_writes_trigger = 50;
  // Written once, read after a crash, in order: nothing to gain from packing or from small blocks.
  options.compression = rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 64 << 10;
  table.checksum = rocksdb::kXXH3;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
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

class RocksStateStore : public StateStore {
 public:
  explicit RocksStateStore(std::string directory)
      : directory_(std::move(directory)),
        options_(StoreOptions()),
        pending_(directory_ + ".pending", options_, kRunBytes) {}

  Status Open() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_ + ".pending", ignored);  // of a checkpoint cut off
    rocksdb::DB* db = nullptr;
    MR_RETURN_IF_ERROR(FromRocks(rocksdb::DB::Open(options_, directory_, &db), directory_));
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

  void Begin(model::Epoch epoch, const std::function<void(StateWriter&)>& write) override {
    pending_.Start(epoch);
    write(pending_);
    pending_.Put(kJobEntries, kEpochKey, {reinterpret_cast<const char*>(&epoch), sizeof epoch});
    pending_epoch_ = epoch;
    StartWriting();
  }

  bool UnderWay() const override { return pending_epoch_.has_value(); }

  bool Settled() const override {
    return !writing_.valid() ||
           writing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  Status Finish() override {
    if (!pending_epoch_) return Status::Ok();
    // After an error what was gathered waits here for the next call.
    if (!writing_.valid()) StartWriting();
    MR_RETURN_IF_ERROR(FromRocks(writing_.get(), directory_));
    last_bytes_ = pending_.bytes();
    pending_.Clear();
    epoch_ = *std::exchange(pending_epoch_, std::nullopt);
    return Status::Ok();
  }

  int64_t last_bytes() const override { return last_bytes_; }

 private:
  void StartWriting() {
    writing_ = std::async(std::launch::async, [this] {
      return pending_.IsSmall(kSmallBytes) ? WriteBatch() : TakeFiles();
    });
  }

  rocksdb::Status WriteBatch() {
    rocksdb::WriteBatch batch;
    pending_.AppendTo(batch);
    rocksdb::WriteOptions options;
    options.sync = true;
    return db_->Write(options, &batch);
  }

  rocksdb::Status TakeFiles() {
    rocksdb::Status finished = pending_.Finish();
    if (!finished.ok()) return finished;
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    options.failed_move_fall_back_to_copy = true;
    return db_->IngestExternalFile(pending_.paths(), options);
  }

  const std::string directory_;
  const rocksdb::Options options_;
  std::unique_ptr<rocksdb::DB> db_;
  model::Epoch epoch_ = 0;
  // The checkpoint under way; while it is being written only the writing thread touches pending_.
  CheckpointFiles pending_;
  std::optional<model::Epoch> pending_epoch_;
  int64_t last_bytes_ = 0;
  std::future<rocksdb::Status> writing_;  // its destructor waits
};

}  // namespace

Result<std::unique_ptr<StateStore>> StateStore::Open(const std::string& directory) {
  auto store = std::make_unique<RocksStateStore>(directory);
  MR_RETURN_IF_ERROR(store->Open());
  return std::unique_ptr<StateStore>(std::move(store));
}

}  // namespace millrace::state
