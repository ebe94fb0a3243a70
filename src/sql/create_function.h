// The part of CREATE FUNCTION from its name on.
#pragma once

#include "base/status.h"
#include "sql/cursor.h"
#include "sql/statement.h"

namespace millrace::sql {

// Reads [IF NOT EXISTS] name(parameters) [RETURNS type] [LANGUAGE SQL] AS body [LANGUAGE SQL], up
// to the ';'. The body is an expression, or one in a string; in LANGUAGE HTTP the service's URL,
// and WITH (options) may follow. Errors: kSyntax, kType, and kUnsupported for other languages.
Status ParseFunctionBody(TokenCursor& cursor, CreateFunction& function);

}  // namespace millrace::sql
