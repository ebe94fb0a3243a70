// FetchSession: the partitions that a client fetches, and what it was told of them last.
//
// That of a request which names everything lives as long as the request. Kept between requests
// (kafka/fetch_sessions.h), it lets a client name only what changes and be told only what is new.
//
// Contract: a session that is kept is shared by requests: who looks at it or changes it holds
// `mutex`. Partitions stand in the order of the request, except that those whose records were sent
// go behind the others: where an answer has room for few, each gets its turn.
// Source: KIP-227; KIP-516 (topics by id).
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kafka/messages/records.h"

namespace millrace::kafka {

// By name or by id, as its client names all topics; the other one is empty.
struct FetchTopic {
  std::string name;
  Uuid id;
  auto operator<=>(const FetchTopic&) const = default;
};

class FetchSession {
 public:
  struct Partition {
    std::shared_ptr<const FetchTopic> topic;
    FetchRequest::Partition wanted;
    // What the client was told last; -1: nothing, or an error.
    int64_t end_offset = -1;
    int64_t stable_offset = -1;
    int64_t start_offset = -1;
  };
  using Partitions = std::list<Partition>;

  // Of everything that the request names, for whom `owner` names. `by_id`: it names topics so.
  FetchSession(const FetchRequest& request, bool by_id, std::string owner);

  // From here on Change may be called. A partition that is there twice is so no more: the last one
  // counts.
  void BeginChanges();
  // Adds or changes the partitions that the request names, and forgets those that it says.
  void Change(const FetchRequest& request);
  // Whether the client has to be told `now`.
  static bool IsNews(const Partition& partition, const FetchResponse::Partition& now);
  // The client is told `now`.
  void Tell(Partitions::iterator partition, const FetchResponse::Partition& now);

  Partitions& partitions() { return partitions_; }
  bool by_id() const { return by_id_; }
  const std::string& owner() const { return owner_; }
  // What the partitions take in memory, about; counted from BeginChanges on.
  int64_t bytes() const { return bytes_; }

  std::mutex mutex;
  int32_t id = 0;     // 0: it is not kept
  int32_t epoch = 0;  // that the next request has to name

 private:
  void Put(Partitions::iterator partition);
  void Forget(const FetchTopic& topic, int32_t index);

  const bool by_id_;
  const std::string owner_;
  Partitions partitions_;
  int64_t bytes_ = 0;
  std::map<FetchTopic, std::map<int32_t, Partitions::iterator>> places_;
};

}  // namespace millrace::kafka
