// Finds the line of a template that a line of its SQL came from.
#pragma once

#include "base/status.h"
#include "dbt/node.h"

namespace millrace::dbt {

// `statement_line`: counted from 1 in the statement that wraps node.compiled, which starts on the
// second line; 0 when the database named none. A line of SQL belongs to the template's line with
// the same text outside of {{ }} and {% %}; when several fit, to the one nearest in order. Gives
// the file with line 0 if none fits (the line came out of a macro or a loop's value).
SourceSpan PlaceInTemplate(const Node& node, int statement_line);

}  // namespace millrace::dbt
