// Access: a project's topics and warehouse, beside a running `millrace dev` over HTTP, otherwise
// directly. `millrace sql`, `topics` and `dlq` are written against it.
//
// Contract: one thread at a time. Unknown topics are kNotFound with did-you-mean.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/record_text.h"

namespace millrace::cli {

struct TopicPartition {
  int partition = 0;
  int64_t start_offset = 0;
  int64_t end_offset = 0;
  int64_t size_bytes = 0;
};

struct TopicDescription {
  std::string name;
  int64_t retention_ms = -1;
  std::vector<TopicPartition> partitions;

  int64_t records() const;
  int64_t size_bytes() const;
};

struct OutgoingRecord {
  std::optional<std::string> key;
  std::string value;
  int partition = -1;  // -1: by key; without key the records of one Write go to one partition
};

struct RejectedEvent {
  size_t index = 0;  // in the batch
  std::string column;
  std::string reason;
};

struct EventsResult {
  int64_t accepted = 0;
  int64_t rejected = 0;
  std::vector<RejectedEvent> errors;  // the first ones
};

class Access {
 public:
  // `path`: a project's directory. Errors: it is none; its log is open in another process.
  static Result<std::unique_ptr<Access>> Open(const std::string& path, const std::string& target);
  virtual ~Access() = default;

  // The JSON of POST /api/sql.
  virtual Result<std::string> Sql(const std::string& sql) = 0;

  virtual Result<std::vector<TopicDescription>> Topics() = 0;
  virtual Status CreateTopic(const std::string& topic, int partitions,
                             std::optional<int64_t> retention_ms) = 0;
  virtual Status DeleteTopic(const std::string& topic) = 0;
  // Up to `limit` records from `offset` on, fewer when there are no more or they are large.
  virtual Result<std::vector<StoredRecord>> Read(const std::string& topic, int partition,
                                                 int64_t offset, int64_t limit) = 0;
  // Durable on return.
  virtual Status Write(const std::string& topic, const std::vector<OutgoingRecord>& records) = 0;
  // Writes the lines that fit the topic's table; the others go to the dead letters.
  virtual Result<EventsResult> WriteEvents(const std::string& topic,
                                           const std::vector<std::string>& lines) = 0;

  // A dead letter with its audit, as GET /api/dead-letters/{id}.
  virtual Result<std::string> DeadLetter(const std::string& id) = 0;
  // What POST /api/dead-letters/actions takes and answers.
  virtual Result<std::string> ActOnDeadLetters(const std::string& request_json) = 0;

  // GET /api/changes, GET and POST /api/jobs/{job}/reprocess, POST /api/jobs/{job}/verify.
  virtual Result<std::string> Changes(const std::string& job) = 0;
  virtual Result<std::string> StartReprocessing(const std::string& job,
                                                const std::string& request_json) = 0;
  virtual Result<std::string> Reprocessing(const std::string& job) = 0;
  virtual Result<std::string> Verify(const std::string& job, int64_t lines_max) = 0;

  Result<TopicDescription> Topic(const std::string& topic);
};

// The two ways, for Open.
Result<std::unique_ptr<Access>> OpenRemote(const std::string& url);
Result<std::unique_ptr<Access>> OpenLocal(const std::string& path, const std::string& target);

// Topics that Millrace keeps for itself: what jobs wrote last, and the like.
bool IsInternalTopic(const std::string& topic);

// The collector's answer to a batch; an error answer is its Status.
Result<EventsResult> ParseEventsAnswer(int http_status, const std::string& body);

}  // namespace millrace::cli
