// What a client that logs in has sent, taken to its SaslExchange.
#pragma once

#include <functional>
#include <string>

#include "kafka/services.h"
#include "kafka/session.h"

namespace millrace::kafka {

class Worker;

// Calls `done` once, from any thread, with the answer for the client. When the login is complete,
// the session has its principal by then. An error, which comes late on purpose and is logged, ends
// the login: the connection is to be closed.
void TakeLoginMessage(Services& services, Worker& worker, const SessionPtr& session,
                      std::string message, std::function<void(const Result<std::string>&)> done);

}  // namespace millrace::kafka
