// RowDiff: how two lists of rows differ, for people: which were expected and not there, which are
// there and were not expected, and which of these are probably one row with another value.
#pragma once

#include <string>
#include <vector>

#include "project/recording_sink.h"

namespace millrace::project {

using TextRow = std::vector<CellText>;

// "" when they are equal; as bags, unless `ordered`. Lines without indentation:
//   columns   url | views
//   expected  /a | 3
//   got       /a | 2                <- views
//   missing   /b | 1
//   extra     /c | 1
std::string DiffRows(const std::vector<std::string>& columns, std::vector<TextRow> expected,
                     std::vector<TextRow> got, bool ordered, size_t lines_max = 40);

}  // namespace millrace::project
