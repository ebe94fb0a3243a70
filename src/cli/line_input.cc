#include "cli/line_input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace millrace::cli {

namespace {
constexpr size_t kReadBytes = 64 << 10;
}

Result<LineInput> LineInput::Open(const std::string& path) {
  if (path.empty() || path == "-") return LineInput(STDIN_FILENO, "<stdin>");
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return Status(Code::kNotFound,
                  fmt::format("cannot read \"{}\": {}", path, std::strerror(errno)));
  }
  return LineInput(descriptor, path);
}

LineInput::LineInput(LineInput&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      name_(std::move(other.name_)),
      buffer_(std::move(other.buffer_)),
      begin_(other.begin_),
      at_end_(other.at_end_) {}

LineInput::~LineInput() {
  if (descriptor_ > STDERR_FILENO) close(descriptor_);
}

bool LineInput::Next(std::string& line) {
  size_t searched = begin_;
  for (;;) {
    size_t newline = buffer_.find('\n', searched);
    if (newline != std::string::npos) {
      line = buffer_.substr(begin_, newline - begin_);
      begin_ = newline + 1;
      return true;
    }
    if (at_end_) {
      line = buffer_.substr(begin_);
      begin_ = buffer_.size();
      return !line.empty();
    }
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    buffer_.resize(searched + kReadBytes);
    ssize_t got = read(descriptor_, buffer_.data() + searched, kReadBytes);
    buffer_.resize(searched + (got > 0 ? static_cast<size_t>(got) : 0));
    if (got == 0 || (got < 0 && errno != EINTR)) at_end_ = true;
  }
}

bool LineInput::Ready() const {
  if (at_end_ || buffer_.find('\n', begin_) != std::string::npos) return true;
  pollfd entry{descriptor_, POLLIN, 0};
  return poll(&entry, 1, 0) > 0;
}

}  // namespace millrace::cli
