// What handlers work with.
//
// Contract: made before the first connection, outlives the last call. A handler runs on a network
// thread and must not wait: what waits for the disk (creating topics …) goes to `in_background`.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "env/clock.h"
#include "kafka/error_codes.h"
#include "kafka/fetch_sessions.h"
#include "kafka/group_coordinator.h"
#include "kafka/offset_store.h"
#include "kafka/options.h"
#include "kafka/security/authorizer.h"
#include "kafka/security/quotas.h"
#include "kafka/security/users.h"
#include "kafka/topic_ids.h"
#include "kafka/transaction_coordinator.h"
#include "log/log.h"

namespace millrace::kafka {

// There is one node, which leads every partition, for ever.
constexpr int32_t kNodeId = 1;
constexpr int32_t kLeaderEpoch = 0;
constexpr const char* kClusterId = "millrace";

struct Services {
  Services(log::Log& l, env::Clock& c, const KafkaServerOptions& o, std::unique_ptr<OffsetStore> s,
           std::unique_ptr<SecurityFile> f)
      : log(l),
        clock(c),
        options(o),
        offsets(std::move(s)),
        groups(c.WallMicros(), TopicsOf(l), *offsets),
        transactions(l, c, *offsets),
        topic_names(l),
        fetch_sessions(o.fetch_sessions_max, o.fetch_sessions_bytes_max),
        security_file(std::move(f)),
        users(*security_file, o.passwords),
        quotas(*security_file, o.quotas),
        authorizer(o.acls.on ? std::make_unique<Authorizer>(*security_file, o.acls) : nullptr) {}

  log::Log& log;
  env::Clock& clock;
  const KafkaServerOptions options;
  const std::unique_ptr<OffsetStore> offsets;
  GroupCoordinator groups;
  TransactionCoordinator transactions;
  TopicNames topic_names;
  FetchSessions fetch_sessions;
  const std::unique_ptr<SecurityFile> security_file;
  Users users;
  Quotas quotas;
  const std::unique_ptr<Authorizer> authorizer;  // null: everything is allowed
  // Runs a task on the thread for work on the disk; after Shutdown it drops it.
  std::function<void(std::function<void()>)> in_background;

  // Connections that live, or that a call still holds; waited for at shutdown.
  std::mutex connections_mutex;
  std::condition_variable connection_gone;
  int connections = 0;

  int64_t now_ms() const { return clock.MonotonicMicros() / 1000; }
};

}  // namespace millrace::kafka
