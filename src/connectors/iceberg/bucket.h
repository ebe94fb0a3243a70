// The hash of Iceberg's bucket partitions, and its function in DuckDB:
//
//   mr_iceberg_bucket(value BIGINT | HUGEINT | VARCHAR | BLOB, count INTEGER) -> INTEGER
//
// of a number, of a DECIMAL's unscaled value, of a text's or binary's bytes.
// Source: Iceberg table specification, "Bucket Transform Details", "Appendix B: 32-bit Hash
// Requirements"; MurmurHash3_x86_32, seed 0.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <string_view>

#include "base/status.h"

namespace millrace::connectors::iceberg {

// Of the value's bytes as the specification has them.
int32_t BucketHash(std::string_view bytes);
int32_t BucketHash(int64_t number);
int32_t BucketHash(duckdb::hugeint_t unscaled);

// Registers the function; once per database.
Status RegisterBucketFunction(duckdb::Connection& connection);

}  // namespace millrace::connectors::iceberg
