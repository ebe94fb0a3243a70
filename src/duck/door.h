// The door: where DuckDB's exceptions become Status. Nothing that DuckDB throws leaves src/duck
// or a caller's AtTheDoor block.
#pragma once

#include <duckdb.hpp>
#include <new>
#include <optional>
#include <utility>

#include "base/status.h"

namespace millrace::duck {

// A Status for what DuckDB reports: code by DuckDB's error type, its candidates as the hint.
Status FromDuckError(const duckdb::ErrorData& error);

// The process cannot get more memory.
Status OutOfMemory();

// Byte position in the query text that a binder or parser error points at, if it does.
std::optional<size_t> ErrorPosition(const duckdb::ErrorData& error);

// Runs `body` (returning Status or Result<T>); whatever it throws comes back as a Status.
template <typename Body>
auto AtTheDoor(Body&& body) -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  } catch (const std::exception& e) {
    return FromDuckError(duckdb::ErrorData(e));
  }
}

}  // namespace millrace::duck
