// Scalar functions over text that DuckDB lacks, or answers differently from Flink (the reference):
//
//   mr_sha2(text, bits)                SHA-224, -256, -384 or -512, lower-case hexadecimal
//   mr_initcap(text)                   each word with one capital; words are letters and digits
//   mr_url_encode(text), mr_url_decode(text)   form encoding (blank is +); bad input gives NULL
//   mr_parse_url(url, part [, key])    HOST, PATH, QUERY, REF, PROTOCOL, FILE, AUTHORITY, USERINFO
//   mr_encode(text, charset)           bytes; mr_decode(bytes, charset) the other way round
//   mr_unhex(text)                     bytes, NULL for what is not hexadecimal
//   mr_translate(text, from, to)       character by character
//   mr_json_object(absent, key, value …), mr_json_array(absent, value …)
//                                      from JSON texts; `absent`: leave out NULLs, else write null
//   mr_json_unquote(text)              the text of a JSON string; what is no JSON string as it is
//
// A NULL argument gives NULL, except in the two that build JSON.
#pragma once

#include <duckdb.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::duck {

std::vector<duckdb::ScalarFunctionSet> TextFunctions();

// A part of a URL as in java.net.URL; nothing when it is no URL, or has no such part.
std::optional<std::string> UrlPart(std::string_view url, std::string_view part);
// The value of one key of the query, as it is written there.
std::optional<std::string> UrlQueryValue(std::string_view url, std::string_view key);

}  // namespace millrace::duck
