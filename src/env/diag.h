// Lines about the process itself, for whoever runs it: to standard error or to the file of
// --log-file, one line each.
//
// spdlog writes them. Only diag.cc and who sets it up (cli/terminal.cc) include it: a call of it
// costs the file that makes it three seconds of a build.
#pragma once

#include <fmt/format.h>

namespace millrace::diag {

enum class Severity { kDebug, kInfo, kWarn, kError };

bool IsWritten(Severity severity);
void Write(Severity severity, fmt::string_view format, fmt::format_args args);

template <typename... Args>
void Debug(fmt::format_string<Args...> format, Args&&... args) {
  Write(Severity::kDebug, format, fmt::make_format_args(args...));
}
template <typename... Args>
void Info(fmt::format_string<Args...> format, Args&&... args) {
  Write(Severity::kInfo, format, fmt::make_format_args(args...));
}
template <typename... Args>
void Warn(fmt::format_string<Args...> format, Args&&... args) {
  Write(Severity::kWarn, format, fmt::make_format_args(args...));
}
template <typename... Args>
void Error(fmt::format_string<Args...> format, Args&&... args) {
  Write(Severity::kError, format, fmt::make_format_args(args...));
}

}  // namespace millrace::diag
