// Microbatch models: an incremental table built piece by piece of its event time, each piece one
// transaction that takes away what the table has of it and adds what the query gives.
//
// Source: https://docs.getdbt.com/docs/build/incremental-microbatch. What dbt does not do: a run
// says which pieces between `begin` and now the table has no rows of though the inputs have.
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "dbt/batches.h"
#include "dbt/builder.h"
#include "env/clock.h"

namespace millrace::dbt {

namespace {

Value Pair(const Batch& batch) {
  return Value::List{TimeText(batch.from_us), TimeText(batch.to_us)};
}

// event_time >= '2024-01-01 …' AND event_time < '2024-01-02 …'
std::string Within(const std::string& column, const Batch& batch) {
  return fmt::format("{0} >= '{1}' AND {0} < '{2}'", column, TimeText(batch.from_us),
                     TimeText(batch.to_us));
}

}  // namespace

bool IsMicrobatch(const Node& node) {
  return node.kind == "model" && node.materialized() == "incremental" &&
         node.config["incremental_strategy"].text() == "microbatch";
}

// Those of a retry; or else from --event-time-start, the lookback or `begin` to --event-time-end or
// now.
Result<std::vector<Batch>> Builder::BatchesOf(const Node& node, bool into_existing) {
  MR_ASSIGN_OR_RETURN(BatchSize size, ParseBatchSize(node.config["batch_size"].text()));
  MR_ASSIGN_OR_RETURN(int64_t begin, ParseTime(node.config["begin"].text(), "begin"));
  const ProjectOptions& options = project_.options;
  std::vector<Batch> out;
  for (const Value& failed : options.retry_batches[node.id].list()) {
    MR_ASSIGN_OR_RETURN(int64_t from, ParseTime(failed[size_t{0}].text(), "a failed batch"));
    MR_ASSIGN_OR_RETURN(int64_t to, ParseTime(failed[size_t{1}].text(), "a failed batch"));
    out.push_back({from, to});
  }
  if (!out.empty()) return out;
  int64_t end = env::Clock::System()->WallMicros();
  if (!options.event_time_end.empty()) {
    MR_ASSIGN_OR_RETURN(end, ParseTime(options.event_time_end, "--event-time-end"));
  }
  int64_t start = begin;
  if (!options.event_time_start.empty()) {
    MR_ASSIGN_OR_RETURN(start, ParseTime(options.event_time_start, "--event-time-start"));
  } else if (into_existing) {
    const std::string text = node.config["lookback"].text_or("1");
    if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != text.npos) {
      return Status(Code::kBadOption, fmt::format("lookback \"{}\" is no number of batches", text))
          .At({node.path, node.line, 0, 0});
    }
    const int64_t lookback = std::stoll(text);
    const bool at_edge = end == StartOfBatch(end, size);
    start = StartOfBatch(end, size, -(lookback + (at_edge ? 1 : 0)));
  }
  return BatchesBetween(start, end, size);
}

Result<int64_t> Builder::BuildBatch(Node& node, const Batch& batch, bool into_existing) {
  const EventWindow window{batch, into_existing};
  templates_.set_window(&window);
  auto compiled = templates_.Compile(node);
  templates_.set_window(nullptr);
  MR_ASSIGN_OR_RETURN(std::string text, std::move(compiled));
  const std::string sql = Statement(text);
  if (node.config["contract"]["enforced"].truth()) {
    MR_RETURN_IF_ERROR(CheckContract(node, sql));
  }
  const std::string within = Within(node.config["event_time"].text(), batch);
  int64_t rows = 0;
  Status status = InTransaction(node, [&](Session& session) -> Status {
    if (!into_existing) {
      MR_ASSIGN_OR_RETURN(rows, CreateTable(session, node, sql));
      return Status::Ok();
    }
    MR_ASSIGN_OR_RETURN(
        rows, AddIncrement(session, node,
                           "SELECT * FROM (\n" + sql + "\n) AS batch WHERE " + within, within));
    return Status::Ok();
  });
  if (!status.ok()) return status;
  return rows;
}

