// 'connector' = 'blackhole' with Flink's options.
#pragma once

#include "connectors/connector.h"

namespace millrace::connectors::blackhole {

// Spec and factory as registered.
ConnectorEntry BlackholeConnector();

}  // namespace millrace::connectors::blackhole
