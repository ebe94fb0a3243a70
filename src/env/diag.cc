#include "env/diag.h"

#include <spdlog/spdlog.h>

namespace millrace::diag {

namespace {

spdlog::level::level_enum LevelOf(Severity severity) {
  switch (severity) {
    case Severity::kDebug:
      return spdlog::level::debug;
    case Severity::kInfo:
      return spdlog::level::info;
    case Severity::kWarn:
      return spdlog::level::warn;
    case Severity::kError:
      break;
  }
  return spdlog::level::err;
}

}  // namespace

bool IsWritten(Severity severity) {
  return spdlog::should_log(LevelOf(severity));
}

void Write(Severity severity, fmt::string_view format, fmt::format_args args) {
  if (!IsWritten(severity)) return;
  const std::string text = fmt::vformat(format, args);
  spdlog::default_logger_raw()->log(LevelOf(severity), spdlog::string_view_t(text));
}

}  // namespace millrace::diag
