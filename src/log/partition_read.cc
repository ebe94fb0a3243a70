// Reading a partition: records, and positions by bytes or by time.
#include <algorithm>

#include "log/batch_reader.h"
#include "log/compression.h"
#include "log/partition.h"

namespace millrace::log {

namespace {

constexpr int64_t kBlockBytesMin = 16 << 10;
constexpr int64_t kBlockBytesMax = 512 << 10;  // stays in the processor's cache
constexpr size_t kRecordsPerVisit = 2048;
constexpr int64_t kRecordOverheadBytes = 16;  // so that empty records use up a budget, too

// Memory for one read at a time; a visitor that reads in turn gets another.
struct Scratch {
  Buffer buffer;
  Buffer plain;  // of a compressed batch
  std::vector<model::Record> records;
};
class ScratchLease {
 public:
  ScratchLease() {
    if (!Idle().empty()) {
      scratch_ = std::move(Idle().back());
      Idle().pop_back();
    } else {
      scratch_ = std::make_unique<Scratch>();
    }
  }
  ScratchLease(const ScratchLease&) = delete;
  ScratchLease& operator=(const ScratchLease&) = delete;
  ~ScratchLease() {
    constexpr size_t kKeptBytesMax = 4 << 20;
    if (scratch_->plain.capacity() > kKeptBytesMax) scratch_->plain = Buffer();
    if (scratch_->buffer.capacity() <= kKeptBytesMax) Idle().push_back(std::move(scratch_));
  }
  Scratch* operator->() { return scratch_.get(); }

