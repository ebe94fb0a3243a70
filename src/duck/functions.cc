#include "duck/functions.h"

#include <atomic>
#include <duckdb/catalog/catalog.hpp>
#include <duckdb/common/vector_operations/generic_executor.hpp>
#include <duckdb/execution/expression_executor_state.hpp>
#include <duckdb/main/client_context.hpp>
#include <duckdb/main/client_context_state.hpp>
#include <duckdb/parser/parsed_data/create_scalar_function_info.hpp>
#include <duckdb/planner/expression/bound_cast_expression.hpp>

#include "duck/door.h"
#include "duck/regexp_extract.h"
#include "duck/served_function.h"
#include "duck/temporal_marks.h"
#include "duck/text_functions.h"
#include "duck/time_zone.h"

namespace millrace::duck {

using duckdb::BinaryExecutor;
using duckdb::DataChunk;
using duckdb::ExpressionState;
using duckdb::FlatVector;
using duckdb::idx_t;
using duckdb::ListVector;
using duckdb::LogicalType;
using duckdb::ScalarFunction;
using duckdb::TernaryExecutor;
using duckdb::timestamp_t;
using duckdb::Vector;

namespace {

constexpr int64_t kMillisecond = 1000;
constexpr const char* kClockState = "millrace_epoch_clock";

struct EpochClock : public duckdb::ClientContextState {
  std::atomic<int64_t> now_us{0};
};

bool IsInfinite(timestamp_t ts) {
  return ts == timestamp_t::infinity() || ts == timestamp_t::ninfinity();
}

void CheckSize(int64_t size_us) {
  if (size_us <= 0) throw duckdb::InvalidInputException("a window's size must be positive");
}

template <int64_t kOfEnd, int64_t kPlus>
void WindowBound(DataChunk& args, ExpressionState&, Vector& result) {
  TernaryExecutor::Execute<timestamp_t, int64_t, int64_t, timestamp_t>(
      args.data[0], args.data[1], args.data[2], result, args.size(),
      [](timestamp_t ts, int64_t size, int64_t offset) {
        CheckSize(size);
        if (IsInfinite(ts)) return ts;
        return timestamp_t(WindowStart(ts.value, size, offset) + kOfEnd * size + kPlus);
      });
}

void WindowPlus(DataChunk& args, ExpressionState&, Vector& result) {
  BinaryExecutor::Execute<timestamp_t, int64_t, timestamp_t>(
      args.data[0], args.data[1], result, args.size(),
      [](timestamp_t ts, int64_t us) { return IsInfinite(ts) ? ts : timestamp_t(ts.value + us); });
}

// The window of a row by itself, before sessions merge: [ts, ts + gap).
template <int kOfEnd>
void OwnSession(DataChunk& args, ExpressionState&, Vector& result) {
  BinaryExecutor::Execute<timestamp_t, int64_t, timestamp_t>(
      args.data[0], args.data[1], result, args.size(), [](timestamp_t ts, int64_t gap) {
        CheckSize(gap);
        return IsInfinite(ts) ? ts : timestamp_t(ts.value + kOfEnd * gap);
      });
}

void RowTime(DataChunk& args, ExpressionState&, Vector& result) {
  result.Reinterpret(args.data[0]);
}

// Fills a LIST result with first, first + step, … <= last for every row.
template <typename FirstLast>
void ListOfTimes(DataChunk& args, Vector& result, FirstLast first_last) {
  idx_t count = args.size();
  args.Flatten();
  result.SetVectorType(duckdb::VectorType::FLAT_VECTOR);
  auto* times = FlatVector::GetData<timestamp_t>(args.data[0]);
  auto* steps = FlatVector::GetData<int64_t>(args.data[1]);
  auto* sizes = FlatVector::GetData<int64_t>(args.data[2]);
  auto* offsets = FlatVector::GetData<int64_t>(args.data[3]);
  auto* entries = FlatVector::GetData<duckdb::list_entry_t>(result);
  idx_t total = 0;
  for (idx_t i = 0; i < count; i++) {
    entries[i] = {total, 0};
    bool null = false;
    for (auto& column : args.data) null |= !FlatVector::Validity(column).RowIsValid(i);
    if (null || IsInfinite(times[i])) {
      FlatVector::SetNull(result, i, true);
      continue;
    }
    CheckSize(steps[i]);
    CheckSize(sizes[i]);
    auto [first, last] = first_last(times[i].value, steps[i], sizes[i], offsets[i]);
    idx_t length = static_cast<idx_t>((last - first) / steps[i] + 1);
    entries[i].length = length;
    ListVector::Reserve(result, total + length);
    auto* values = FlatVector::GetData<timestamp_t>(ListVector::GetEntry(result));
    for (idx_t k = 0; k < length; k++) {
      values[total + k] = timestamp_t(first + static_cast<int64_t>(k) * steps[i]);
    }
    total += length;
  }
  ListVector::SetListSize(result, total);
}

void HopStarts(DataChunk& args, ExpressionState&, Vector& result) {
  ListOfTimes(args, result, [](int64_t ts, int64_t slide, int64_t size, int64_t offset) {
    return std::pair(HopFirstStart(ts, slide, size, offset), WindowStart(ts, slide, offset));
  });
}

void CumulateEnds(DataChunk& args, ExpressionState&, Vector& result) {
  ListOfTimes(args, result, [](int64_t ts, int64_t step, int64_t max, int64_t offset) {
    return std::pair(CumulateFirstEnd(ts, step, max, offset), WindowStart(ts, max, offset) + max);
  });
}

// Windows over points in time are those of the session's local time.
duckdb::unique_ptr<duckdb::FunctionData> BindLocalTime(
    duckdb::ClientContext& context, ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  if (!SessionTimeZone(context)) return nullptr;
  arguments[0] = duckdb::BoundCastExpression::AddCastToType(context, std::move(arguments[0]),
                                                            LogicalType::TIMESTAMP);
  function.arguments[0] = LogicalType::TIMESTAMP;
  return nullptr;
}

void Now(DataChunk& args, ExpressionState& state, Vector& result) {
  auto clock = state.GetContext().registered_state->GetOrCreate<EpochClock>(kClockState);
  result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
  *duckdb::ConstantVector::GetData<timestamp_t>(result) = timestamp_t(clock->now_us.load());
  (void)args;
}

}  // namespace

int64_t WindowStart(int64_t ts_us, int64_t size_us, int64_t offset_us) {
  int64_t into = (ts_us - offset_us) % size_us;
  return ts_us - (into < 0 ? into + size_us : into);
}

int64_t HopFirstStart(int64_t ts_us, int64_t slide_us, int64_t size_us, int64_t offset_us) {
  // The earliest start on the grid of slides that is > ts - size.
  return WindowStart(ts_us - size_us, slide_us, offset_us) + slide_us;
}

int64_t CumulateFirstEnd(int64_t ts_us, int64_t step_us, int64_t max_us, int64_t offset_us) {
  int64_t start = WindowStart(ts_us, max_us, offset_us);
  return start + ((ts_us - start) / step_us + 1) * step_us;
}

void SetEpochClock(duckdb::ClientContext& context, int64_t now_us) {
  context.registered_state->GetOrCreate<EpochClock>(kClockState)->now_us = now_us;
}

int64_t EpochClockMicros(duckdb::ClientContext& context) {
  return context.registered_state->GetOrCreate<EpochClock>(kClockState)->now_us;
}

Status RegisterFunctions(duckdb::DuckDB& database) {
  const LogicalType ts = LogicalType::TIMESTAMP;
  const LogicalType tz = LogicalType::TIMESTAMP_TZ;
  const LogicalType n = LogicalType::BIGINT;
  const LogicalType list = LogicalType::LIST(ts);
  std::vector<duckdb::ScalarFunctionSet> sets = TextFunctions();
  sets.push_back(RegexpExtractFunction());
  auto add = [&](const char* name, duckdb::vector<LogicalType> more, const LogicalType& returns,
                 duckdb::scalar_function_t function) {
    duckdb::ScalarFunctionSet set(name);
    for (const LogicalType& time : {ts, tz}) {
      duckdb::vector<LogicalType> arguments = {time};
      arguments.insert(arguments.end(), more.begin(), more.end());
      ScalarFunction overload(arguments, returns, function);
      if (time == tz) overload.SetBindCallback(BindLocalTime);
      set.AddFunction(overload);
    }
    sets.push_back(std::move(set));
  };
  add("mr_window_start", {n, n}, ts, WindowBound<0, 0>);
  add("mr_window_end", {n, n}, ts, WindowBound<1, 0>);
  add("mr_window_time", {n, n}, ts, WindowBound<1, -kMillisecond>);
  add("mr_window_plus", {n}, ts, WindowPlus);
  add("mr_hop_starts", {n, n, n}, list, HopStarts);
  add("mr_cumulate_ends", {n, n, n}, list, CumulateEnds);
  add("mr_group_hop", {n, n}, ts, RowTime);
  add("mr_group_session_start", {n}, ts, OwnSession<0>);
  add("mr_group_session_end", {n}, ts, OwnSession<1>);
  add("mr_session_start", {n}, ts, OwnSession<0>);
  add("mr_session_end", {n}, ts, OwnSession<1>);
  for (size_t set = sets.size() - 2; set < sets.size(); set++) {
    // The columns that the sessions are kept by.
    for (ScalarFunction& overload : sets[set].functions) overload.varargs = LogicalType::ANY;
  }
  duckdb::ScalarFunctionSet now("mr_now");
  ScalarFunction now_function({}, tz, Now);
  // Volatile, or the optimiser would compute it once while planning.
  now_function.SetStability(duckdb::FunctionStability::VOLATILE);
  now.AddFunction(now_function);
  sets.push_back(std::move(now));
  for (auto& set : TemporalMarks()) sets.push_back(std::move(set));
  sets.push_back(ServedFunction());

  return AtTheDoor([&]() -> Status {
    duckdb::Connection connection(database);
    connection.BeginTransaction();
    auto& catalog = duckdb::Catalog::GetSystemCatalog(*connection.context);
    for (auto& set : sets) {
      duckdb::CreateScalarFunctionInfo info(set);
      info.on_conflict = duckdb::OnCreateConflict::IGNORE_ON_CONFLICT;
      catalog.CreateFunction(*connection.context, info);
    }
    connection.Commit();
    return Status::Ok();
  });
}

}  // namespace millrace::duck
