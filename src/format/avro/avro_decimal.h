// Decimals as Avro writes them: the value times 10^scale, two's complement, big endian.
#pragma once

#include <duckdb.hpp>
#include <string>
#include <string_view>

#include "format/column_type.h"

namespace millrace::format {

// The decimal with `scale` digits behind the point as one of `type`, rounded half away from zero.
// False when it does not fit.
bool ReadAvroDecimal(std::string_view bytes, int scale, const ColumnType& type,
                     duckdb::hugeint_t& value);

// Appends the value in `size` bytes, or with its length before it in as few as it needs (0).
void AppendAvroDecimal(duckdb::hugeint_t value, int64_t size, std::string& out);

}  // namespace millrace::format
