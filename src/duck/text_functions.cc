#include "duck/text_functions.h"

#include <iconv.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/strings.h"

namespace millrace::duck {
namespace {

using duckdb::DataChunk;
using duckdb::ExpressionState;
using duckdb::LogicalType;
using duckdb::ScalarFunction;
using duckdb::ScalarFunctionSet;
using duckdb::string_t;
using duckdb::StringVector;
using duckdb::Vector;

using Text = std::optional<std::string>;

std::string_view View(const string_t& text) {
  return {text.GetData(), text.GetSize()};
}

bool IsAsciiLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool IsAsciiDigit(char c) {
  return c >= '0' && c <= '9';
}

int HexDigit(char c) {
  if (IsAsciiDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// One text, or several, to another, or to NULL.
template <Text (*kFunction)(std::string_view)>
void Unary(DataChunk& args, ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::ExecuteWithNulls<string_t, string_t>(
      args.data[0], result, args.size(),
      [&](string_t text, duckdb::ValidityMask& mask, duckdb::idx_t row) {
        Text made = kFunction(View(text));
        if (made) return StringVector::AddStringOrBlob(result, made->data(), made->size());
        mask.SetInvalid(row);
        return string_t();
      });
}

template <typename Second, Text (*kFunction)(std::string_view, Second)>
void Binary(DataChunk& args, ExpressionState&, Vector& result) {
  using Stored = std::conditional_t<std::is_integral_v<Second>, Second, string_t>;
  duckdb::BinaryExecutor::ExecuteWithNulls<string_t, Stored, string_t>(
      args.data[0], args.data[1], result, args.size(),
      [&](string_t text, Stored second, duckdb::ValidityMask& mask, duckdb::idx_t row) {
        Text made;
        if constexpr (std::is_integral_v<Second>) {
          made = kFunction(View(text), second);
        } else {
          made = kFunction(View(text), View(second));
        }
        if (made) return StringVector::AddStringOrBlob(result, made->data(), made->size());
        mask.SetInvalid(row);
        return string_t();
      });
}

template <Text (*kFunction)(std::string_view, std::string_view, std::string_view)>
void Ternary(DataChunk& args, ExpressionState&, Vector& result) {
  duckdb::TernaryExecutor::ExecuteWithNulls<string_t, string_t, string_t, string_t>(
      args.data[0], args.data[1], args.data[2], result, args.size(),
      [&](string_t a, string_t b, string_t c, duckdb::ValidityMask& mask, duckdb::idx_t row) {
        Text made = kFunction(View(a), View(b), View(c));
        if (made) return StringVector::AddStringOrBlob(result, made->data(), made->size());
        mask.SetInvalid(row);
        return string_t();
      });
}

Text Sha2(std::string_view text, int32_t bits) {
  const EVP_MD* digest = bits == 224   ? EVP_sha224()
                         : bits == 256 ? EVP_sha256()
                         : bits == 384 ? EVP_sha384()
                         : bits == 512 ? EVP_sha512()
                                       : nullptr;
  if (!digest) {
    throw duckdb::InvalidInputException("SHA2 takes 224, 256, 384 or 512 bits, not %d", bits);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), bytes.data(), &size, digest, nullptr) != 1) {
    throw duckdb::InternalException("SHA-%d failed", bits);
  }
  std::string hex;
  for (unsigned i = 0; i < size; i++) {
    hex += "0123456789abcdef"[bytes[i] >> 4];
    hex += "0123456789abcdef"[bytes[i] & 15];
  }
  return hex;
}

Text InitCap(std::string_view text) {
  std::string result(text);
  bool inside = false;
  for (char& c : result) {
    bool letter = IsAsciiLetter(c);
    if (letter && !inside && c >= 'a') c = static_cast<char>(c - 32);
    if (letter && inside && c <= 'Z') c = static_cast<char>(c + 32);
    inside = letter || IsAsciiDigit(c) || static_cast<unsigned char>(c) >= 0x80;
  }
  return result;
}

Text UrlEncode(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (IsAsciiLetter(c) || IsAsciiDigit(c) || c == '.' || c == '-' || c == '*' || c == '_') {
      result += c;
    } else if (c == ' ') {
      result += '+';
    } else {
      auto byte = static_cast<unsigned char>(c);
      result += '%';
      result += "0123456789ABCDEF"[byte >> 4];
      result += "0123456789ABCDEF"[byte & 15];
    }
  }
  return result;
}

Text UrlDecode(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '%') {
      result += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (!IsValidUtf8(result)) return std::nullopt;
  return result;
}

Text UnHex(std::string_view text) {
  std::string bytes;
  size_t i = 0;
  if (text.size() % 2 == 1) {
    int digit = HexDigit(text[i++]);
    if (digit < 0) return std::nullopt;
    bytes += static_cast<char>(digit);
  }
  for (; i < text.size(); i += 2) {
    int high = HexDigit(text[i]);
    int low = HexDigit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

// The character sets that Flink documents, as iconv calls them.
const char* CharsetName(std::string_view charset) {
  static const std::map<std::string, const char*> names = {
      {"US-ASCII", "US-ASCII"}, {"ISO-8859-1", "ISO-8859-1"}, {"UTF-8", "UTF-8"},
      {"UTF-16BE", "UTF-16BE"}, {"UTF-16LE", "UTF-16LE"},     {"UTF-16", "UTF-16"}};
  auto found = names.find(ToUpper(charset));
  if (found != names.end()) return found->second;
  throw duckdb::InvalidInputException(
      "character set \"%s\" is not known; there is US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, "
      "UTF-16LE and UTF-16",
      std::string(charset));
}

// Characters that the target lacks become `substitute`.
std::string Convert(std::string_view bytes, const char* from, const char* to,
                    std::string_view substitute) {
  iconv_t converter = iconv_open(to, from);
  if (converter == iconv_t(-1)) throw duckdb::InternalException("iconv knows no %s", to);
  std::string result;
  std::string input(bytes);
  char* in = input.data();
  size_t left = input.size();
  while (left > 0) {
    std::array<char, 256> buffer{};
    char* out = buffer.data();
    size_t room = buffer.size();
    bool failed = iconv(converter, &in, &left, &out, &room) == size_t(-1) && errno != E2BIG;
    result.append(buffer.data(), buffer.size() - room);
    if (!failed) continue;
    result += substitute;
    do {  // past the whole character, where it is one of UTF-8
      in++;
      left--;
    } while (left > 0 && std::string_view(from) == "UTF-8" && (*in & 0xC0) == 0x80);
  }
  iconv_close(converter);
  return result;
}

Text Encode(std::string_view text, std::string_view charset) {
  std::string name = CharsetName(charset);
  if (name == "UTF-8") return std::string(text);
  if (name == "UTF-16") return "\xFE\xFF" + Convert(text, "UTF-8", "UTF-16BE", "?");
  return Convert(text, "UTF-8", name.c_str(), "?");
}

Text Decode(std::string_view bytes, std::string_view charset) {
  std::string name = CharsetName(charset);
  if (name == "UTF-16") {  // big-endian unless the mark says otherwise
    bool little = bytes.starts_with("\xFF\xFE");
    if (little || bytes.starts_with("\xFE\xFF")) bytes.remove_prefix(2);
    name = little ? "UTF-16LE" : "UTF-16BE";
  }
  return Convert(bytes, name.c_str(), "UTF-8", "\xEF\xBF\xBD");
}

// The bytes of each character.
std::vector<std::string_view> Characters(std::string_view text) {
  std::vector<std::string_view> characters;
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    while (end < text.size() && (text[end] & 0xC0) == 0x80) end++;
    characters.push_back(text.substr(i, end - i));
    i = end;
  }
  return characters;
}

Text Translate(std::string_view text, std::string_view from, std::string_view to) {
  std::vector<std::string_view> targets = Characters(to);
  std::map<std::string_view, std::string_view> map;
  size_t position = 0;
  for (std::string_view c : Characters(from)) {
    map.emplace(c, position < targets.size() ? targets[position] : "");
    position++;
  }
  std::string result;
  for (std::string_view c : Characters(text)) {
    auto found = map.find(c);
    result += found == map.end() ? c : found->second;
  }
  return result;
}

Text JsonUnquote(std::string_view text) {
  bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  if (!quoted) return std::string(text);
  std::string_view inner = text.substr(1, text.size() - 2);
  static const std::map<char, char> escapes = {{'"', '"'},  {'\\', '\\'}, {'/', '/'},  {'b', '\b'},
                                               {'f', '\f'}, {'n', '\n'},  {'r', '\r'}, {'t', '\t'}};
  std::string utf16;
  std::string result;
  auto flush = [&] {
    if (!utf16.empty()) result += Convert(utf16, "UTF-16BE", "UTF-8", "\xEF\xBF\xBD");
    utf16.clear();
  };
  for (size_t i = 0; i < inner.size(); i++) {
    if (inner[i] == '"') return std::string(text);
    if (inner[i] != '\\') {
      flush();
      result += inner[i];
      continue;
    }
    if (++i == inner.size()) return std::string(text);
    if (inner[i] == 'u') {
      Text unit = i + 4 < inner.size() ? UnHex(inner.substr(i + 1, 4)) : std::nullopt;
      if (!unit) return std::string(text);
      utf16 += *unit;
      i += 4;
      continue;
    }
    flush();
    auto found = escapes.find(inner[i]);
    if (found == escapes.end()) return std::string(text);
    result += found->second;
  }
  flush();
  return result;
}

// Puts JSON texts together: `[absent, key, value, key, value …]` or `[absent, value, value …]`.
template <bool kObject>
void BuildJson(DataChunk& args, ExpressionState&, Vector& result) {
  duckdb::idx_t count = args.size();
  std::vector<duckdb::UnifiedVectorFormat> columns(args.ColumnCount());
  for (size_t c = 0; c < columns.size(); c++) args.data[c].ToUnifiedFormat(count, columns[c]);
  auto is_null = [&](size_t c, duckdb::idx_t row) {
    return !columns[c].validity.RowIsValid(columns[c].sel->get_index(row));
  };
  auto text = [&](size_t c, duckdb::idx_t row) {
    const auto* values = duckdb::UnifiedVectorFormat::GetData<string_t>(columns[c]);
    return View(values[columns[c].sel->get_index(row)]);
  };
  result.SetVectorType(duckdb::VectorType::FLAT_VECTOR);
  auto* made = duckdb::FlatVector::GetData<string_t>(result);
  for (duckdb::idx_t row = 0; row < count; row++) {
    bool absent =
        duckdb::UnifiedVectorFormat::GetData<bool>(columns[0])[columns[0].sel->get_index(row)];
    std::string json(1, kObject ? '{' : '[');
    for (size_t c = 1; c < columns.size(); c += kObject ? 2 : 1) {
      size_t value = kObject ? c + 1 : c;
      if (kObject && is_null(c, row)) {
        throw duckdb::InvalidInputException("a key of JSON_OBJECT is NULL");
      }
      if (is_null(value, row) && absent) continue;
      if (json.size() > 1) json += ',';
      if (kObject) json.append(text(c, row)).append(":");
      json += is_null(value, row) ? "null" : text(value, row);
    }
    json += kObject ? '}' : ']';
    made[row] = StringVector::AddString(result, json);
  }
  if (args.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

struct Url {
  std::string_view protocol, authority, userinfo, host, path, query, ref;
  bool has_userinfo = false;
  bool has_query = false;
  bool has_ref = false;
};

std::optional<Url> SplitUrl(std::string_view text) {
  static const std::array<std::string_view, 6> known = {"http", "https", "ftp",
                                                        "file", "jar",   "mailto"};
  Url url;
  size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  url.protocol = text.substr(0, colon);
  std::string protocol = ToLower(url.protocol);
  if (std::find(known.begin(), known.end(), protocol) == known.end()) return std::nullopt;
  std::string_view rest = text.substr(colon + 1);
  if (size_t hash = rest.find('#'); hash != std::string_view::npos) {
    url.ref = rest.substr(hash + 1);
    url.has_ref = true;
    rest = rest.substr(0, hash);
  }
  if (size_t mark = rest.find('?'); mark != std::string_view::npos) {
    url.query = rest.substr(mark + 1);
    url.has_query = true;
    rest = rest.substr(0, mark);
  }
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    size_t slash = std::min(rest.find('/'), rest.size());
    url.authority = rest.substr(0, slash);
    rest = rest.substr(slash);
  }
  url.path = rest;
  url.host = url.authority;
  if (size_t at = url.host.rfind('@'); at != std::string_view::npos) {
    url.userinfo = url.host.substr(0, at);
    url.has_userinfo = true;
    url.host = url.host.substr(at + 1);
  }
  size_t bracket = url.host.rfind(']');  // of an IPv6 address
  size_t port = url.host.rfind(':');
  bool has_port =
      port != std::string_view::npos && (bracket == std::string_view::npos || bracket < port);
  if (has_port) {
    for (char c : url.host.substr(port + 1)) {
      if (!IsAsciiDigit(c)) return std::nullopt;
    }
    url.host = url.host.substr(0, port);
  }
  return url;
}

Text ParseUrl(std::string_view url, std::string_view part) {
  return UrlPart(url, part);
}

Text ParseUrlKey(std::string_view url, std::string_view part, std::string_view key) {
  if (part != "QUERY") return std::nullopt;
  return UrlQueryValue(url, key);
}

}  // namespace

std::optional<std::string> UrlPart(std::string_view text, std::string_view part) {
  std::optional<Url> url = SplitUrl(text);
  if (!url) return std::nullopt;
  auto given = [](bool there, std::string_view value) {
    return there ? Text(std::string(value)) : std::nullopt;
  };
  if (part == "HOST") return std::string(url->host);
  if (part == "PATH") return std::string(url->path);
  if (part == "PROTOCOL") return ToLower(url->protocol);
  if (part == "QUERY") return given(url->has_query, url->query);
  if (part == "REF") return given(url->has_ref, url->ref);
  if (part == "USERINFO") return given(url->has_userinfo, url->userinfo);
  if (part == "AUTHORITY") return std::string(url->authority);
  if (part != "FILE") return std::nullopt;
  std::string file(url->path);
  if (url->has_query) file.append("?").append(url->query);
  return file;
}

std::optional<std::string> UrlQueryValue(std::string_view text, std::string_view key) {
  std::optional<Url> url = SplitUrl(text);
  if (!url || !url->has_query) return std::nullopt;
  for (const std::string& pair : Split(url->query, '&')) {
    size_t equals = pair.find('=');
    if (equals != std::string::npos && pair.substr(0, equals) == key) {
      return pair.substr(equals + 1);
    }
  }
  return std::nullopt;
}

std::vector<ScalarFunctionSet> TextFunctions() {
  const LogicalType text = LogicalType::VARCHAR;
  const LogicalType bytes = LogicalType::BLOB;
  std::vector<ScalarFunctionSet> sets;
  auto add = [&](const char* name, duckdb::vector<LogicalType> arguments,
                 const LogicalType& returns, duckdb::scalar_function_t function) {
    bool more = !sets.empty() && sets.back().name == name;
    if (!more) sets.emplace_back(name);
    sets.back().AddFunction(ScalarFunction(std::move(arguments), returns, std::move(function)));
  };
  add("mr_sha2", {text, LogicalType::INTEGER}, text, Binary<int32_t, Sha2>);
  add("mr_initcap", {text}, text, Unary<InitCap>);
  add("mr_url_encode", {text}, text, Unary<UrlEncode>);
  add("mr_url_decode", {text}, text, Unary<UrlDecode>);
  add("mr_parse_url", {text, text}, text, Binary<std::string_view, ParseUrl>);
  add("mr_parse_url", {text, text, text}, text, Ternary<ParseUrlKey>);
  add("mr_encode", {text, text}, bytes, Binary<std::string_view, Encode>);
  add("mr_decode", {bytes, text}, text, Binary<std::string_view, Decode>);
  add("mr_unhex", {text}, bytes, Unary<UnHex>);
  add("mr_translate", {text, text, text}, text, Ternary<Translate>);
  add("mr_json_unquote", {text}, text, Unary<JsonUnquote>);
  for (bool object : {true, false}) {
    add(object ? "mr_json_object" : "mr_json_array", {LogicalType::BOOLEAN}, text,
        object ? BuildJson<true> : BuildJson<false>);
    ScalarFunction& function = sets.back().functions.back();
    function.varargs = text;
    function.SetNullHandling(duckdb::FunctionNullHandling::SPECIAL_HANDLING);
  }
  return sets;
}

}  // namespace millrace::duck
