// SessionAggregate: GROUP BY SESSION windows: rows of a key that follow each other by at most the
// gap make one session; its results are emitted once, when the frontier has passed its last row by
// more than the gap, and its rows are freed with it. Append in, append out.
//
// Sessions that touch merge. A row is late when its own window [time, time + gap] is closed and no
// open session reaches it; open is judged by the row's own split where that is further (see
// LateCandidate), so that what a row joins does not depend on the size of epochs.
//
// State: keys (GroupStates 'g'), the rows of open sessions ('r' ++ id): time (8 bytes), slot of the
// key (4), number of the session (4), the columns that are neither key nor bound of the session.
// Rows are kept, not aggregates: sessions merge, and then so would every aggregate have to.
#pragma once

#include <string>
#include <vector>

#include "stream/group_states.h"
#include "stream/late_rows.h"
#include "stream/operator.h"
#include "stream/row_codec.h"
#include "stream/row_store.h"

namespace millrace::stream {

struct SessionPlan {
  AggregatePlan aggregates;  // its groups include the session's bounds
  int start_column = -1;     // group column that is the session's start; -1: not wanted
  int end_column = -1;
  std::vector<duckdb::idx_t> keys;            // group columns that sessions are kept by
  duckdb::vector<duckdb::LogicalType> types;  // of the input: groups, arguments, filters
  int64_t gap_us = 0;
  ColumnFrontier frontier;  // of the rows' time
};

class SessionAggregate : public Operator {
 public:
  SessionAggregate(uint32_t id, SessionPlan plan);

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  void OnWatermark(const Frontiers& frontiers) override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Session {
    uint32_t slot = kNone;  // kNone: free
    int64_t start = 0;
    int64_t last = 0;  // time of the last row
    uint32_t rows = 0;
    uint32_t first_row = kNone;  // a list through next_row_, in order of arrival
    uint32_t last_row = kNone;
    uint32_t next = kNone;  // session of the same key
  };
  struct Closing {
    int64_t end;  // no later than the session's
    uint32_t session;
    bool operator>(const Closing& other) const {
      return end != other.end ? end > other.end : session > other.session;
    }
  };

  int64_t EndOf(const Session& session) const { return session.last + plan_.gap_us; }
  uint32_t FindOrMerge(uint32_t slot, int64_t time, model::EventTime closed);
  uint32_t NewSession(uint32_t slot, int64_t time);
  void Merge(uint32_t into, uint32_t from);
  void AddRow(uint32_t session, int64_t time, std::string_view columns);
  void Link(uint32_t session, int64_t time, uint32_t row);
  void Forget(uint32_t session);
  void Unlink(uint32_t session);
  void EmitSessions(const std::vector<uint32_t>& sessions);
  void UpdateStateSize();

  SessionPlan plan_;
  std::vector<duckdb::idx_t> row_columns_;    // input columns that are kept with a row
  std::vector<duckdb::idx_t> group_columns_;  // 0..groups
  RowCodec key_codec_;
  RowCodec row_codec_;
  RowCodec group_codec_;
  LateRows late_;
  GroupStates groups_;
  RowStore rows_;
  std::vector<uint32_t> next_row_;  // by row id
  std::vector<Session> sessions_;
  std::vector<uint32_t> free_sessions_;
  std::vector<uint32_t> first_session_;  // by slot
  std::vector<Closing> closing_;         // a heap, the earliest end on top; one per session
  duckdb::DataChunk input_;
  duckdb::DataChunk output_;
  std::string record_;
};

}  // namespace millrace::stream
