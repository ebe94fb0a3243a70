// Arbitrary bytes as a segment: the record cursor, recovery, index building and reading.
// Never crash or loop for ever; never hand out a record of a batch whose checksum is wrong.
// The first byte chooses: bit 0, make the checksums right, so that records are parsed, too; bit 1,
// use the bytes as a complete segment with a newer one behind it, which recovery does not cut; bit
// 2, as index and state files, too; bit 3, as changes to a good segment (two bytes where, one byte
// what).
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "env/fault_files.h"
#include "log/batch_reader.h"
#include "log/committer.h"
#include "log/crc32c.h"
#include "log/partition.h"
#include "log/wire.h"

namespace millrace::log {
namespace {

constexpr int64_t kNewestBase = 1'000'000;

// Along the chain of lengths, so far as it goes.
void FixChecksums(std::string& bytes) {
  for (size_t at = 0; bytes.size() - at >= kBatchHeaderSize;) {
    const auto length = static_cast<size_t>(LoadBig<uint32_t>(bytes.data() + at + 8)) + 12;
    if (length < kBatchHeaderSize || length > bytes.size() - at) return;
    const auto covered = std::string_view(bytes).substr(at + 21, length - 21);
    StoreBig(bytes.data() + at + 17, Crc32cByTable(covered));
    at += length;
  }
}

std::string GoodSegment() {
  std::string bytes;
  BatchBuilder builder;
  for (int64_t offset = 0; offset < 6; offset += 2) {
    builder.Reset(offset == 2 ? 9 : -1, 0);
    builder.Add({.key = "key", .value = "value", .headers = {{"h", "v"}}}, 100 + offset);
    builder.Add({.value = std::string_view("more bytes")}, 90 - offset);
    bytes += builder.Finish(offset);
  }
  return bytes;
}

std::string Changed(std::string bytes, const std::string& changes) {
  for (size_t i = 0; i + 2 < changes.size(); i += 3) {
    const size_t at = LoadBig<uint16_t>(changes.data() + i) % bytes.size();
    bytes[at] = static_cast<char>(bytes[at] ^ changes[i + 2]);
  }
  return bytes;
}

// Whether the view lies in a batch of `bytes` whose checksum holds, found without our reader.
bool InWholeBatch(const std::string& bytes, int64_t offset) {
  for (size_t at = 0; at + kBatchHeaderSize <= bytes.size(); at++) {
    const auto header = ParseBatchHeader(std::string_view(bytes).substr(at));
    if (!header || header->base_offset > offset || header->end_offset() <= offset) continue;
    const auto size = static_cast<size_t>(header->size_bytes);
    if (size > bytes.size() - at) continue;
    const auto crc = Crc32cByTable(std::string_view(bytes).substr(at + 21, size - 21));
    if (crc == LoadBig<uint32_t>(bytes.data() + at + 17)) return true;
  }
  return false;
}

void ReadEverything(Partition& partition, const std::string& bytes) {
  const auto info = partition.Describe();
  if (!info.ok()) std::abort();
  int64_t at = info->start_offset;
  int64_t visited = info->start_offset - 1;
  while (at < info->stable_offset) {  // what an open transaction holds back is not read
    const auto next = partition.Read(at, INT64_MAX, 1000, [&](auto records) {
      for (const auto& record : records) {
        if (record.offset <= visited || !InWholeBatch(bytes, record.offset)) std::abort();
        visited = record.offset;
        volatile char last =
            record.value.data() != nullptr ? record.value.data()[record.value.size()] : 0;
        (void)last;  // the padding is readable
      }
    });
    if (!next.ok()) break;
    if (*next <= at) std::abort();
    at = *next;
  }
  (void)partition.OffsetForTime(12345).ok();
  (void)partition.OffsetAfterBytes(info->start_offset, 100).ok();
}

void Fuzz(uint8_t mode, std::string bytes) {
  if ((mode & 8) != 0) bytes = Changed(GoodSegment(), bytes);
  if ((mode & 1) != 0) FixChecksums(bytes);
  env::FaultFileSystem files;
  (void)files.CreateDirectories("/p").ok();
  files.SetContent("/p/" + SegmentName(0) + ".log", bytes);
  if ((mode & 2) != 0) files.SetContent("/p/" + SegmentName(kNewestBase) + ".log", "");
  if ((mode & 4) != 0) {
    files.SetContent("/p/" + SegmentName(0) + ".index", bytes);
    files.SetContent("/p/" + SegmentName(0) + ".timeindex", bytes);
    files.SetContent("/p/partition.state", bytes);
  }
  OpenFiles open_files(8);
  BuilderPool builders;
  Committer committer(&builders, [] {});
  PartitionContext context{&files, env::Clock::System(), &open_files, &builders, &committer, true};
  const auto partition = Partition::Open(context, "t", 0, "/p", TopicConfig());
  if (!partition.ok()) std::abort();  // no content keeps a partition from opening
  ReadEverything(**partition, bytes);

  if (const auto header = ParseBatchHeader(bytes);
      header && header->size_bytes <= static_cast<int64_t>(bytes.size())) {
    const std::string batch = bytes.substr(0, static_cast<size_t>(header->size_bytes));
    RecordCursor cursor(batch, *header);
    model::Record record;
    int64_t count = 0;
    while (cursor.Next(&record)) count++;
    if (count > header->record_count) std::abort();
  }
}

}  // namespace
}  // namespace millrace::log

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 8192) return 0;
  millrace::log::Fuzz(data[0], std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  return 0;
}
