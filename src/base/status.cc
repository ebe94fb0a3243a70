#include "base/status.h"

#include <fmt/format.h>

namespace millrace {

const std::string& Status::Empty() {
  static const std::string empty;
  return empty;
}

const SourceSpan& Status::span() const {
  static const SourceSpan none;
  return error_ ? error_->span : none;
}

Domain Status::domain() const {
  switch (code()) {
    case Code::kOk:
    case Code::kInternal:
      return Domain::kInternal;
    case Code::kResourceExhausted:
    case Code::kDeadlineExceeded:
    case Code::kCorruption:
    case Code::kIo:
    case Code::kUnavailable:
      return Domain::kExternal;
    default:
      return Domain::kUser;
  }
}

Status&& Status::WithDetail(std::string text) && {
  if (error_) error_->detail = std::move(text);
  return std::move(*this);
}

Status&& Status::WithHint(std::string text) && {
  if (error_) error_->hint = std::move(text);
  return std::move(*this);
}

Status&& Status::WithRetry(Retry retry) && {
  if (error_) error_->retry = retry;
  return std::move(*this);
}

Status&& Status::At(SourceSpan span) && {
  if (error_) error_->span = std::move(span);
  return std::move(*this);
}

Status&& Status::Annotate(const std::string& context) && {
  if (error_) error_->message = context + ": " + error_->message;
  return std::move(*this);
}

std::string Status::ToString() const {
  if (ok()) return "ok";
  std::string out = fmt::format("error[MR{}]: {}", static_cast<int>(error_->code), error_->message);
  const SourceSpan& at = error_->span;
  if (!at.file.empty() || at.line > 0) {
    out += fmt::format("\n  --> {}", at.file.empty() ? "<sql>" : at.file);
    if (at.line > 0) out += fmt::format(":{}:{}", at.line, at.column);
  }
  if (!error_->detail.empty()) out += "\n  detail: " + error_->detail;
  if (!error_->hint.empty()) out += "\n  hint: " + error_->hint;
  return out;
}

}  // namespace millrace
