// DeadLetterDesk: what can be done with dead letters: look at them, edit, replay, discard.
//
// Contract: any thread; one action at a time, and one desk per log. A replay goes through the
// validation that the collector has today, keeps key and partition, and happens once however often
// the process dies (serve/replay_sender.h). Everything done is in the audit
// (project/dead_letter_audit.h) before the answer.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "duck/warehouse.h"
#include "log/log.h"
#include "project/dead_letter_book.h"
#include "serve/backend.h"
#include "serve/desk_request.h"
#include "serve/replay_sender.h"

namespace millrace::serve {

using TopicSchemaFinder =
    std::function<std::shared_ptr<const TopicSchema>(const std::string& topic)>;

class DeadLetterDesk {
 public:
  // All outlive the desk.
  DeadLetterDesk(log::Log& log, project::DeadLetterBook& book, duck::Warehouse& warehouse,
                 TopicSchemaFinder schema_of);

  // Ends replays that an earlier process began.
  Status FinishBegun();
  // Does what the body of POST /api/dead-letters/actions asks; returns the answer's JSON. At most
  // "limit" letters (and 8 MiB of them) a call; "next" says where to go on.
  Result<std::string> Act(std::string_view request_json);
  // The newest letters, newest first, each with id, state and attempts.
  Result<std::string> NewestJson(int64_t limit);
  // One letter with its audit. Error kNotFound.
  Result<std::string> LetterJson(const std::string& id);

 private:
  struct Work;  // a letter in hand
  Result<std::vector<Work>> Select(const DeskRequest& request, std::string& next);
  Status Refuse(const DeskRequest& request, std::vector<Work>& works);
  Status Edit(const DeskRequest& request, std::vector<Work>& works);
  Status Validate(std::vector<Work>& works, bool edits);
  Status ValidateTopic(const std::string& topic, const std::vector<Work*>& works, bool edits);
  Status Replay(const DeskRequest& request, std::vector<Work>& works);
  Status WriteAudit(const DeskRequest& request, const std::vector<Work>& works);
  Status ReadLetters(int partition, int64_t from, int64_t to,
                     const std::function<bool(const project::LetterId&, std::string_view)>& visit);

  log::Log& log_;
  project::DeadLetterBook& book_;
  duck::Warehouse& warehouse_;
  TopicSchemaFinder schema_of_;
  ReplaySender sender_;
  std::mutex mutex_;
};

}  // namespace millrace::serve
