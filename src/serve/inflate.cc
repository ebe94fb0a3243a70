#include "serve/inflate.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "base/check.h"
#include "base/strings.h"
#include "base/units.h"

namespace millrace::serve {

namespace {
constexpr int kWindowGzipOrZlib = 15 + 32;  // zlib tells the two apart by their header
constexpr int kWindowGzip = 15 + 16;

struct Inflater {
  z_stream stream = {};
  bool ready = false;
  explicit Inflater(int window) { ready = inflateInit2(&stream, window) == Z_OK; }
  ~Inflater() {
    if (ready) inflateEnd(&stream);
  }
};
}  // namespace

Result<std::string> Inflate(std::string_view encoding, std::string_view bytes, int64_t bytes_max) {
  if (!EqualsIgnoreCase(encoding, "gzip") && !EqualsIgnoreCase(encoding, "x-gzip") &&
      !EqualsIgnoreCase(encoding, "deflate")) {
    return Status(Code::kUnsupported,
                  fmt::format("the content encoding \"{}\" is not known", encoding))
        .WithHint("send the body as it is, or with gzip or deflate");
  }
  Inflater inflater(kWindowGzipOrZlib);
  if (!inflater.ready) return Status(Code::kResourceExhausted, "no memory to decompress the body");
  z_stream& z = inflater.stream;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  size_t limit = static_cast<size_t>(std::max<int64_t>(0, bytes_max));
  size_t filled = 0;
  for (;;) {
    // One byte more than allowed shows that there is more.
    size_t wanted = std::min(limit + 1, std::max<size_t>(filled * 2, bytes.size() * 4 + 1024));
    out.resize(std::max(wanted, filled));
    z.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
    z.avail_out = static_cast<uInt>(out.size() - filled);
    int result = inflate(&z, Z_NO_FLUSH);
    filled = out.size() - z.avail_out;
    if (filled > limit) {
      return Status(Code::kResourceExhausted,
                    fmt::format("the decompressed body is larger than the limit of {}",
                                FormatBytes(bytes_max)))
          .WithHint("nothing of it was accepted; send smaller batches");
    }
    if (result == Z_STREAM_END) {
      if (z.avail_in > 0) {
        return Status(Code::kInvalidArgument,
                      fmt::format("{} bytes follow the compressed body", z.avail_in));
      }
      out.resize(filled);
      return out;
    }
    if (result != Z_OK && !(result == Z_BUF_ERROR && z.avail_out == 0)) {
      return Status(Code::kInvalidArgument, fmt::format("the body is not valid {}: {}", encoding,
                                                        z.msg ? z.msg : "it ends in the middle"));
    }
    if (z.avail_in == 0 && z.avail_out > 0) {
      return Status(Code::kInvalidArgument,
                    fmt::format("the body is not valid {}: it ends in the middle", encoding));
    }
  }
}

std::string Gzip(std::string_view bytes) {
  z_stream z = {};
  MR_CHECK(deflateInit2(&z, 9, Z_DEFLATED, kWindowGzip, 9, Z_DEFAULT_STRATEGY) == Z_OK,
           "zlib refuses its own defaults");
  std::string out(deflateBound(&z, static_cast<uLong>(bytes.size())), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  int result = deflate(&z, Z_FINISH);
  MR_CHECK(result == Z_STREAM_END, "deflateBound was too small");
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

}  // namespace millrace::serve
