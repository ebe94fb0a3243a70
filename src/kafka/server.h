// KafkaServer: the embedded log on a TCP port, for unmodified Kafka clients.
//
// Contract
//   cluster     one node, which leads every partition with leader epoch 0 and coordinates all
//   groups. durable     acks=1 and acks=all are answered after fsync (the log's group commit);
//   acks=0 is not
//               answered at all, and not faster.
//   batches     pass through as clients made them, compressed or not, in both directions.
//   faults      a malformed frame, or an API or version that is not served, closes that connection
//               with a logged reason. ApiVersions answers any version, as clients expect.
//   threads     `threads` network threads, one that watches the log, one for work on the disk.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "env/clock.h"
#include "kafka/options.h"
#include "kafka/server_state.h"
#include "log/log.h"

namespace millrace::kafka {

class KafkaServer {
 public:
  // Binds and starts. `log` and `clock` outlive the server. Errors: kInvalidArgument (address),
  // kUnavailable (port taken), and those of opening the offsets' topic.
  static Result<std::unique_ptr<KafkaServer>> Start(log::Log& log, env::Clock& clock,
                                                    const KafkaServerOptions& options);
  virtual ~KafkaServer() = default;  // Shutdown() when that was not called

  virtual int port() const = 0;
  // "127.0.0.1:9092", what a client takes as bootstrap server.
  virtual std::string address() const = 0;
  // Groups, offsets, open transactions; from any thread, also after Shutdown.
  virtual ServerState State() = 0;
  // Closes every connection and waits for what was handed to the log. May be called again.
  virtual void Shutdown() = 0;
};

}  // namespace millrace::kafka
