#include "project/reconcile.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "base/visible_text.h"
#include "env/clock.h"
#include "env/diag.h"

namespace millrace::project {

namespace {

using simdjson::dom::element;

std::string TimeLiteral(int64_t ms) {
  return fmt::format("make_timestamp({})", ms * 1000);
}

struct Bounds {
  int64_t from_ms = 0;
  int64_t to_ms = 0;
};

Bounds BoundsOf(const ReconcileCheck& check, int64_t now_ms) {
  Bounds bounds;
  if (check.time.empty()) return bounds;
  bounds.to_ms = now_ms - check.settle_us / 1000;
  if (check.window_us > 0) bounds.from_ms = bounds.to_ms - check.window_us / 1000;
  return bounds;
}

// A side's rows within the window; rows without a time are in none.
std::string Side(const ReconcileCheck& check, const std::string& query, const Bounds& bounds) {
  std::string sql = "SELECT * FROM (" + query + ")";
  if (check.time.empty()) return sql;
  const std::string time = QuoteIdentifier(check.time);
  sql += fmt::format(" WHERE {} < {}", time, TimeLiteral(bounds.to_ms));
  if (check.window_us > 0) sql += fmt::format(" AND {} >= {}", time, TimeLiteral(bounds.from_ms));
  return sql;
}

int64_t NumberAt(simdjson::dom::array row, size_t column) {
  int64_t number = 0;
  if (!row.at(column).get_int64().get(number)) return number;
  // Sums are HUGEINT.
  std::string_view text;
  if (row.at(column).get_string().get(text)) return 0;
  return std::strtoll(std::string(text).c_str(), nullptr, 10);
}

std::string TextAt(simdjson::dom::array row, size_t column) {
  std::string_view text;
  return row.at(column).get_string().get(text) ? "" : std::string(text);
}

Status TakeAnswer(const ReconcileCheck& check, const std::string& json, ReconcileResult& result) {
  simdjson::dom::parser parser;
  element answer;
  simdjson::dom::array rows;
  if (parser.parse(json).get(answer) || answer["rows"].get_array().get(rows) || rows.size() == 0) {
    return Status(Code::kCorruption, "the answer of a check cannot be read");
  }
  bool first = true;
  for (element line : rows) {
    simdjson::dom::array row;
    if (line.get_array().get(row)) continue;
    if (first) {
      result.source_rows = NumberAt(row, 0);
      result.destination_rows = NumberAt(row, 1);
      result.missing = NumberAt(row, 2);
      result.extra = NumberAt(row, 3);
      result.changed = NumberAt(row, 4);
      first = false;
    }
    if (check.by == ReconcileCheck::By::kCount || TextAt(row, 5).empty()) continue;
    result.differences.push_back(
        {TextAt(row, 5), TextAt(row, 6), NumberAt(row, 7), NumberAt(row, 8)});
  }
  return Status::Ok();
}

}  // namespace

std::string ReconcileSql(const ReconcileCheck& check, int64_t now_ms) {
  const Bounds bounds = BoundsOf(check, now_ms);
  const std::string source = Side(check, check.source, bounds);
  const std::string destination = Side(check, check.destination, bounds);
  if (check.by == ReconcileCheck::By::kCount) {
    return fmt::format(
        "SELECT s, d, greatest(s - d, 0) AS missing, greatest(d - s, 0) AS extra, 0 AS changed "
        "FROM (SELECT (SELECT count(*) FROM ({})) AS s, (SELECT count(*) FROM ({})) AS d)",
        source, destination);
  }
  std::vector<std::string> keys, texts, columns;
  for (const std::string& name : check.key) {
    keys.push_back(QuoteIdentifier(name));
    texts.push_back(fmt::format("coalesce(CAST({} AS VARCHAR), 'NULL')", QuoteIdentifier(name)));
  }
  columns = keys;
  for (const std::string& name : check.columns) columns.push_back(QuoteIdentifier(name));
  const std::string list = Join(columns, ", ");
  const std::string by = Join(keys, ", ");
  // Equal rows have equal sums of hashes, whatever their order; UNION gives both sides one type.
  const bool compares = check.by == ReconcileCheck::By::kChecksum;
  const std::string differs =
      compares ? "sum(CASE WHEN side = 0 THEN h ELSE -h END) <> 0" : "false";
  return fmt::format(
      "WITH both_sides AS (SELECT 0 AS side, {0} FROM ({1}) UNION ALL SELECT 1 AS side, {0} FROM "
      "({2})), hashed AS (SELECT side, {3}, CAST(hash({0}) AS HUGEINT) AS h FROM both_sides), "
      "per AS MATERIALIZED (SELECT {3}, count(*) FILTER (WHERE side = 0) AS s, count(*) FILTER "
      "(WHERE side = 1) AS d, {4} AS differs FROM hashed GROUP BY {3}), "
      "sums AS (SELECT coalesce(sum(s), 0) AS s, coalesce(sum(d), 0) AS d, "
      "coalesce(sum(greatest(s - d, 0)), 0) AS missing, coalesce(sum(greatest(d - s, 0)), 0) AS "
      "extra, count(*) FILTER (WHERE s = d AND differs) AS changed FROM per), "
      "named AS (SELECT CASE WHEN d < s THEN 'missing' WHEN d > s THEN 'extra' ELSE 'changed' END "
      "AS kind, concat_ws(', ', {5}) AS key_text, s, d, row_number() OVER (ORDER BY {3}) AS place "
      "FROM per WHERE s <> d OR differs ORDER BY place LIMIT {6}) "
      "SELECT sums.s::BIGINT, sums.d::BIGINT, missing::BIGINT, extra::BIGINT, changed, kind, "
      "key_text, named.s, named.d FROM sums LEFT JOIN named ON true ORDER BY place",
      list, source, destination, by, differs, Join(texts, ", "), check.keys_max);
}

ReconcileResult RunReconcileCheck(const ReconcileCheck& check, int64_t now_ms, const AskSql& ask) {
  const Bounds bounds = BoundsOf(check, now_ms);
  ReconcileResult result;
  result.name = check.name;
  result.time_ms = now_ms;
  result.from_ms = bounds.from_ms;
  result.to_ms = bounds.to_ms;
  result.tolerance = check.tolerance;
  auto json = ask(ReconcileSql(check, now_ms));
  Status status = json.ok() ? TakeAnswer(check, *json, result) : json.status();
  if (!status.ok()) {
    result.error = status.message();
    return result;
  }
  const auto different = static_cast<double>(result.missing + result.extra + result.changed);
  result.divergence = different == 0 ? 0
                      : result.source_rows == 0
                          ? 1
                          : different / static_cast<double>(result.source_rows);
  result.ok = result.divergence <= check.tolerance;
  return result;
}

std::string ReconcileResult::ToJson() const {
  std::vector<std::string> named;
  for (const Difference& difference : differences) {
    named.push_back(
        fmt::format("{{\"kind\":\"{}\",\"key\":{},\"source_rows\":{},\"destination_rows\":{}}}",
                    difference.kind, JsonQuote(difference.key), difference.source_rows,
                    difference.destination_rows));
  }
  auto time = [](int64_t ms) { return ms > 0 ? std::to_string(ms) : "null"; };
  return fmt::format(
      "{{\"name\":{},\"time_ms\":{},\"from_ms\":{},\"to_ms\":{},\"ok\":{},\"source_rows\":{},"
      "\"destination_rows\":{},\"missing\":{},\"extra\":{},\"changed\":{},\"divergence\":{},"
      "\"tolerance\":{},\"error\":{},\"differences\":[{}]}}",
      JsonQuote(name), time_ms, time(from_ms), time(to_ms), ok, source_rows, destination_rows,
      missing, extra, changed, divergence, tolerance, error.empty() ? "null" : JsonQuote(error),
      Join(named, ","));
}

std::string ReconcileResult::ToText() const {
  if (!error.empty()) return fmt::format("{}: could not be asked: {}", name, error);
  std::string text = fmt::format(
      "{}: {} rows in the source, {} in the destination: {} ({:.4g} % differs, {:.4g} % allowed)",
      name, source_rows, destination_rows, ok ? "agree" : "DO NOT AGREE", divergence * 100,
      tolerance * 100);
  if (missing > 0) text += fmt::format("\n  {} missing in the destination", missing);
  if (extra > 0) text += fmt::format("\n  {} too many in the destination", extra);
  if (changed > 0) text += fmt::format("\n  {} keys with other values", changed);
  for (const Difference& difference : differences) {
    text += fmt::format("\n  {}: {} ({} in the source, {} in the destination)", difference.kind,
                        VisibleText(difference.key), difference.source_rows,
                        difference.destination_rows);
  }
  return text;
}

Reconciler::Reconciler(std::vector<ReconcileCheck> checks, duck::Warehouse& warehouse,
                       log::Log& log, std::function<void(const ReconcileResult&)> on_result)
    : checks_(std::move(checks)),
      warehouse_(warehouse),
      log_(log),
      on_result_(std::move(on_result)) {}

Reconciler::~Reconciler() {
  Stop();
}

void Reconciler::Start() {
  const bool any = std::any_of(checks_.begin(), checks_.end(),
                               [](const ReconcileCheck& check) { return check.every_us > 0; });
  if (any) thread_ = std::thread([this] { Run(); });
}

void Reconciler::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Reconciler::Run() {
  env::Clock& clock = *env::Clock::System();
  std::vector<int64_t> due;
  auto next_of = [](const ReconcileCheck& check, int64_t now_us) {
    return (now_us / check.every_us + 1) * check.every_us;
  };
  for (const ReconcileCheck& check : checks_) {
    due.push_back(check.every_us > 0 ? next_of(check, clock.WallMicros()) : INT64_MAX);
  }
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_) {
    const int64_t now = clock.WallMicros();
    for (size_t i = 0; i < checks_.size() && !stop_; i++) {
      if (due[i] > now) continue;
      lock.unlock();
      Record(RunReconcileCheck(checks_[i], now / 1000, [&](const std::string& sql) {
        return Result<std::string>([&]() -> Result<std::string> {
          MR_ASSIGN_OR_RETURN(duck::QueryResult result, warehouse_.Query(sql, {.read_only = true}));
          return result.ToJson();
        }());
      }));
      lock.lock();
      due[i] = next_of(checks_[i], now);
    }
    const int64_t wait = *std::min_element(due.begin(), due.end()) - clock.WallMicros();
    // Clocks are set; so look again every minute.
    wake_.wait_for(lock, std::chrono::microseconds(std::clamp<int64_t>(wait, 1000, 60'000'000)),
                   [&] { return stop_; });
  }
}

void Reconciler::Record(const ReconcileResult& result) {
  if (on_result_) on_result_(result);
  if (!result.ok) {
    diag::Error("reconciliation failed check={} what=\"{}\"", result.name, result.ToText());
  }
  log::NewRecord record;
  const std::string json = result.ToJson();
  record.key = result.name;
  record.value = json;
  auto written = log_.AppendAndWait(kReconciliationTopic, 0, {&record, 1});
  if (!written.ok()) {
    diag::Error("result of a reconciliation not kept check={} error=\"{}\"", result.name,
                written.status().message());
  }
}

}  // namespace millrace::project