 private:
  static std::vector<std::unique_ptr<Scratch>>& Idle() {
    thread_local std::vector<std::unique_ptr<Scratch>> idle;
    return idle;
  }
  std::unique_ptr<Scratch> scratch_;
};

Status Damaged(const Segment& segment, int64_t position, int64_t offset, const char* what) {
  return Status(Code::kCorruption, "\"" + segment.path() + "\" is damaged at byte " +
                                       std::to_string(position) + " (offset " +
                                       std::to_string(offset) + "): " + what)
      .WithHint("restore the file from a copy, or delete and refill the topic");
}

}  // namespace

Status Partition::OutOfRange(int64_t from, int64_t start, int64_t end) const {
  const std::string offset = "offset " + std::to_string(from);
  if (from < start) {
    return Status(Code::kInvalidArgument, offset + " is no longer in partition \"" + name_ +
                                              "\", which starts at offset " + std::to_string(start))
        .WithHint("retention has removed it; start from offset " + std::to_string(start) +
                  " or keep the topic's records for longer");
  }
  return Status(Code::kInvalidArgument, offset + " is behind the end of partition \"" + name_ +
                                            "\", which is offset " + std::to_string(end));
}

Result<Partition::View> Partition::Find(int64_t offset) const {
  std::lock_guard lock(state_mutex_);
  if (deleted_) return DeletedError();
  View view;
  view.start_offset = StartOffsetLocked();
  view.end_offset = end_offset_;
  view.stable_offset = StableOffsetLocked();
  if (offset < view.start_offset || offset > view.end_offset) {
    return OutOfRange(offset, view.start_offset, view.end_offset);
  }
  auto next = std::upper_bound(
      segments_.begin(), segments_.end(), offset,
      [](int64_t o, const std::shared_ptr<Segment>& s) { return o < s->base_offset(); });
  view.segment_end = next == segments_.end() ? end_offset_ : (*next)->base_offset();
  view.segment = *std::prev(next);
  return view;
}

std::vector<std::shared_ptr<Segment>> Partition::SegmentList() const {
  std::lock_guard lock(state_mutex_);
  if (deleted_) return {};
  return segments_;
}

Result<int64_t> Partition::Read(int64_t from, int64_t to, int64_t max_bytes,
                                const std::function<void(std::span<const model::Record>)>& visit) {
  int64_t at = from;
  int64_t budget_bytes = std::max<int64_t>(max_bytes, 1);
  while (true) {
    auto view = Find(at);
    // What has been visited counts; the next call meets the error.
    if (!view.ok()) return at > from ? Result<int64_t>(at) : std::move(view).status();
    const int64_t end = std::min(to, view->stable_offset);
    if (at >= end || budget_bytes <= 0) return at;
    const auto next = ReadSegment(*view, at, end, &budget_bytes, visit);
    if (!next.ok()) {
      if (at > from) return at;
      // A file that retention or a deletion took away is not the reader's fault.
      MR_RETURN_IF_ERROR(Find(at).status());
      return next.status();
    }
    at = *next;
  }
}

Result<int64_t> Partition::ReadSegment(
    const View& view, int64_t from, int64_t to, int64_t* budget_bytes,
    const std::function<void(std::span<const model::Record>)>& visit) {
  Segment& segment = *view.segment;
  const int64_t limit = segment.durable_bytes();
  const int64_t first = from;
  ScratchLease scratch;
  auto& records = scratch->records;
  records.clear();
  const auto aborted = Aborted(from, to);
  const auto flush = [&] {
    if (!records.empty()) visit(records);
    records.clear();
  };
  // Damage behind the first record is met again by the next call.
  const auto damage = [&](int64_t position, const char* what) -> Result<int64_t> {
    flush();
    if (from > first) return from;
    return Damaged(segment, position, from, what);
  };

  MR_ASSIGN_OR_RETURN(IndexEntry entry, segment.FindOffset(from));
  MR_ASSIGN_OR_RETURN(const auto file, segment.File(env::OpenMode::kRead));
  // The path may belong to a new topic of that name by now; an open file that was opened before a
  // deletion does not.
  MR_RETURN_IF_ERROR(Find(from).status());
  const auto block = static_cast<size_t>(
      std::clamp(*budget_bytes + kBlockBytesMin, kBlockBytesMin, kBlockBytesMax));
  BatchReader reader(*file, entry.position, limit, block, scratch->buffer);
  MR_ASSIGN_OR_RETURN(auto header, reader.Header());
  if (!header || header->base_offset != entry.offset) {
    MR_RETURN_IF_ERROR(segment.RebuildIndex());
    MR_ASSIGN_OR_RETURN(entry, segment.FindOffset(from));
    reader = BatchReader(*file, entry.position, limit, block, scratch->buffer);
  }

  while (*budget_bytes > 0 && from < to) {
    if (!reader.Holds(kBatchHeaderSize)) flush();
    MR_ASSIGN_OR_RETURN(header, reader.Header());
    if (!header) return damage(reader.position(), "no whole record batch");
    if (header->end_offset() <= from) {
      reader.Advance(*header);
      continue;
    }
    if (header->base_offset > from) return damage(reader.position(), "records are missing");
    if (!reader.Holds(header->size_bytes)) flush();
    MR_ASSIGN_OR_RETURN(const std::string_view batch, reader.Body(*header));
    if (!ChecksumHolds(batch)) return damage(reader.position(), "the checksum does not hold");
    if (!header->control() && !IsAborted(*header, aborted)) {
      if (header->compressed()) flush();  // views into scratch->plain
      const auto plain = PlainRecords(batch, *header, scratch->plain);
      if (!plain.ok()) return damage(reader.position(), "compressed records cannot be read");
      RecordCursor cursor(*plain, *header);
      model::Record record;
      while (*budget_bytes > 0 && from < to && cursor.Next(&record)) {
        if (record.offset < from) continue;
        if (record.offset >= to) break;
        records.push_back(record);
        from = record.offset + 1;
        *budget_bytes -=
            static_cast<int64_t>(record.key.size() + record.value.size() + record.headers.size()) +
            kRecordOverheadBytes;
        if (records.size() >= kRecordsPerVisit) flush();
      }
      if (!cursor.status().ok())
        return damage(reader.position(), "records do not match their header");
    }
    if (from >= to || *budget_bytes <= 0) break;
    from = std::min(to, header->end_offset());
    reader.Advance(*header);
  }
  flush();
  return from;
}

Result<BatchRange> Partition::FindBatches(int64_t from, int64_t to, int64_t max_bytes,
                                          bool at_least_one) {
  BatchRange range;
  range.next_offset = from;
  while (true) {
    // What has been found counts; the next call meets the error.
    auto view = Find(range.next_offset);
    if (!view.ok()) return range.bytes > 0 ? Result<BatchRange>(range) : std::move(view).status();
    const int64_t end = std::min({to, view->end_offset, view->segment_end});
    if (range.next_offset >= end) return range;
    const bool any = at_least_one && range.bytes == 0;
    auto slice = FindSlice(*view, &range.next_offset, end, max_bytes - range.bytes, any);
    if (!slice.ok()) return range.bytes > 0 ? Result<BatchRange>(range) : std::move(slice).status();
    if (slice->bytes == 0) return range;
    range.bytes += slice->bytes;
    range.slices.push_back(*std::move(slice));
    if (range.next_offset < end) return range;
  }
}

Result<BatchSlice> Partition::FindSlice(const View& view, int64_t* from, int64_t to,
                                        int64_t max_bytes, bool at_least_one) {
  Segment& segment = *view.segment;
  const int64_t limit = segment.durable_bytes();
  ScratchLease scratch;
  MR_ASSIGN_OR_RETURN(IndexEntry entry, segment.FindOffset(*from));
  MR_ASSIGN_OR_RETURN(const auto file, segment.File(env::OpenMode::kRead));
  MR_RETURN_IF_ERROR(Find(*from).status());  // see ReadSegment
  const auto reader_at = [&](int64_t position) {
    return BatchReader(*file, position, limit, SegmentIndex::kIntervalBytes, scratch->buffer);
  };
  BatchReader reader = reader_at(entry.position);
  MR_ASSIGN_OR_RETURN(auto header, reader.Header());
  if (!header || header->base_offset != entry.offset) {
    MR_RETURN_IF_ERROR(segment.RebuildIndex());
    MR_ASSIGN_OR_RETURN(entry, segment.FindOffset(*from));
    reader = reader_at(entry.position);
    MR_ASSIGN_OR_RETURN(header, reader.Header());
  }
  while (header && header->end_offset() <= *from) {
    reader.Advance(*header);
    MR_ASSIGN_OR_RETURN(header, reader.Header());
  }
  if (!header || header->base_offset > *from) {
    return Damaged(segment, reader.position(), *from, "no whole record batch");
  }
  BatchSlice slice{file, reader.position(), 0};
  const int64_t first_offset = header->base_offset;

  // The end: from an indexed batch near it, along the headers.
  int64_t next = first_offset;
  MR_ASSIGN_OR_RETURN(const IndexEntry last,
                      segment.FindLast(to - 1, slice.position + std::min(max_bytes, limit)));
  if (last.position > slice.position) {
    reader = reader_at(last.position);
    MR_ASSIGN_OR_RETURN(header, reader.Header());
    if (header && header->base_offset == last.offset) {
      next = last.offset;
    } else {
      reader = reader_at(slice.position);
    }
  }
  while (next < to) {
    MR_ASSIGN_OR_RETURN(header, reader.Header());
    if (!header || header->base_offset != next) break;  // damage, met by who reads on from there
    const int64_t bytes = reader.position() + header->size_bytes - slice.position;
    if (bytes > max_bytes && !(at_least_one && next == first_offset)) break;
    next = header->end_offset();
    reader.Advance(*header);
  }
  slice.bytes = reader.position() - slice.position;

  const int64_t end = slice.position + slice.bytes;
  if (end > segment.checked_bytes()) {
    MR_ASSIGN_OR_RETURN(const ScanResult scan,
                        ScanBatches(*file, slice.position, end, first_offset, [](auto&&...) {}));
    segment.NoteChecked(slice.position, scan.valid_bytes);
    if (scan.valid_bytes < end) {
      if (scan.valid_bytes == slice.position) {
        return Damaged(segment, slice.position, first_offset, "the checksum does not hold");
      }
      slice.bytes = scan.valid_bytes - slice.position;
      next = scan.end_offset;
    }
  }
  if (slice.bytes > 0) *from = next;
  return slice;
}

Result<int64_t> Partition::OffsetAfterBytes(int64_t from, int64_t budget_bytes) {
  budget_bytes = std::clamp<int64_t>(budget_bytes, 1, INT64_MAX / 4);
  while (true) {
    MR_ASSIGN_OR_RETURN(const View view, Find(from));
    if (from >= view.end_offset) return view.end_offset;
    MR_ASSIGN_OR_RETURN(const IndexEntry start, view.segment->FindOffset(from));
    MR_ASSIGN_OR_RETURN(auto entry, view.segment->FindPosition(start.position + budget_bytes));
    if (entry && entry->offset <= from) {  // at least one batch
      MR_ASSIGN_OR_RETURN(entry, view.segment->FindPosition(entry->position + 1));
    }
    if (entry) return std::min(entry->offset, view.segment_end);
    budget_bytes -= view.segment->durable_bytes() - start.position;
    from = view.segment_end;
    if (budget_bytes <= 0) return from;
  }
}

Result<int64_t> Partition::OffsetForTime(int64_t timestamp_ms) {
  MR_ASSIGN_OR_RETURN(const PartitionInfo info, Describe());
  for (const auto& segment : SegmentList()) {
    const auto max_timestamp = segment->MaxTimestamp();
    if (!max_timestamp.ok() && !Find(segment->base_offset()).ok()) continue;  // just removed
    MR_RETURN_IF_ERROR(max_timestamp.status());
    if (*max_timestamp < timestamp_ms) continue;
    MR_ASSIGN_OR_RETURN(const IndexEntry entry, segment->FindTime(timestamp_ms));
    MR_ASSIGN_OR_RETURN(const auto file, segment->File(env::OpenMode::kRead));
    ScratchLease scratch;
    BatchReader reader(*file, entry.position, segment->durable_bytes(), kBlockBytesMin,
                       scratch->buffer);
    while (true) {
      MR_ASSIGN_OR_RETURN(const auto header, reader.Header());
      if (!header) break;
      if (header->base_offset >= info.end_offset) return info.end_offset;
      if (header->max_timestamp_ms >= timestamp_ms && !header->control()) {
        MR_ASSIGN_OR_RETURN(const std::string_view batch, reader.Body(*header));
        if (!ChecksumHolds(batch)) {
          return Damaged(*segment, reader.position(), header->base_offset,
                         "the checksum does not hold");
        }
        const auto plain = PlainRecords(batch, *header, scratch->plain);
        MR_RETURN_IF_ERROR(plain.status());
        RecordCursor cursor(*plain, *header);
        model::Record record;
        while (cursor.Next(&record)) {
          if (record.offset < info.start_offset) continue;
          if (record.timestamp_ms >= timestamp_ms) return record.offset;
        }
      }
      reader.Advance(*header);
    }
  }
  return info.end_offset;
}

}  // namespace millrace::log
