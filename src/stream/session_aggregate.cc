#include "stream/session_aggregate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <duckdb/common/types/timestamp.hpp>
#include <numeric>

#include "base/units.h"
#include "stream/columns.h"

namespace millrace::stream {

using duckdb::idx_t;

namespace {

constexpr const char* kRowPrefix = "r";
constexpr size_t kRowsAtOnce = 64 * 1024;

struct RecordHeader {
  int64_t time = 0;
  uint32_t slot = 0;
  uint32_t session = 0;
};

RecordHeader HeaderOf(std::string_view record) {
  RecordHeader header;
  std::memcpy(&header, record.data(), sizeof header);
  return header;
}
std::string_view ColumnsOf(std::string_view record) {
  return record.substr(sizeof(RecordHeader));
}

std::vector<idx_t> KeptColumns(const SessionPlan& plan) {
  std::vector<idx_t> columns;
  for (idx_t c = 0; c < plan.types.size(); c++) {
    bool bound = static_cast<int>(c) == plan.start_column || static_cast<int>(c) == plan.end_column;
    bool key = std::find(plan.keys.begin(), plan.keys.end(), c) != plan.keys.end();
    if (!bound && !key) columns.push_back(c);
  }
  return columns;
}

}  // namespace

SessionAggregate::SessionAggregate(uint32_t id, SessionPlan plan)
    : Operator(id),
      plan_(std::move(plan)),
      row_columns_(KeptColumns(plan_)),
      group_columns_(FirstColumns(plan_.aggregates.group_types.size())),
      key_codec_(Pick(plan_.types, plan_.keys)),
      row_codec_(Pick(plan_.types, row_columns_)),
      group_codec_(plan_.aggregates.group_types),
      late_(plan_.frontier, "window"),
      groups_(AggregatePlan(), "") {}

Status SessionAggregate::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  input_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.types);
  output_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.aggregates.OutputTypes());
  late_.Restore(state, id());
  groups_.Restore(state, id());
  first_session_.assign(groups_.keys().slots(), kNone);
  rows_.Restore(state, id(), kRowPrefix, [&](uint32_t row, std::string_view record) {
    RecordHeader header = HeaderOf(record);
    if (header.session >= sessions_.size()) sessions_.resize(header.session + 1);
    Session& session = sessions_[header.session];
    if (session.slot == kNone) {
      session.slot = header.slot;
      session.start = session.last = header.time;
      session.next = first_session_[header.slot];
      first_session_[header.slot] = header.session;
    }
    Link(header.session, header.time, row);
  });
  for (uint32_t s = 0; s < sessions_.size(); s++) {
    if (sessions_[s].slot == kNone) {
      free_sessions_.push_back(s);
    } else {
      closing_.push_back({EndOf(sessions_[s]), s});
    }
  }
  std::make_heap(closing_.begin(), closing_.end(), std::greater<>());
  UpdateStateSize();
  return Status::Ok();
}

void SessionAggregate::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  bool has_start = plan_.start_column >= 0;
  duckdb::UnifiedVectorFormat times;
  batch.rows->data[static_cast<size_t>(has_start ? plan_.start_column : plan_.end_column)]
      .ToUnifiedFormat(batch.size(), times);
  key_codec_.Bind(*batch.rows, plan_.keys);
  row_codec_.Bind(*batch.rows, row_columns_);
  LateCandidates candidates(batch);
  for (uint32_t row = 0; row < batch.size(); row++) {
    idx_t at = times.sel->get_index(row);
    int64_t time = times.validity.RowIsValid(at) ? reinterpret_cast<const int64_t*>(times.data)[at]
                                                 : model::kTimeMin;
    if (!has_start) time -= plan_.gap_us;
    const LateCandidate* candidate = candidates.Of(row);
    model::EventTime closed = late_.ClosedFor(candidate);
    uint32_t slot = groups_.FindOrAdd(key_codec_.Encode(row)).slot;
    if (slot >= first_session_.size()) first_session_.resize(slot + slot / 2 + 16, kNone);
    uint32_t session = FindOrMerge(slot, time, closed);
    if (session == kNone && time + plan_.gap_us < closed) {
      stats_.rows_late++;
      late_.Bury(batch, row, candidate, context_,
                 fmt::format("late: the session of {} was closed already",
                             duckdb::Timestamp::ToString(duckdb::timestamp_t(time))));
      if (first_session_[slot] == kNone) groups_.Erase(slot);
      continue;
    }
    if (session == kNone) session = NewSession(slot, time);
    AddRow(session, time, row_codec_.Encode(row));
    stats_.rows_taken++;
  }
}

