// The inside of CREATE TABLE: columns, watermark, constraints, WITH, LIKE. Used by parser.cc.
#pragma once

#include "base/status.h"
#include "sql/cursor.h"
#include "sql/statement.h"

namespace millrace::sql {

// The cursor stands after the table's name. Fills everything but the words before it, and stops at
// AS.
Status ParseTableBody(TokenCursor& cursor, CreateTable& table);
// "('key' = 'value', …)"; a key given twice is kBadOption. Adds to `options`.
Status ParseOptionList(TokenCursor& cursor, OptionMap& options);

}  // namespace millrace::sql
