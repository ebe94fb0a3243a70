#include "log/log.h"

#include <condition_variable>
#include <mutex>

#include "log/log_impl.h"

namespace millrace::log {

Result<std::unique_ptr<Log>> Log::Open(const LogOptions& options) {
  auto log = std::make_unique<LogImpl>(options);
  MR_RETURN_IF_ERROR(log->Start());
  return std::unique_ptr<Log>(std::move(log));
}

// A log of a test that stands in for this one need not know batches.
void Log::AppendBatch(const std::string&, int, std::string_view, AppendCallback done) {
  done({Status(Code::kUnsupported, "this log takes no encoded batches"), -1});
}

void Log::AppendMarker(const std::string&, int, const TransactionMarker&, AppendCallback done) {
  done({Status(Code::kUnsupported, "this log knows no transactions"), -1});
}

Result<std::vector<AbortedTransaction>> Log::Aborted(const std::string&, int, int64_t,
                                                     int64_t) const {
  return std::vector<AbortedTransaction>();
}

Result<BatchRange> Log::FindBatches(const std::string&, int, int64_t, int64_t, int64_t, bool) {
  return Status(Code::kUnsupported, "this log does not keep encoded batches");
}

Result<int64_t> Log::DeleteRecords(const std::string&, int, int64_t) {
  return Status(Code::kUnsupported, "this log does not delete records");
}

Result<std::vector<OffsetRange>> Log::ClosedSegments(const std::string&, int) const {
  return std::vector<OffsetRange>();
}

Status Log::HoldRetention(const std::string&, int, int64_t) {
  return Status(Code::kUnsupported, "this log has no retention");
}

Result<int64_t> Log::AppendAndWait(const std::string& topic, int partition,
                                   std::span<const NewRecord> records,
                                   const ProducerSequence& sequence) {
  if (Committer::OnCommitterThread()) {
    return Status(Code::kInternal, "an append's callback waits for another append")
        .WithHint("call Append from the callback instead; waiting there stops all commits");
  }
  std::mutex mutex;
  std::condition_variable finished;
  bool done = false;
  AppendResult result;
  Append(topic, partition, records, sequence, [&](const AppendResult& r) {
    // Notified under the lock: the waiter destroys both as soon as it has it.
    std::lock_guard lock(mutex);
    result = r;
    done = true;
    finished.notify_one();
  });
  std::unique_lock lock(mutex);
  finished.wait(lock, [&] { return done; });
  MR_RETURN_IF_ERROR(result.status);
  return result.base_offset;
}

}  // namespace millrace::log
