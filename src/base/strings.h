// Small string functions that the standard library lacks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace {

std::string ToLower(std::string_view text);  // ASCII only
std::string ToUpper(std::string_view text);  // ASCII only
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::string_view Trim(std::string_view text);
std::vector<std::string> Split(std::string_view text, char separator);
std::string Join(const std::vector<std::string>& parts, std::string_view separator);
// Puts `text` between double quotes, doubling those inside: an SQL identifier.
std::string QuoteIdentifier(std::string_view text);
// Puts `text` between single quotes, doubling those inside: an SQL string literal.
std::string QuoteLiteral(std::string_view text);
// The candidate closest to `word` if it is close enough to be a slip of the finger, else "".
std::string ClosestMatch(std::string_view word, const std::vector<std::string>& candidates);
// `, did you mean "x"?`-style hint for `word`, or a list of the candidates when none is close.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);
bool IsValidUtf8(std::string_view bytes);
std::string Base64(std::string_view bytes);
// JSON string literal with quotes; bytes that are not UTF-8 are replaced by U+FFFD.
std::string JsonQuote(std::string_view text);

}  // namespace millrace
