// Base64 back to bytes (RFC 4648); Base64 in base/strings.h is the other direction.
#pragma once

#include <string>
#include <string_view>

namespace millrace {

// Ends at the first character that is not of the alphabet, such as the padding.
std::string DecodeBase64(std::string_view text);

}  // namespace millrace
