#include "kafka/fetch_sessions.h"

#include <algorithm>

#include "kafka/security/scram.h"
#include "log/wire.h"

namespace millrace::kafka {

namespace {

int32_t NextEpoch(int32_t epoch) {
  return epoch == INT32_MAX ? kFirstEpoch + 1 : epoch + 1;
}

}  // namespace

int32_t FetchSessions::Keep(const FetchSessionPtr& session, int64_t now_ms) {
  session->BeginChanges();
  const size_t partitions = session->partitions().size();
  const int64_t bytes = session->bytes();
  std::lock_guard lock(mutex_);
  if (bytes > bytes_max_ || sessions_max_ == 0) return 0;
  while (entries_.size() >= sessions_max_ || bytes_ + bytes > bytes_max_) {
    if (!MakeRoom(partitions, now_ms)) return 0;
  }
  session->id = NewId();
  session->epoch = NextEpoch(kFirstEpoch);
  entries_[session->id] = {session, partitions, bytes, now_ms, now_ms};
  bytes_ += bytes;
  return session->id;
}

FetchSessions::Found FetchSessions::Continue(const FetchRequest& request, bool by_id,
                                             const std::string& owner, int64_t now_ms) {
  const FetchSessionPtr session = Find(request.session_id, owner);
  if (session == nullptr) return {.error = kFetchSessionIdNotFound};
  int32_t epoch = 0;
  size_t partitions = 0;
  int64_t bytes = 0;
  {
    std::lock_guard lock(session->mutex);
    if (session->epoch != request.session_epoch) return {.error = kInvalidFetchSessionEpoch};
    if (session->by_id() != by_id) return {.error = kFetchSessionTopicIdError};
    session->Change(request);
    session->epoch = epoch = NextEpoch(session->epoch);
    partitions = session->partitions().size();
    bytes = session->bytes();
  }
  if (partitions == 0) {
    End(request.session_id, owner);
    return {.session = std::make_shared<FetchSession>(FetchRequest(), by_id, owner)};
  }
  if (!Touch(request.session_id, partitions, bytes, now_ms)) {
    return {.error = kFetchSessionIdNotFound};
  }
  return {.session = session, .epoch = epoch};
}

void FetchSessions::End(int32_t id, const std::string& owner) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found != entries_.end() && found->second.session->owner() == owner) Erase(found);
}

size_t FetchSessions::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

int64_t FetchSessions::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

FetchSessionPtr FetchSessions::Find(int32_t id, const std::string& owner) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.session->owner() != owner) return nullptr;
  return found->second.session;
}

bool FetchSessions::Touch(int32_t id, size_t partitions, int64_t bytes, int64_t now_ms) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return true;  // forgotten just now: the next request learns of it
  Entry& entry = found->second;
  bytes_ += bytes - entry.bytes;
  entry.partitions = partitions;
  entry.bytes = bytes;
  entry.used_ms = now_ms;
  if (bytes_ <= bytes_max_) return true;
  Erase(found);
  return false;
}

bool FetchSessions::MakeRoom(size_t partitions, int64_t now_ms) {
  if (entries_.empty()) return false;
  const auto oldest = std::min_element(
      entries_.begin(), entries_.end(),
      [](const auto& a, const auto& b) { return a.second.used_ms < b.second.used_ms; });
  if (now_ms - oldest->second.used_ms > kEvictableAfterMs) {
    Erase(oldest);
    return true;
  }
  auto smallest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (now_ms - it->second.created_ms <= kEvictableAfterMs) continue;
    if (smallest == entries_.end() || it->second.partitions < smallest->second.partitions) {
      smallest = it;
    }
  }
  if (smallest == entries_.end() || partitions <= smallest->second.partitions) return false;
  Erase(smallest);
  return true;
}

void FetchSessions::Erase(Entries::iterator entry) {
  bytes_ -= entry->second.bytes;
  entries_.erase(entry);
}

int32_t FetchSessions::NewId() const {
  while (true) {
    const auto id = log::LoadBig<int32_t>(RandomBytes(sizeof(int32_t)).data()) & INT32_MAX;
    if (id != 0 && !entries_.contains(id)) return id;
  }
}

}  // namespace millrace::kafka
