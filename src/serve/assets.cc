#include "serve/assets.h"

#include <fmt/format.h>

#include <array>

#include "base/strings.h"
#include "serve/inflate.h"

namespace millrace::serve {

namespace {
// Pages load from this server only and run no script but the files they come with; style
// properties set by script need no exception.
constexpr const char* kContentSecurityPolicy =
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'";
constexpr size_t kGzipBytesMin = 256;

struct Type {
  std::string_view suffix;
  std::string_view content_type;
  bool compresses;
};
constexpr std::array<Type, 13> kTypes = {{{".html", "text/html; charset=utf-8", true},
                                          {".js", "text/javascript; charset=utf-8", true},
                                          {".mjs", "text/javascript; charset=utf-8", true},
                                          {".css", "text/css; charset=utf-8", true},
                                          {".json", "application/json", true},
                                          {".map", "application/json", true},
                                          {".webmanifest", "application/manifest+json", true},
                                          {".svg", "image/svg+xml", true},
                                          {".txt", "text/plain; charset=utf-8", true},
                                          {".png", "image/png", false},
                                          {".ico", "image/x-icon", false},
                                          {".woff2", "font/woff2", false},
                                          {".wasm", "application/wasm", true}}};

Type TypeOf(std::string_view path) {
  for (const Type& type : kTypes) {
    if (path.ends_with(type.suffix)) return type;
  }
  return {"", "application/octet-stream", false};
}

uint64_t Fnv1a(std::string_view bytes) {
  uint64_t hash = 14695981039346656037ULL;
  for (char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

// "gzip;q=0" means no, "br, gzip" yes.
bool TakesGzip(std::string_view accept_encoding) {
  for (const std::string& part : Split(accept_encoding, ',')) {
    std::vector<std::string> pieces = Split(part, ';');
    std::string_view name = Trim(pieces[0]);
    if (!EqualsIgnoreCase(name, "gzip") && name != "*") continue;
    if (pieces.size() < 2) return true;
    std::string_view quality = Trim(pieces[1]);
    return quality.find_first_of("123456789") != std::string_view::npos;
  }
  return false;
}

bool HasTag(std::string_view if_none_match, std::string_view tag) {
  for (const std::string& part : Split(if_none_match, ',')) {
    std::string_view one = Trim(part);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == tag || one == "*") return true;
  }
  return false;
}
}  // namespace

struct Assets::File {
  std::string_view path;
  std::string_view bytes;
  std::string gzip;  // empty where it would not be smaller
  Type type;
  std::string tag;
};

Assets::Assets(std::span<const EmbeddedFile> files)
    : files_(std::make_unique<File[]>(files.size())), count_(files.size()) {
  for (size_t i = 0; i < count_; i++) {
    File& file = files_[i];
    file.path = files[i].path;
    file.bytes = files[i].bytes;
    file.type = TypeOf(file.path);
    file.tag = fmt::format("\"{:016x}\"", Fnv1a(file.bytes));
    if (file.type.compresses && file.bytes.size() >= kGzipBytesMin) {
      file.gzip = Gzip(file.bytes);
      if (file.gzip.size() >= file.bytes.size()) file.gzip.clear();
    }
  }
}

Assets::~Assets() = default;

Response Assets::Get(const Request& request) const {
  std::string_view path(request.path);
  auto not_found = [&] {
    return ErrorResponse(
        404, Status(Code::kNotFound, fmt::format("there is nothing at \"{}\"", request.path)));
  };
  if (path.starts_with("/api/") || path.starts_with("/v1/")) return not_found();
  auto find = [&](std::string_view name) -> const File* {
    for (size_t i = 0; i < count_; i++) {
      if (files_[i].path == name) return &files_[i];
    }
    return nullptr;
  };
  const File* file = find(path.substr(1));
  if (file == nullptr) file = find("index.html");
  if (file == nullptr) return not_found();

  Response response;
  response.content_type = std::string(file->type.content_type);
  response.headers = {{"ETag", file->tag},
                      {"Cache-Control", "no-cache"},  // asks each time, mostly answered by a 304
                      {"Vary", "Accept-Encoding"},
                      {"Content-Security-Policy", kContentSecurityPolicy},
                      {"Referrer-Policy", "no-referrer"},
                      {"X-Frame-Options", "DENY"}};
  if (HasTag(request.Header("If-None-Match"), file->tag)) {
    response.status = 304;
    return response;
  }
  if (!file->gzip.empty() && TakesGzip(request.Header("Accept-Encoding"))) {
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.static_body = file->gzip;
  } else {
    response.static_body = file->bytes;
  }
  return response;
}

}  // namespace millrace::serve
