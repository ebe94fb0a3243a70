#include "log/compression.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/units.h"
#include "log/wire.h"

namespace millrace::log {

namespace {

constexpr std::string_view kSnappyMagic("\x82SNAPPY\0", 8);

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
  constexpr size_t kFramingHeader = 16;
  if (!from.starts_with(kSnappyMagic)) return UnsnapBlock(from, out);
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

// Room for `bytes` more at the end.
char* Extend(Buffer& out, size_t bytes) {
  out.Resize(out.size() + bytes);
  return out.data() + out.size() - bytes;
}

void Gzip(std::string_view from, Buffer& out) {
  z_stream stream{};
  constexpr int kGzipWrapper = 15 + 16, kMemoryLevel = 8;
  MR_CHECK(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWrapper, kMemoryLevel,
                        Z_DEFAULT_STRATEGY) == Z_OK,
           "zlib");
  const size_t bound = deflateBound(&stream, from.size());
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));
  stream.avail_in = static_cast<uInt>(from.size());
  stream.next_out = reinterpret_cast<Bytef*>(Extend(out, bound));
  stream.avail_out = static_cast<uInt>(bound);
  MR_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib");
  out.Resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
}

// Framed, as Kafka's Java clients want it: one block.
void Snap(std::string_view from, Buffer& out) {
  std::memcpy(Extend(out, kSnappyMagic.size()), kSnappyMagic.data(), kSnappyMagic.size());
  StoreBig<int32_t>(Extend(out, 4), 1);  // version, and oldest compatible version
  StoreBig<int32_t>(Extend(out, 4), 1);
  const size_t at = out.size();
  const size_t bound = snappy::MaxCompressedLength(from.size());
  char* block = Extend(out, 4 + bound) + 4;
  size_t size = 0;
  snappy::RawCompress(from.data(), from.size(), block, &size);
  StoreBig<int32_t>(out.data() + at, static_cast<int32_t>(size));
  out.Resize(at + 4 + size);
}

void Lz4(std::string_view from, Buffer& out) {
  const size_t bound = LZ4F_compressFrameBound(from.size(), nullptr);
  const size_t size =
      LZ4F_compressFrame(Extend(out, bound), bound, from.data(), from.size(), nullptr);
  MR_CHECK(!LZ4F_isError(size), "lz4");
  out.Resize(out.size() - bound + size);
}

void Zstd(std::string_view from, Buffer& out) {
  const size_t bound = ZSTD_compressBound(from.size());
  const size_t size =
      ZSTD_compress(Extend(out, bound), bound, from.data(), from.size(), ZSTD_CLEVEL_DEFAULT);
  MR_CHECK(!ZSTD_isError(size), "zstd");
  out.Resize(out.size() - bound + size);
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

void CompressRecords(std::string_view records, int codec, Buffer& out) {
  using Codec = void (*)(std::string_view, Buffer&);
  constexpr Codec kCodecs[] = {nullptr, Gzip, Snap, Lz4, Zstd};
  MR_CHECK(codec > 0 && codec < std::ssize(kCodecs), "no such compression");
  kCodecs[codec](records, out);
}

}  // namespace millrace::log