// The open session of the key that a row at `time` belongs to, made one of all it connects.
uint32_t SessionAggregate::FindOrMerge(uint32_t slot, int64_t time, model::EventTime closed) {
  uint32_t found = kNone;
  for (uint32_t s = first_session_[slot]; s != kNone;) {
    const Session& session = sessions_[s];
    uint32_t next = session.next;
    bool reaches = session.start <= time + plan_.gap_us && time <= EndOf(session);
    if (reaches && EndOf(session) >= closed) {
      if (found == kNone) {
        found = s;
      } else if (sessions_[found].rows >= session.rows) {
        Merge(found, s);
      } else {
        Merge(s, found);
        found = s;
      }
    }
    s = next;
  }
  return found;
}

uint32_t SessionAggregate::NewSession(uint32_t slot, int64_t time) {
  uint32_t s;
  if (!free_sessions_.empty()) {
    s = free_sessions_.back();
    free_sessions_.pop_back();
  } else {
    s = static_cast<uint32_t>(sessions_.size());
    sessions_.emplace_back();
  }
  sessions_[s] = {slot, time, time, 0, kNone, kNone, first_session_[slot]};
  first_session_[slot] = s;
  closing_.push_back({time + plan_.gap_us, s});
  std::push_heap(closing_.begin(), closing_.end(), std::greater<>());
  return s;
}

// The rows of `from` become rows of `into`, which has at least as many.
void SessionAggregate::Merge(uint32_t into, uint32_t from) {
  for (uint32_t row = sessions_[from].first_row; row != kNone;) {
    uint32_t next = next_row_[row];
    std::string columns(ColumnsOf(rows_.At(row)));
    int64_t time = HeaderOf(rows_.At(row)).time;
    rows_.Remove(row);
    AddRow(into, time, columns);
    row = next;
  }
  Unlink(from);
  // Its place in the heap is found to be empty when it comes up; until then it is not reused.
  sessions_[from] = Session();
}

void SessionAggregate::AddRow(uint32_t session, int64_t time, std::string_view columns) {
  RecordHeader header{time, sessions_[session].slot, session};
  record_.assign(reinterpret_cast<const char*>(&header), sizeof header);
  record_.append(columns);
  Link(session, time, rows_.Add(record_));
}

void SessionAggregate::Link(uint32_t session, int64_t time, uint32_t row) {
  if (row >= next_row_.size()) next_row_.resize(row + row / 2 + 16);
  next_row_[row] = kNone;
  Session& to = sessions_[session];
  if (to.last_row == kNone) {
    to.first_row = row;
  } else {
    next_row_[to.last_row] = row;
  }
  to.last_row = row;
  to.rows++;
  to.start = std::min(to.start, time);
  to.last = std::max(to.last, time);
}

void SessionAggregate::Unlink(uint32_t session) {
  uint32_t* link = &first_session_[sessions_[session].slot];
  while (*link != session) link = &sessions_[*link].next;
  *link = sessions_[session].next;
}

void SessionAggregate::Forget(uint32_t session) {
  for (uint32_t row = sessions_[session].first_row; row != kNone;) {
    uint32_t next = next_row_[row];
    rows_.Remove(row);
    row = next;
  }
  uint32_t slot = sessions_[session].slot;
  Unlink(session);
  if (first_session_[slot] == kNone) groups_.Erase(slot);
  sessions_[session] = Session();
  free_sessions_.push_back(session);
}