// Batches between `begin` and now of which the table has no row, and the query would give some.
Result<std::string> Builder::MissingBatches(Node& node) {
  const int64_t now_us = env::Clock::System()->WallMicros();
  const std::string time = node.config["event_time"].text();
  MR_ASSIGN_OR_RETURN(BatchSize size, ParseBatchSize(node.config["batch_size"].text()));
  MR_ASSIGN_OR_RETURN(int64_t begin, ParseTime(node.config["begin"].text(), "begin"));
  MR_ASSIGN_OR_RETURN(
      Rows known,
      adapter_.Query(fmt::format(
          "SELECT DISTINCT {0} FROM {1} WHERE {2} IS NOT NULL ORDER BY 1",
          adapter_.MicrosOf(fmt::format("date_trunc('{}', {})", BatchSizeName(size), time)),
          adapter_.TableName(node), time)));
  std::vector<Batch> gaps;  // neighbours are one
  auto known_at = [&](size_t row) { return known.rows[row][size_t{0}].whole(); };
  size_t row = 0;
  for (const Batch& batch : BatchesBetween(begin, now_us, size)) {
    while (row < known.rows.size() && known_at(row) < batch.from_us) row++;
    if (row < known.rows.size() && known_at(row) == batch.from_us) continue;
    if (!gaps.empty() && gaps.back().to_us == batch.from_us) {
      gaps.back().to_us = batch.to_us;
    } else {
      gaps.push_back(batch);
    }
  }
  std::vector<std::string> missing;
  Node copy = node;  // whose SQL is asked, not kept
  for (const Batch& gap : gaps) {
    const EventWindow window{gap, true};
    templates_.set_window(&window);
    auto compiled = templates_.Compile(copy);
    templates_.set_window(nullptr);
    MR_ASSIGN_OR_RETURN(std::string sql, std::move(compiled));
    MR_ASSIGN_OR_RETURN(Rows found, adapter_.Query(fmt::format(
                                        "SELECT count(*), {}, {} FROM (\n{}\n) AS gap WHERE {}",
                                        adapter_.MicrosOf("min(" + time + ")"),
                                        adapter_.MicrosOf("max(" + time + ")"), Statement(sql),
                                        Within(time, gap))));
    const Value& counted = found.rows.front();
    if (counted[size_t{0}].whole() == 0) continue;
    const int64_t first = StartOfBatch(counted[size_t{1}].whole(), size);
    const int64_t end = StartOfBatch(counted[size_t{2}].whole(), size, 1);
    missing.push_back(fmt::format("--event-time-start '{}' --event-time-end '{}' ({} rows)",
                                  TimeText(first), TimeText(end), counted[size_t{0}].whole()));
  }
  if (missing.empty()) return std::string();
  return fmt::format("batches are missing that the inputs have rows for; run it with\n    {}",
                     Join(missing, "\n    "));
}

Result<Outcome> Builder::Microbatch(Node& node) {
  const SourceSpan place{node.path, node.line, 0, 0};
  for (const char* config : {"event_time", "batch_size", "begin"}) {
    if (!node.config[config].is_null()) continue;
    return Status(Code::kBadOption, fmt::format("a microbatch model needs {}", config)).At(place);
  }
  if (!node.config["unique_key"].is_null()) {
    return Status(Code::kBadOption,
                  "a microbatch model has no unique_key: a batch replaces all rows of its time")
        .At(place);
  }
  bool into_existing = IsIncremental(node);
  MR_ASSIGN_OR_RETURN(std::vector<Batch> batches, BatchesOf(node, into_existing));
  if (!project_.options.retry_batches[node.id].list().empty()) {
    // The batches that were done before lie in it, be it a full refresh.
    into_existing = IsTable(node);
  }
  Value all = Value::List{};
  for (const Batch& batch : batches) all.Append(Pair(batch));
  MR_RETURN_IF_ERROR(journal_->Note(node.id, "running", all));
  Outcome outcome{"success", "", -1, 0};
  Value done = Value::List{}, failed = Value::List{};
  Status first_error;
  for (const Batch& batch : batches) {
    // Without its first batch there is no table for the others.
    if (!into_existing && !first_error.ok()) {
      failed.Append(Pair(batch));
      continue;
    }
    if (stopped_()) {
      failed.Append(Pair(batch));
      if (first_error.ok()) first_error = Status(Code::kCancelled, "the run was stopped");
      continue;
    }
    auto rows = BuildBatch(node, batch, into_existing);
    if (rows.ok()) {
      done.Append(Pair(batch));
      MR_RETURN_IF_ERROR(journal_->NoteBatch(node.id, Pair(batch)));
      outcome.rows += *rows;
      into_existing = true;
    } else {
      failed.Append(Pair(batch));
      if (first_error.ok()) {
        first_error =
            Placed(project_, node, rows.status()).Annotate("batch " + TimeText(batch.from_us));
      }
    }
  }
  outcome.batches = Value::Object({{"successful", done}, {"failed", failed}});
  outcome.message = fmt::format("{} of {} batches", done.list().size(), batches.size());
  if (!first_error.ok()) {
    outcome.status = done.list().empty() ? "error" : "partial success";
    outcome.error = first_error;
    return outcome;
  }
  MR_ASSIGN_OR_RETURN(outcome.note, MissingBatches(node));
  return outcome;
}

}  // namespace millrace::dbt
