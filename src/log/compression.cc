#include "log/compression.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "base/units.h"
#include "log/wire.h"

namespace millrace::log {

namespace {

// Grows a buffer step by step, up to the limit.
class Output {
 public:
  explicit Output(Buffer& buffer) : buffer_(buffer), used_(buffer.size()) {}
  // Room for at least `want` more bytes; false beyond the limit.
  bool Room(size_t want = 64 << 10) {
    if (used_ + want > kMax) want = kMax > used_ ? kMax - used_ : 0;
    if (want == 0) return false;
    buffer_.Resize(used_ + want);
    return true;
  }
  char* at() { return buffer_.data() + used_; }
  size_t room() const { return buffer_.size() - used_; }
  void Wrote(size_t bytes) { used_ += bytes; }
  void Finish() { buffer_.Resize(used_); }

 private:
  static constexpr auto kMax = static_cast<size_t>(kPlainBatchBytesMax);
  Buffer& buffer_;
  size_t used_;
};

bool Gunzip(std::string_view from, Output& out) {
  z_stream stream{};
  constexpr int kAnyWrapper = 15 + 32;
  if (inflateInit2(&stream, kAnyWrapper) != Z_OK) return false;
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));
  stream.avail_in = static_cast<uInt>(from.size());
  while (out.Room()) {
    stream.next_out = reinterpret_cast<Bytef*>(out.at());
    stream.avail_out = static_cast<uInt>(out.room());
    const int code = inflate(&stream, Z_NO_FLUSH);
    out.Wrote(out.room() - stream.avail_out);
    if (code == Z_STREAM_END) return true;
    if (code != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0)) return false;
  }
  return false;
}

bool UnsnapBlock(std::string_view block, Output& out) {
  size_t length = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &length)) return false;
  if (length == 0) return true;
  if (!out.Room(length) || out.room() < length) return false;
  if (!snappy::RawUncompress(block.data(), block.size(), out.at())) return false;
  out.Wrote(length);
  return true;
}

bool Unsnap(std::string_view from, Output& out) {
  constexpr std::string_view kFraming("\x82SNAPPY\0", 8);
  constexpr size_t kFramingHeader = 16;
  if (!from.starts_with(kFraming)) return UnsnapBlock(from, out);
  if (from.size() < kFramingHeader) return false;
  from.remove_prefix(kFramingHeader);
  while (!from.empty()) {
    if (from.size() < 4) return false;
    const auto length = LoadBig<uint32_t>(from.data());
    from.remove_prefix(4);
    if (length > from.size() || !UnsnapBlock(from.substr(0, length), out)) return false;
    from.remove_prefix(length);
  }
  return true;
}

bool Unlz4(std::string_view from, Output& out) {
  LZ4F_dctx* context = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) return false;
  const std::unique_ptr<LZ4F_dctx, decltype(&LZ4F_freeDecompressionContext)> guard(
      context, LZ4F_freeDecompressionContext);
  while (out.Room()) {
    size_t produced = out.room();
    size_t consumed = from.size();
    const size_t hint =
        LZ4F_decompress(context, out.at(), &produced, from.data(), &consumed, nullptr);
    if (LZ4F_isError(hint)) return false;
    out.Wrote(produced);
    from.remove_prefix(consumed);
    if (hint == 0) return true;
    if (from.empty() && produced == 0) return false;
  }
  return false;
}

bool Unzstd(std::string_view from, Output& out) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                   ZSTD_freeDCtx);
  ZSTD_inBuffer input{from.data(), from.size(), 0};
  while (out.Room()) {
    ZSTD_outBuffer output{out.at(), out.room(), 0};
    const size_t hint = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(hint)) return false;
    out.Wrote(output.pos);
    if (hint == 0) return true;
    if (input.pos == input.size && output.pos < output.size) return false;
  }
  return false;
}

}  // namespace

Result<std::string_view> PlainRecords(std::string_view batch, const BatchHeader& header,
                                      Buffer& buffer) {
  if (!header.compressed()) return batch;
  using Codec = bool (*)(std::string_view, Output&);
  constexpr Codec kCodecs[] = {nullptr, Gunzip, Unsnap, Unlz4, Unzstd};
  const size_t codec = header.attributes & 7;
  if (codec >= std::size(kCodecs)) {
    return Status(Code::kUnsupported,
                  "unknown compression " + std::to_string(codec) + " of a record batch");
  }
  buffer.Resize(kBatchHeaderSize);
  std::memcpy(buffer.data(), batch.data(), kBatchHeaderSize);
  Output out(buffer);
  if (!kCodecs[codec](batch.substr(kBatchHeaderSize), out)) {
    return Status(Code::kCorruption, "the records of a batch do not decompress, or to more than " +
                                         FormatBytes(kPlainBatchBytesMax));
  }
  out.Finish();
  return buffer.view();
}

}  // namespace millrace::log
