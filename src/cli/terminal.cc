#include "cli/terminal.h"

#include <fmt/format.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/strings.h"
#include "base/visible_text.h"
#include "cli/cli.h"

namespace millrace::cli {

namespace {
constexpr const char* kRed = "\033[1;31m";
constexpr const char* kBlue = "\033[34m";
constexpr const char* kGreen = "\033[32m";
constexpr const char* kReset = "\033[0m";

// Colours the first `length` bytes of a line.
std::string Paint(const char* color, std::string_view line, size_t length) {
  return color + std::string(line.substr(0, length)) + kReset + std::string(line.substr(length));
}

// A log's message: what it says of data looks like no other line.
class OneLineMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string text = VisibleText({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<OneLineMessage>();
  }
};
}  // namespace

ExitCode ExitCodeFor(const Status& status) {
  if (status.ok()) return kExitOk;
  switch (status.domain()) {
    case Domain::kUser:
      return kExitFault;
    case Domain::kExternal:
      return kExitExternal;
    case Domain::kInternal:
      return kExitInternal;
  }
  return kExitInternal;
}

bool IsTerminal(int descriptor) {
  return isatty(descriptor) == 1;
}

bool UsesColor(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (no_color && *no_color) return false;
  if (term && std::string_view(term) == "dumb") return false;
  return IsTerminal(descriptor);
}

int TerminalWidth() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 100;
}

std::string ColorError(std::string_view text) {
  std::string out;
  for (std::string& line : Split(text, '\n')) {
    if (!out.empty()) out += '\n';
    size_t colon = line.find(':');
    if (line.rfind("error[", 0) == 0 && colon != std::string::npos) {
      out += Paint(kRed, line, colon + 1);
    } else if (line.rfind("  --> ", 0) == 0) {
      out += Paint(kBlue, line, line.size());
    } else if (line.rfind("  hint:", 0) == 0) {
      out += Paint(kGreen, line, 7);
    } else {
      out += line;
    }
  }
  return out;
}

void PrintError(const Status& status) {
  const std::string text = VisibleText(status.ToString(), Lines::kKeep);
  fmt::print(stderr, "{}\n", UsesColor(STDERR_FILENO) ? ColorError(text) : text);
}

int Fail(const Status& status) {
  PrintError(status);
  return ExitCodeFor(status);
}

int FailAll(const std::vector<Status>& faults) {
  int code = kExitOk;
  for (const Status& fault : faults) {
    PrintError(fault);
    code = std::max<int>(code, ExitCodeFor(fault));
  }
  fmt::print(stderr, "\n{} fault{}\n", faults.size(), faults.size() == 1 ? "" : "s");
  return code;
}

std::string CleanPath(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path.empty() ? "." : path;
}

Status SetUpLogging(const std::string& level, const std::string& file) {
  static const std::vector<std::string> kLevels = {"trace", "debug",    "info", "warn",
                                                   "error", "critical", "off"};
  if (std::find(kLevels.begin(), kLevels.end(), level) == kLevels.end()) {
    return Status(Code::kBadOption, fmt::format("there is no log level \"{}\"", level))
        .WithHint(DidYouMean(level, kLevels));
  }
  try {
    std::shared_ptr<spdlog::sinks::sink> sink;
    if (file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    }
    auto logger = std::make_shared<spdlog::logger>("millrace", std::move(sink));
    auto line = std::make_unique<spdlog::pattern_formatter>();
    line->add_flag<OneLineMessage>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%e %L %*");
    logger->set_formatter(std::move(line));
    logger->set_level(spdlog::level::from_str(level));
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
    return Status::Ok();
  } catch (const std::exception& e) {
    return Status(Code::kIo, fmt::format("cannot log to \"{}\": {}", file, e.what()));
  }
}

}  // namespace millrace::cli
