// VisibleText: text that others wrote, for terminals and logs: what it would do there is shown
// instead, so that no value moves the cursor, looks like another line, or turns its text around.
#pragma once

#include <string>
#include <string_view>

namespace millrace {

enum class Lines { kEscape, kKeep };  // whether line ends and tabs stay

// Control characters as \n, \t, \r or \x1b; those of two bytes and the marks that change the
// direction of text as \u202e; bytes that are no UTF-8 as \xff. Everything else as it is.
std::string VisibleText(std::string_view text, Lines lines = Lines::kEscape);

}  // namespace millrace
