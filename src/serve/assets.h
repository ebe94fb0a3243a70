// Assets: the web page's files, embedded in the program by cmake/embed.cmake.
//
// Contract: answers GET and HEAD of any path. A file is sent with its type, an ETag (304 when the
// client has it), gzip where the client takes it, and a Content-Security-Policy that allows this
// server only. A path that is no file is the page's own route and gets index.html, except under
// /api/ and /v1/ (404).
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "serve/http_types.h"

namespace millrace::serve {

struct EmbeddedFile {
  std::string_view path;  // relative, "app.js"
  std::string_view bytes;
};

// Generated at build time.
std::span<const EmbeddedFile> EmbeddedFiles();

class Assets {
 public:
  // Compresses each file once. The files' bytes live as long as the program.
  explicit Assets(std::span<const EmbeddedFile> files = EmbeddedFiles());
  ~Assets();
  Assets(const Assets&) = delete;
  Assets& operator=(const Assets&) = delete;

  // The returned answer may point into this object.
  Response Get(const Request& request) const;

 private:
  struct File;
  std::unique_ptr<File[]> files_;
  size_t count_ = 0;
};

}  // namespace millrace::serve
