// How decoders word what is wrong with a value.
#pragma once

#include <string>
#include <string_view>

#include "format/column_type.h"
#include "format/value_parser.h"
#include "model/row_error.h"

namespace millrace::format {

// At most 60 characters of `bytes`, on one line and valid UTF-8; "…" where it was cut.
std::string Excerpt(std::string_view bytes);

// `"abc" is not an INT`, `3000000000 does not fit into an INT`. `shown` is the value as the user
// wrote it, with its quotes where it had some.
std::string ValueFault(ParseResult result, std::string_view shown, const ColumnType& type);

}  // namespace millrace::format
