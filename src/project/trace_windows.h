// WindowCallsOf: the windows that a query puts its rows into, so that a trace can ask for those of
// its record.
#pragma once

#include <string>
#include <vector>

namespace millrace::project {

// The calls within TABLE(…) of TUMBLE, HOP and CUMULATE, as they are written, each once:
// "TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' MINUTE)". Windows of SESSION depend on more
// than one row.
std::vector<std::string> WindowCallsOf(const std::string& sql);

}  // namespace millrace::project
