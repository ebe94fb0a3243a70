// FetchSessions: the fetch sessions that are kept, a bounded number of them.
//
// Contract: any thread. When it is full, a new session takes the place of one that was not used for
// two minutes, else of the smallest one that is older than two minutes, if that has fewer
// partitions; else it is not kept, and its client goes on naming everything. Sessions together take
// up to `bytes_max`. A session is forgotten at any time: its client is told so, and begins another.
// Source: KIP-227, "Fetch Session Caching" (this server has no followers to prefer).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kafka/error_codes.h"
#include "kafka/fetch_session.h"

namespace millrace::kafka {

using FetchSessionPtr = std::shared_ptr<FetchSession>;

// Of a request that begins a session, or has none; other epochs go on with one.
constexpr int32_t kFirstEpoch = 0;
constexpr int32_t kNoSessionEpoch = -1;

class FetchSessions {
 public:
  FetchSessions(int sessions_max, int64_t bytes_max)
      : sessions_max_(static_cast<size_t>(sessions_max)), bytes_max_(bytes_max) {}

  // Keeps a session that nobody else has, as epoch 1, and says under which id; 0: it is not kept.
  // Its mutex may be held.
  int32_t Keep(const FetchSessionPtr& session, int64_t now_ms);

  struct Found {
    ErrorCode error = kNone;
    FetchSessionPtr session = {};  // null with an error
    int32_t epoch = 0;             // it has changed meanwhile when it has another one
  };
  // The session that the request goes on with, changed as it says. When that leaves nothing to
  // fetch, the session ends, and an empty one that is not kept takes its place.
  Found Continue(const FetchRequest& request, bool by_id, const std::string& owner, int64_t now_ms);
  // Nothing happens to a session of another owner, or when there is none.
  void End(int32_t id, const std::string& owner);

  size_t size() const;
  int64_t bytes() const;

  static constexpr int64_t kEvictableAfterMs = 120'000;

 private:
  struct Entry {
    FetchSessionPtr session;
    size_t partitions = 0;  // as of its last use
    int64_t bytes = 0;
    int64_t created_ms = 0;
    int64_t used_ms = 0;
  };
  using Entries = std::map<int32_t, Entry>;

  FetchSessionPtr Find(int32_t id, const std::string& owner) const;
  // Notes that a session was used and how large it is; false when it was too large to keep.
  bool Touch(int32_t id, size_t partitions, int64_t bytes, int64_t now_ms);
  bool MakeRoom(size_t partitions, int64_t now_ms);
  void Erase(Entries::iterator entry);
  int32_t NewId() const;

  const size_t sessions_max_;
  const int64_t bytes_max_;
  mutable std::mutex mutex_;  // held beside a session's, never the other way round
  Entries entries_;
  int64_t bytes_ = 0;
};

}  // namespace millrace::kafka
