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
constexpr int kVersionWithIds = 13;
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
  // `epoch`: the session's, as long as no newer request goes on with it.
  WaitingFetch(Services& services, const FetchRequest& request, FetchSessionPtr session,
               int32_t epoch, CallPtr call)
      : services_(services),
        session_(std::move(session)),
        epoch_(epoch),
        begins_session_(request.session_epoch == kFirstEpoch),
        min_bytes_(request.min_bytes),
        max_bytes_(std::min<int64_t>(request.max_bytes, services.options.fetch_bytes_max)),
        committed_(request.isolation_level == kReadCommitted),
        call_(std::move(call)) {}

  bool Try(bool late) override {
    FetchResponse response;
    int64_t bytes = 0;
    {
      std::lock_guard lock(session_->mutex);
      response.session_id = session_->id;
      topic_ = nullptr;
      may_search_ = true;
      if (session_->epoch != epoch_) {  // a newer request has changed it
        response.error_code = kInvalidFetchSessionEpoch;
      } else {
        if (!late && !Grown()) return false;
        if (!ReadAll(late, &response, &bytes)) return false;
        if (begins_session_) {
          response.session_id = services_.fetch_sessions.Keep(session_, services_.now_ms());
        }
      }
    }
    response.throttle_time_ms = Throttle(services_, call_, Traffic::kFetch, bytes);
    call_->Answer(response);
    return true;
  }

 private:
  struct Seen {
    int64_t bytes = -1;  // -1: not looked at yet
    int64_t stable_offset = 0;
  };

  int64_t ReadableEnd(const log::PartitionInfo& info) const {
    return committed_ ? info.stable_offset : info.end_offset;
  }

  // Null: no topic has this id.
  const std::string* NameOf(const FetchTopic& topic) {
    if (!session_->by_id()) return &topic.name;
    if (topic_ == nullptr || topic_->id != topic.id) {
      topic_ = &topic;
      name_ = services_.topic_names.Find(topic.id, &may_search_);
    }
    return name_ ? &*name_ : nullptr;
  }

  // Whether the partitions have got as many bytes as are missing since the last look, as far as can
  // be told without reading.
  bool Grown() {
    seen_.resize(session_->partitions().size());
    bool first = seen_.empty();
    int64_t more = 0;
    auto seen = seen_.begin();
    for (const auto& partition : session_->partitions()) {
      Seen& last = *seen++;
      const std::string* topic = NameOf(*partition.topic);
      if (topic == nullptr) return true;
      const auto info = services_.log.DescribePartition(*topic, partition.wanted.index);
      if (!info.ok() || last.bytes < 0) {
        first = true;
        last.bytes = info.ok() ? info->size_bytes : 0;
        last.stable_offset = info.ok() ? info->stable_offset : 0;
      } else if (committed_ && info->stable_offset > last.stable_offset) {
        first = true;  // a marker lets go of what was counted before
        last.stable_offset = info->stable_offset;
      } else if (partition.wanted.fetch_offset < ReadableEnd(*info)) {
        // At least one, for retention may have taken more away than has come.
        more += std::max<int64_t>(info->size_bytes - last.bytes, 1);
      }
    }
    return first || more + seen_first_ >= std::max(min_bytes_, 1);
  }

  // False when there is too little, and no reason to answer all the same.
  bool ReadAll(bool late, FetchResponse* response, int64_t* bytes) {
    bool fault = false;
    auto& partitions = session_->partitions();
    std::vector<FetchSession::Partitions::iterator> told;
    const FetchTopic* topic = nullptr;
    for (auto it = partitions.begin(); it != partitions.end(); ++it) {
      auto answer = Read(*it, bytes);
      fault |= answer.error_code != kNone;
      if (session_->id != 0 && !FetchSession::IsNews(*it, answer)) continue;
      if (topic != it->topic.get()) {
        topic = it->topic.get();
        response->topics.push_back({topic->name, topic->id, {}});
      }
      response->topics.back().partitions.push_back(std::move(answer));
      told.push_back(it);
    }
    if (!late && !fault && *bytes < min_bytes_ && !partitions.empty()) return false;
    auto next = told.begin();
    for (const auto& answers : response->topics) {
      for (const auto& answer : answers.partitions) session_->Tell(*next++, answer);
    }
    return true;
  }

  FetchResponse::Partition Read(const FetchSession::Partition& asked, int64_t* bytes) {
    const FetchRequest::Partition& wanted = asked.wanted;
    FetchResponse::Partition partition;
    partition.index = wanted.index;
    const std::string* name = NameOf(*asked.topic);
    if (name == nullptr) {
      partition.error_code = kUnknownTopicId;
      return partition;
    }
    const std::string& topic = *name;
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
    const int64_t max = std::min<int64_t>(wanted.max_bytes, max_bytes_ - *bytes);
    if (*bytes > 0 && max <= 0) return partition;
    auto found = services_.log.FindBatches(topic, wanted.index, wanted.fetch_offset,
                                           ReadableEnd(*info), max, *bytes == 0);
    if (!found.ok()) {
      partition.error_code = ErrorOf(found.status());
      return partition;
    }
    if (committed_) {
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
  const FetchSessionPtr session_;
  const int32_t epoch_;
  const bool begins_session_;
  const int32_t min_bytes_;
  const int64_t max_bytes_;
  const bool committed_;
  const CallPtr call_;
  std::vector<Seen> seen_;             // per partition, in the session's order
  int64_t seen_first_ = 0;             // bytes that were there at the last look
  const FetchTopic* topic_ = nullptr;  // whose name was looked up last, in this look
  std::optional<std::string> name_;
  bool may_search_ = true;
};

// The session that the request makes, or goes on with.
FetchSessions::Found SessionOf(Services& services, const FetchRequest& request,
                               const CallPtr& call) {
  const bool by_id = call->version() >= kVersionWithIds;
  const std::string& owner = call->session().principal;
  if (request.session_epoch != kFirstEpoch && request.session_epoch != kNoSessionEpoch) {
    return services.fetch_sessions.Continue(request, by_id, owner, services.now_ms());
  }
  if (request.session_id != 0) services.fetch_sessions.End(request.session_id, owner);
  return {.session = std::make_shared<FetchSession>(request, by_id, owner)};
}

}  // namespace

void HandleFetch(Services& services, const FetchRequest& request, const CallPtr& call) {
  FetchSessions::Found found = SessionOf(services, request, call);
  if (found.error != kNone) {
    FetchResponse response;
    response.error_code = found.error;
    call->Answer(response);
    return;
  }
  auto fetch = std::make_shared<WaitingFetch>(services, request, std::move(found.session),
                                              found.epoch, call);
  const bool waits = request.max_wait_ms > 0 && request.min_bytes > 0;
  if (fetch->Try(!waits)) return;
  call->worker().Park(std::move(fetch), std::min<int64_t>(request.max_wait_ms, kWaitMaxMs));
}

}  // namespace millrace::kafka
