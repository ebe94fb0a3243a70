// TopicMirror: copies a topic from one place that speaks Kafka's protocol to another, each record
// once: a cluster, or the Kafka port of the embedded log.
//
// A step reads committed records of every partition and writes them in one transaction, to the same
// partition, with key, time and headers; the header "millrace.source.offset" (decimal) says where a
// record was. With it the next offsets to read are committed for the group
// "millrace-mirror-<topic>-<copy>" at the destination. So they are right exactly if the records are
// there, and a mirror that was killed goes on where it was.
//
// Contract: one thread. A step that failed with a retry hint may be repeated.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"

namespace millrace::connectors::kafka {

struct TopicMirrorOptions {
  std::string topic;
  std::string copy;  // its name at the destination
  // Of librdkafka's clients, "bootstrap.servers" among them.
  std::map<std::string, std::string> from;
  std::map<std::string, std::string> to;
};

class TopicMirror {
 public:
  // Makes the copy with as many partitions when it is not there. Errors: kNotFound for the topic;
  // kFailedPrecondition for a copy with fewer partitions.
  static Result<std::unique_ptr<TopicMirror>> Open(const TopicMirrorOptions& options);
  virtual ~TopicMirror() = default;

  // Copies what is there, about 4 MB at most, or waits up to `wait_us` for something. Returns the
  // number of records.
  virtual Result<int64_t> Step(int64_t wait_us) = 0;
  // Offsets between where it is and where the topic ended at Open; 0: everything of then is copied.
  virtual int64_t Left() const = 0;
};

}  // namespace millrace::connectors::kafka
