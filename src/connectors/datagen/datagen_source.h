// The datagen source. One split; offsets are row numbers.
//
// A source that ends (number-of-rows, or a sequence field) starts at row 0. One that goes on for
// ever starts at the row of the present moment, row i belonging to i / rate seconds after 1970:
// so its rows and their times depend on the offset only, also across restarts. The rate is part of
// that split's name, because offsets under another rate mean other moments.
#pragma once

#include <memory>

#include "connectors/connector.h"

namespace millrace::connectors::datagen {

Result<std::unique_ptr<Source>> NewDatagenSource(const TableContext& table);

}  // namespace millrace::connectors::datagen
