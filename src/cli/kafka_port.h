// Starts the Kafka port of a project, as millrace.yml or --kafka-listen says.
#pragma once

#include <memory>
#include <string>

#include "kafka/server.h"
#include "project/runtime.h"

namespace millrace::cli {

// `listen` "HOST:PORT" or "PORT"; "": as millrace.yml says. Null when neither asks for it. The
// server ends before the runtime. Errors: kInvalidArgument (an address that is none), kUnavailable.
Result<std::unique_ptr<kafka::KafkaServer>> StartKafkaPort(project::Runtime& runtime,
                                                           const std::string& listen);

}  // namespace millrace::cli
