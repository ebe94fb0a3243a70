// ReplaySender: puts replayed dead letters into their topics, each exactly once.
//
// Protocol. All replays are one idempotent producer of the log (kReplayProducer), so the log counts
// per partition how many of their records it holds. (1) Begin notes each replay in the audit, with
// the sequence its record will have; (2) Finish appends the records with these sequences; (3) notes
// where each went. After a crash anywhere, Finish over what the audit says was begun does what is
// missing: of a record that is there already the log's next sequence is past the noted one.
//
// Contract: one thread at a time, and one sender per log (the log's lock sees to it).
#pragma once

#include <string>
#include <vector>

#include "log/log.h"
#include "project/dead_letter_book.h"

namespace millrace::serve {

// Of the records' header that names the letter they come from.
constexpr const char* kLetterHeader = "millrace.dead-letter";

class ReplaySender {
 public:
  ReplaySender(log::Log& log, project::DeadLetterBook& book) : log_(log), book_(book) {}

  // Notes replays (action, id, topic, partition, key, before, after are set; the rest is filled
  // in). None may have been begun and not finished.
  Status Begin(std::vector<project::AuditEntry> replays);
  // Ends every replay that was begun. An error leaves the rest for the next call; a replay whose
  // topic is gone is abandoned.
  Status Finish();

 private:
  Status FinishPartition(std::vector<project::AuditEntry> replays);
  Result<int64_t> FindRecord(const project::AuditEntry& replay);

  log::Log& log_;
  project::DeadLetterBook& book_;
};

}  // namespace millrace::serve