void SessionAggregate::OnWatermark(const Frontiers& frontiers) {
  late_.Advance(frontiers);
  std::vector<uint32_t> closed;
  size_t rows = 0;
  auto emit = [&] {
    EmitSessions(closed);
    for (uint32_t s : closed) Forget(s);
    closed.clear();
    rows = 0;
  };
  while (!closing_.empty() && closing_.front().end < late_.closed_before()) {
    std::pop_heap(closing_.begin(), closing_.end(), std::greater<>());
    uint32_t s = closing_.back().session;
    closing_.pop_back();
    if (sessions_[s].slot == kNone) {  // merged into another
      free_sessions_.push_back(s);
    } else if (EndOf(sessions_[s]) >= late_.closed_before()) {  // went on since
      closing_.push_back({EndOf(sessions_[s]), s});
      std::push_heap(closing_.begin(), closing_.end(), std::greater<>());
    } else {
      closed.push_back(s);
      rows += sessions_[s].rows;
      if (rows >= kRowsAtOnce) emit();
    }
  }
  emit();
  UpdateStateSize();
}

void SessionAggregate::EmitSessions(const std::vector<uint32_t>& sessions) {
  if (sessions.empty()) return;
  GroupStates results(plan_.aggregates, "");
  std::vector<uint32_t> slots;
  std::vector<uint32_t> all(STANDARD_VECTOR_SIZE);
  std::iota(all.begin(), all.end(), 0);
  auto set_time = [&](int column, idx_t row, int64_t time) {
    if (column < 0) return;
    duckdb::FlatVector::GetData<int64_t>(input_.data[static_cast<size_t>(column)])[row] = time;
  };
  idx_t filled = 0;
  auto flush = [&] {
    input_.SetCardinality(filled);
    group_codec_.Bind(input_, group_columns_);
    slots.clear();
    for (idx_t i = 0; i < filled; i++) {
      slots.push_back(results.FindOrAdd(group_codec_.Encode(i)).slot);
    }
    results.Update({&input_, all.data(), slots.data(), nullptr, static_cast<uint32_t>(filled)});
    input_.Reset();
    filled = 0;
  };
  input_.Reset();
  for (uint32_t s : sessions) {
    const Session& session = sessions_[s];
    for (uint32_t row = session.first_row; row != kNone; row = next_row_[row]) {
      key_codec_.Decode(groups_.keys().Key(session.slot), input_, plan_.keys, filled);
      row_codec_.Decode(ColumnsOf(rows_.At(row)), input_, row_columns_, filled);
      set_time(plan_.start_column, filled, session.start);
      set_time(plan_.end_column, filled, EndOf(session));
      if (++filled == STANDARD_VECTOR_SIZE) flush();
    }
  }
  flush();
  const KeyTable& keys = results.keys();
  for (uint32_t first = 0; first < keys.slots(); first += STANDARD_VECTOR_SIZE) {
    uint32_t count = std::min<uint32_t>(STANDARD_VECTOR_SIZE, keys.slots() - first);
    output_.Reset();
    slots.resize(count);
    std::iota(slots.begin(), slots.end(), first);
    for (uint32_t i = 0; i < count; i++) {
      group_codec_.Decode(keys.Key(first + i), output_, group_columns_, i);
    }
    output_.SetCardinality(count);
    results.Finish(slots.data(), count, output_, group_columns_.size());
    Batch out;
    out.rows = &output_;
    emitter_.Emit(out);
  }
}

void SessionAggregate::Snapshot(state::StateWriter& writer) {
  groups_.Snapshot(writer, id());
  rows_.Snapshot(writer, id(), kRowPrefix);
  late_.Snapshot(writer, id());
}

void SessionAggregate::UpdateStateSize() {
  stats_.state_rows = static_cast<int64_t>(rows_.size());
  stats_.state_bytes = static_cast<int64_t>(
      groups_.bytes() + rows_.bytes() + sessions_.capacity() * sizeof(Session) +
      (next_row_.capacity() + first_session_.capacity()) * sizeof(uint32_t));
}

OperatorDescription SessionAggregate::Describe() const {
  OperatorDescription description;
  description.name = "SessionAggregate";
  description.detail =
      fmt::format("gap {}, {}", FormatDurationMicros(plan_.gap_us), plan_.aggregates.Describe());
  description.changelog = "append";
  description.state = "the rows of open sessions (of the columns in use)";
  description.freed_by = "the frontier passing the end of the session";
  return description;
}

}  // namespace millrace::stream
