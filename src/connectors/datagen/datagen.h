// 'connector' = 'datagen' with Flink's options.
#pragma once

#include "connectors/connector.h"

namespace millrace::connectors::datagen {

// Spec and factory as registered.
ConnectorEntry DatagenConnector();

}  // namespace millrace::connectors::datagen
