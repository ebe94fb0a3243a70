// The version of this program, as people and the HTTP API see it.
#pragma once

namespace millrace {

constexpr const char* kVersion = "0.1.0";

}  // namespace millrace
