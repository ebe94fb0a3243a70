// Values as bytes that are equal exactly when the values are: keys of hash tables over rows.
#pragma once

#include <duckdb.hpp>
#include <string>

namespace millrace::connectors {

// Appends the value of `row` of `vector` (which holds `count` values). Self-delimiting, so that
// values of several columns can follow each other.
void AppendValueBytes(duckdb::Vector& vector, duckdb::idx_t count, duckdb::idx_t row,
                      std::string& out);

}  // namespace millrace::connectors
