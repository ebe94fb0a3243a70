// 'connector' = 'print' with Flink's options.
#pragma once

#include "connectors/connector.h"

namespace millrace::connectors::print {

// Spec and factory as registered.
ConnectorEntry PrintConnector();

}  // namespace millrace::connectors::print
