// Fetch: whole batches as they lie in the log; waits for more when there are too few.
#include <algorithm>

#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"
#include "kafka/throttle.h"
#include "kafka/worker.h"

namespace millrace::kafka {

namespace {

constexpr int64_t kWaitMaxMs = 30'000;
constexpr int8_t kReadCommitted = 1;
// Fewer bytes go into one packet with the answer; more stay in their files until they are sent.
constexpr int64_t kCopiedBytesMax = 16 << 10;

Status Copy(const log::BatchRange& range, std::string* to) {
  to->resize(static_cast<size_t>(range.bytes));
  char* at = to->data();
  for (const log::BatchSlice& slice : range.slices) {
    const auto length = static_cast<size_t>(slice.bytes);
    MR_ASSIGN_OR_RETURN(const size_t got, slice.file->ReadAt(slice.position, at, length));
    if (got < length) return Status(Code::kCorruption, "a file of the log is shorter than it was");
    at += length;
  }
  return {};
}

class WaitingFetch final : public Waiting {
 public:
  WaitingFetch(Services& services, FetchRequest request, CallPtr call)
      : services_(services), request_(std::move(request)), call_(std::move(call)) {
    seen_bytes_.resize(request_.topics.size());
    seen_stable_.resize(request_.topics.size());
    for (size_t t = 0; t < request_.topics.size(); t++) {
      seen_bytes_[t].assign(request_.topics[t].partitions.size(), -1);
      seen_stable_[t].assign(request_.topics[t].partitions.size(), 0);
    }
  }

  bool Try(bool late) override {
    if (!late && !Grown()) return false;
    FetchResponse response;
    bool fault = false;
    int64_t bytes = 0;
    for (const auto& topic : request_.topics) {
      auto& to = response.topics.emplace_back();
      to.name = topic.name;
      for (const auto& partition : topic.partitions) {
        to.partitions.push_back(Read(topic.name, partition, &bytes));
        fault |= to.partitions.back().error_code != kNone;
      }
    }
    if (!late && !fault && bytes < request_.min_bytes && !request_.topics.empty()) return false;
    response.throttle_time_ms = Throttle(services_, call_, Traffic::kFetch, bytes);
    call_->Answer(response);
    return true;
  }

 private:
  bool committed() const { return request_.isolation_level == kReadCommitted; }
  int64_t ReadableEnd(const log::PartitionInfo& info) const {
    return committed() ? info.stable_offset : info.end_offset;
  }

  // Whether the partitions have got as many bytes as are missing since the last look, as far as can
  // be told without reading.
  bool Grown() {
    bool first = false;
    int64_t more = 0;
    for (size_t t = 0; t < request_.topics.size(); t++) {
      for (size_t p = 0; p < request_.topics[t].partitions.size(); p++) {
        const auto& partition = request_.topics[t].partitions[p];
        const auto info = services_.log.DescribePartition(request_.topics[t].name, partition.index);
        int64_t& seen = seen_bytes_[t][p];
        if (!info.ok() || seen < 0) {
          first = true;
          seen = info.ok() ? info->size_bytes : 0;
          seen_stable_[t][p] = info.ok() ? info->stable_offset : 0;
        } else if (committed() && info->stable_offset > seen_stable_[t][p]) {
          first = true;  // a marker lets go of what was counted before
          seen_stable_[t][p] = info->stable_offset;
        } else if (partition.fetch_offset < ReadableEnd(*info)) {
          // At least one, for retention may have taken more away than has come.
          more += std::max<int64_t>(info->size_bytes - seen, 1);
        }
      }
    }
    return first || more + seen_first_ >= std::max(request_.min_bytes, 1);
  }

  FetchResponse::Partition Read(const std::string& topic, const FetchRequest::Partition& wanted,
                                int64_t* bytes) {
    FetchResponse::Partition partition;
    partition.index = wanted.index;
    partition.error_code = CheckTopic(services_, call_, AclOperation::kRead, topic);
    if (partition.error_code != kNone) return partition;
    const auto info = services_.log.DescribePartition(topic, wanted.index);
    if (!info.ok()) {
      partition.error_code = ErrorOf(info.status());
      return partition;
    }
    partition.high_watermark = info->end_offset;
    partition.last_stable_offset = info->stable_offset;
    partition.log_start_offset = info->start_offset;
    if (wanted.current_leader_epoch > kLeaderEpoch) {
      partition.error_code = kUnknownLeaderEpoch;
      return partition;
    }
    if (wanted.fetch_offset < info->start_offset || wanted.fetch_offset > info->end_offset) {
      partition.error_code = kOffsetOutOfRange;
      return partition;
    }
    const int64_t total_max =
        std::min<int64_t>(request_.max_bytes, services_.options.fetch_bytes_max);
    const int64_t max = std::min<int64_t>(wanted.max_bytes, total_max - *bytes);
    if (*bytes > 0 && max <= 0) return partition;
    auto found = services_.log.FindBatches(topic, wanted.index, wanted.fetch_offset,
                                           ReadableEnd(*info), max, *bytes == 0);
    if (!found.ok()) {
      partition.error_code = ErrorOf(found.status());
      return partition;
    }
    if (committed()) {
      const auto aborted =
          services_.log.Aborted(topic, wanted.index, wanted.fetch_offset, found->next_offset);
      if (!aborted.ok()) {
        partition.error_code = ErrorOf(aborted.status());
        return partition;
      }
      partition.aborted.emplace();
      for (const auto& one : *aborted) {
        partition.aborted->push_back({one.producer_id, one.first_offset});
      }
    }
    if (found->bytes < kCopiedBytesMax) {
      const Status copied = Copy(*found, &partition.records.bytes);
      if (!copied.ok()) {
        partition.error_code = ErrorOf(copied);
        return partition;
      }
    } else {
      partition.records.slices = std::move(found->slices);
    }
    *bytes += found->bytes;
    seen_first_ = *bytes;
    return partition;
  }

  Services& services_;
  const FetchRequest request_;
  const CallPtr call_;
  std::vector<std::vector<int64_t>> seen_bytes_;   // per partition, -1: not looked at yet
  std::vector<std::vector<int64_t>> seen_stable_;  // stable offsets, the same
  int64_t seen_first_ = 0;                         // bytes that were there at the last look
};

}  // namespace

void HandleFetch(Services& services, const FetchRequest& request, const CallPtr& call) {
  if (request.session_id != 0) {  // none was given out: every request is complete (KIP-227)
    FetchResponse response;
    response.error_code = kFetchSessionIdNotFound;
    call->Answer(response);
    return;
  }
  auto fetch = std::make_shared<WaitingFetch>(services, request, call);
  const bool waits = request.max_wait_ms > 0 && request.min_bytes > 0;
  if (fetch->Try(!waits)) return;
  call->worker().Park(std::move(fetch), std::min<int64_t>(request.max_wait_ms, kWaitMaxMs));
}

}  // namespace millrace::kafka
