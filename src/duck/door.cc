#include "duck/door.h"

#include <duckdb/common/error_data.hpp>
#include <string>

namespace millrace::duck {

namespace {
Code CodeFor(duckdb::ExceptionType type) {
  switch (type) {
    case duckdb::ExceptionType::PARSER:
    case duckdb::ExceptionType::SYNTAX:
      return Code::kSyntax;
    case duckdb::ExceptionType::CATALOG:
      return Code::kUnknownTable;
    case duckdb::ExceptionType::BINDER:
      return Code::kBind;
    case duckdb::ExceptionType::CONVERSION:
    case duckdb::ExceptionType::OUT_OF_RANGE:
    case duckdb::ExceptionType::INVALID_TYPE:
    case duckdb::ExceptionType::MISMATCH_TYPE:
      return Code::kType;
    case duckdb::ExceptionType::IO:
      return Code::kIo;
    case duckdb::ExceptionType::OUT_OF_MEMORY:
      return Code::kResourceExhausted;
    case duckdb::ExceptionType::INTERNAL:
    case duckdb::ExceptionType::FATAL:
      return Code::kInternal;
    case duckdb::ExceptionType::NOT_IMPLEMENTED:
      return Code::kUnsupported;
    default:
      return Code::kInvalidArgument;
  }
}

std::string LowerFirst(std::string text) {
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z')) {
    text[0] = static_cast<char>(text[0] + 32);
  }
  return text;
}
}  // namespace

Status OutOfMemory() {
  return Status(Code::kResourceExhausted, "out of memory")
      .WithHint(
          "large state can go to disk: SET 'millrace.state.memory' = '1 GB' (what each job may "
          "keep in memory)");
}

Status FromDuckError(const duckdb::ErrorData& error) {
  std::string message = error.RawMessage();
  std::string hint;
  // DuckDB draws the statement with a caret below its message; we point into the user's own text.
  if (size_t at = message.find("\n\nLINE "); at != std::string::npos) message.resize(at);
  for (const char* marker :
       {"\nDid you mean ", "\nCandidate bindings: ", "\nCandidate functions:"}) {
    if (size_t at = message.find(marker); at != std::string::npos) {
      hint = LowerFirst(message.substr(at + 1));
      message.resize(at);
    }
  }
  for (char& c : message) {
    if (c == '\n') c = ' ';
  }
  while (!message.empty() &&
         (message.back() == '!' || message.back() == '.' || message.back() == ' ')) {
    message.pop_back();
  }
  // What it calls a list of values may be any table or subquery with an alias.
  if (message.starts_with("Values list \"")) message.replace(0, sizeof "Values list" - 1, "table");
  if (message.starts_with("Macro ")) message.replace(0, sizeof "Macro" - 1, "function");
  Code code = CodeFor(error.Type());
  if (code == Code::kBind && message.find("column") != std::string::npos &&
      (message.find("not found") != std::string::npos ||
       message.find("does not have a column") != std::string::npos)) {
    code = Code::kUnknownColumn;
  }
  if (error.Type() == duckdb::ExceptionType::CATALOG &&
      message.find("Function") != std::string::npos) {
    code = Code::kUnknownFunction;
  }
  Status status(code, LowerFirst(message));
  return hint.empty() ? status : std::move(status).WithHint(hint);
}

std::optional<size_t> ErrorPosition(const duckdb::ErrorData& error) {
  auto found = error.ExtraInfo().find("position");
  if (found == error.ExtraInfo().end()) return std::nullopt;
  return std::stoull(found->second);
}

}  // namespace millrace::duck
