// Status and Result: how errors travel between folders.
//
// Contract: every call that can fail returns one of these; no exception crosses a folder line
// (DuckDB's and Boost's are turned into a Status at their door). A bad row of data is a value
// (model/row_error.h), never a Status.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace millrace {

// What kind of thing went wrong; the error code shown to people is MR<number>.
enum class Code : int {
  kOk = 0,
  kInvalidArgument = 1001,  // a value that cannot be used
  kNotFound = 1002,
  kAlreadyExists = 1003,
  kFailedPrecondition = 1004,  // right request, wrong moment
  kResourceExhausted = 1005,   // disk full, memory limit, quota
  kCancelled = 1006,
  kDeadlineExceeded = 1007,
  kCorruption = 1008,  // stored bytes fail their checksum or shape
  kIo = 1009,
  kUnavailable = 1010,  // the other side does not answer now
  kInternal = 1011,     // our bug
  kSyntax = 2001,       // SQL or YAML that does not parse
  kUnsupported = 2002,  // understood, but not carried out by this version
  kUnknownTable = 2101,
  kUnknownColumn = 2104,
  kUnknownFunction = 2105,
  kUnknownOption = 2106,
  kBadOption = 2107,
  kType = 2108,
  kBind = 2109,  // any other semantic fault of a statement
};

// Who has to act.
enum class Domain { kUser, kExternal, kInternal };
// What a caller may do about it by itself.
enum class Retry { kNever, kBackoff, kReconnect };

// A place in a user's text. Lines and columns count from 1; 0 means unknown.
struct SourceSpan {
  std::string file;
  int line = 0;
  int column = 0;
  int length = 0;
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : error_(new Error{code, std::move(message)}) {}

  static Status Ok() { return {}; }

  bool ok() const { return error_ == nullptr; }
  Code code() const { return error_ ? error_->code : Code::kOk; }
  Domain domain() const;
  Retry retry() const { return error_ ? error_->retry : Retry::kNever; }
  const std::string& message() const { return error_ ? error_->message : Empty(); }
  const std::string& detail() const { return error_ ? error_->detail : Empty(); }
  const std::string& hint() const { return error_ ? error_->hint : Empty(); }
  const SourceSpan& span() const;

  // Builders; each returns *this so that an error reads as one expression.
  Status&& WithDetail(std::string text) &&;
  Status&& WithHint(std::string text) &&;
  Status&& WithRetry(Retry retry) &&;
  Status&& At(SourceSpan span) &&;
  // Puts "context: " before the message.
  Status&& Annotate(const std::string& context) &&;

  // For people:
  //   error[MR2104]: column "prise" does not exist in table "orders"
  //     --> models/revenue.sql:7:12
  //     hint: did you mean "price"?
  std::string ToString() const;

 private:
  struct Error {
    Code code = Code::kInternal;
    std::string message;
    std::string detail = {};
    std::string hint = {};
    Retry retry = Retry::kNever;
    SourceSpan span = {};
  };
  // Copyable owning pointer: a Status that is fine costs one word.
  class Ptr {
   public:
    Ptr() = default;
    explicit Ptr(Error* e) : e_(e) {}
    Ptr(const Ptr& o) : e_(o.e_ ? new Error(*o.e_) : nullptr) {}
    Ptr(Ptr&& o) noexcept : e_(std::exchange(o.e_, nullptr)) {}
    Ptr& operator=(Ptr o) noexcept {
      std::swap(e_, o.e_);
      return *this;
    }
    ~Ptr() { delete e_; }
    Error* operator->() const { return e_; }
    explicit operator bool() const { return e_ != nullptr; }
    bool operator==(std::nullptr_t) const { return e_ == nullptr; }

   private:
    Error* e_ = nullptr;
  };
  static const std::string& Empty();
  Ptr error_;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(Status status) : value_(std::move(status)) {  // NOLINT: implicit by design
    MR_CHECK(!std::get<Status>(value_).ok(), "a Result made of an OK status has no value");
  }
  Result(T value) : value_(std::move(value)) {}  // NOLINT: implicit by design

  bool ok() const { return std::holds_alternative<T>(value_); }
  Status status() const& { return ok() ? Status() : std::get<Status>(value_); }
  Status status() && { return ok() ? Status() : std::get<Status>(std::move(value_)); }

  T& operator*() & { return std::get<T>(value_); }
  const T& operator*() const& { return std::get<T>(value_); }
  T&& operator*() && { return std::get<T>(std::move(value_)); }
  T* operator->() { return &std::get<T>(value_); }
  const T* operator->() const { return &std::get<T>(value_); }

 private:
  std::variant<Status, T> value_;
};

#define MR_CONCAT_INNER(a, b) a##b
#define MR_CONCAT(a, b) MR_CONCAT_INNER(a, b)
// Returns the error of a Status expression to the caller.
#define MR_RETURN_IF_ERROR(expr)                    \
  do {                                              \
    if (auto mr_status = (expr); !mr_status.ok()) { \
      return mr_status;                             \
    }                                               \
  } while (false)
// MR_ASSIGN_OR_RETURN(auto x, Compute()): declares x, or returns the error to the caller.
#define MR_ASSIGN_OR_RETURN(lhs, expr) \
  MR_ASSIGN_OR_RETURN_INNER(MR_CONCAT(mr_result_, __LINE__), lhs, expr)
#define MR_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                              \
  if (!tmp.ok()) return std::move(tmp).status();  \
  lhs = std::move(*tmp)

}  // namespace millrace
