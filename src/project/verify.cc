#include "project/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <duckdb/main/appender.hpp>
#include <optional>
#include <set>

#include "base/strings.h"
#include "base/units.h"
#include "duck/door.h"
#include "duck/functions.h"
#include "duck/time_zone.h"
#include "env/clock.h"
#include "job/batch_input.h"
#include "project/row_diff.h"
#include "sql/functions.h"
#include "sql/lexer.h"

namespace millrace::project {

namespace {

// A window function in the batch's text: mr_window_start("ts", 60000000, 0) and its like.
struct WindowCall {
  enum class Kind { kTumble, kHop, kCumulate };
  Kind kind = Kind::kTumble;
  int64_t step_us = 0;  // size, slide, step
  int64_t size_us = 0;  // of hopping windows
  int64_t offset_us = 0;
  auto operator<=>(const WindowCall&) const = default;

  // Non-decreasing in time; equal for times that are in the same windows.
  int64_t Of(int64_t time) const {
    if (kind == Kind::kTumble) return duck::WindowStart(time, step_us, offset_us);
    if (kind == Kind::kHop) return duck::HopFirstStart(time, step_us, size_us, offset_us);
    return duck::CumulateFirstEnd(time, step_us, size_us, offset_us);
  }
};

Status Refuse(const std::string& job, const std::string& what, const std::string& hint) {
  return Status(Code::kUnsupported, fmt::format("job \"{}\" cannot be verified: {}", job, what))
      .WithHint(hint);
}

// The integers at the end of the arguments of the call whose name is tokens[at].
std::vector<int64_t> TrailingNumbers(const std::vector<sql::Token>& tokens, size_t at) {
  std::vector<int64_t> numbers;
  int depth = 0;
  for (size_t i = at + 1; i < tokens.size(); i++) {
    const sql::Token& token = tokens[i];
    if (token.IsOperator("(")) depth++;
    if (token.IsOperator(")") && --depth == 0) break;
    if (token.kind == sql::TokenKind::kNumber && depth == 1) {
      const int64_t number = std::strtoll(std::string(token.text).c_str(), nullptr, 10);
      numbers.push_back(tokens[i - 1].IsOperator("-") ? -number : number);
    }
  }
  return numbers;
}

class Verifier {
 public:
  Verifier(Runtime& runtime, size_t lines_max) : runtime_(runtime), lines_max_(lines_max) {}

  Result<VerifyReport> Run(const std::string& name) {
    MR_RETURN_IF_ERROR(Compile(name));
    MR_RETURN_IF_ERROR(CheckText());
    MR_RETURN_IF_ERROR(CheckPlan());
    MR_RETURN_IF_ERROR(TakePoint());
    report_.epoch = position_.epoch;
    MR_RETURN_IF_ERROR(OpenScratch());
    for (size_t i = 0; i < job_->sources.size(); i++) MR_RETURN_IF_ERROR(LoadInput(i));
    MR_RETURN_IF_ERROR(LoadSink());
    MR_RETURN_IF_ERROR(ComputeBatch());
    MR_RETURN_IF_ERROR(Compare());
    return std::move(report_);
  }

 private:
  const std::string& name() const { return job_->name; }
  duckdb::Connection& scratch() { return *connection_; }
  Status Execute(const std::string& sql) { return duck::Warehouse::Execute(scratch(), sql); }

  // ---- what can be compared -------------------------------------------------------------------

  Status Compile(const std::string& wanted) {
    MR_ASSIGN_OR_RETURN(text_, runtime_.ServingText(wanted));
    const Project& project = *text_;
    std::vector<std::string> names;
    const JobStatement* found = nullptr;
    for (const JobStatement& statement : project.jobs()) {
      names.push_back(statement.settings.name);
      if (statement.settings.name == wanted) found = &statement;
    }
    if (!found) {
      return Status(Code::kNotFound, fmt::format("there is no job \"{}\"", wanted))
          .WithHint(DidYouMean(wanted, names));
    }
    MR_ASSIGN_OR_RETURN(job_, project.Compile(*found));
    report_.job = name();
    report_.sink = job_->sink->name;
    const std::string& connector = job_->sink_binding.connector->spec.name;
    if (connector != "warehouse" && connector != "jdbc") {
      return Refuse(name(),
                    fmt::format("its sink \"{}\" ({}) is not a table that can be asked",
                                report_.sink, connector),
                    "jobs that write to 'jdbc' tables can be verified");
    }
    for (const JobStatement& other : project.jobs()) {
      const sql::Table* sink = project.catalog().FindTable(other.insert.target.last());
      if (&other == found || !sink || StoredName(*sink) != StoredName(*job_->sink)) continue;
      return Refuse(name(),
                    fmt::format("job \"{}\" writes to the table \"{}\", too", other.settings.name,
                                report_.sink),
                    "give each job a table of its own");
    }
    for (const job::SourceTable& source : job_->sources) {
      if (source.bound.scan.changelog != model::ChangelogKind::kAppend) {
        return Refuse(name(),
                      fmt::format("the rows of table \"{}\" change, and which of them a result is "
                                  "of depends on when they did",
                                  source.table->name),
                      "jobs over tables that are only appended to can be verified");
      }
      if (source.binding.connector->spec.name == "kafka") continue;
      return Refuse(name(),
                    fmt::format("table \"{}\" ({}) is not in the log", source.table->name,
                                source.binding.connector->spec.name),
                    "jobs over topics can be verified: what they read is kept");
    }
    return Status::Ok();
  }

  static std::string StoredName(const sql::Table& table) {
    std::string stored = table.Option("table-name");
    return ToLower(stored.empty() ? table.name : stored);
  }

  Status CheckText() {
    static const std::set<std::string> by_order = {"first",
                                                   "last",
                                                   "first_value",
                                                   "last_value",
                                                   "any_value",
                                                   "arbitrary",
                                                   "string_agg",
                                                   "group_concat",
                                                   "listagg",
                                                   "list",
                                                   "array_agg",
                                                   "arg_min",
                                                   "arg_max",
                                                   "min_by",
                                                   "max_by",
                                                   "mode",
                                                   "median",
                                                   "approx_quantile",
                                                   "approx_count_distinct"};
    std::vector<std::string> texts = {job_->batch_query};
    for (const sql::View* view : job_->views) texts.push_back(view->query.text);
    for (const sql::Function* function : job_->functions) texts.push_back(function->body.text);
    for (const std::string& text : texts) {
      const sql::Lexed lexed = sql::Lex(text, {});
      for (size_t i = 0; i + 1 < lexed.tokens.size(); i++) {
        const sql::Token& token = lexed.tokens[i];
        if (!token.IsName()) continue;
        const std::string word = ToLower(token.NameText());
        const bool call = lexed.tokens[i + 1].IsOperator("(");
        if (token.Is("LIMIT") || token.Is("OVER")) {
          return Refuse(name(),
                        fmt::format("{} depends on the order in which rows came", ToUpper(word)),
                        "verify what lies below it, with a job of its own");
        }
        if (!call) continue;
        if (word.rfind("mr_session", 0) == 0 || word.rfind("mr_group_", 0) == 0) {
          return Refuse(name(), "sessions and GROUP BY HOP(…) have no equal as a batch query",
                        "TUMBLE, HOP and CUMULATE as table functions can be verified");
        }
        if (word == "mr_now" || word == "random" || word == "uuid") {
          return Refuse(name(), "its result depends on the time at which it ran",
                        "use times of the events");
        }
        if (by_order.count(word)) {
          return Refuse(name(),
                        fmt::format("{}() depends on the order in which rows came, or is "
                                    "not exact",
                                    ToUpper(word)),
                        "");
        }
        NoteWindow(word, TrailingNumbers(lexed.tokens, i));
      }
    }
    return Status::Ok();
  }

  void NoteWindow(const std::string& function, const std::vector<int64_t>& n) {
    using Kind = WindowCall::Kind;
    if (function == "mr_hop_starts" && n.size() >= 3) {
      windows_.insert({Kind::kHop, n[n.size() - 3], n[n.size() - 2], n.back()});
    } else if (function == "mr_cumulate_ends" && n.size() >= 3) {
      windows_.insert({Kind::kCumulate, n[n.size() - 3], n[n.size() - 2], n.back()});
    } else if (function.rfind("mr_window_", 0) == 0 && function != "mr_window_plus" &&
               n.size() >= 2) {
      windows_.insert({Kind::kTumble, n[n.size() - 2], 0, n.back()});
    }
  }

  Status CheckPlan() {
    const stream::JobPlan& plan = job_->plan;
    if (!plan.differs_from_batch.empty()) {
      return Refuse(name(), plan.differs_from_batch,
                    "write NOT EXISTS with a condition for each column");
    }
    for (const char* op : {"SessionAggregate", "TopN", "OverAggregate", "UpdatingOver"}) {
      if (job::HasOperator(plan, op)) {
        return Refuse(name(), "it ranks rows, or joins them to sessions, by their arrival",
                      "verify what lies below it, with a job of its own");
      }
    }
    if (job::HasOperator(plan, "LookupJoin")) {
      return Refuse(name(), "it asks other systems, whose answers of then are not kept for good",
                    "verify what lies below the lookup, with a job of its own");
    }
    if (job::HasOperator(plan, "TemporalJoin")) {
      return Refuse(name(), "FOR SYSTEM_TIME AS OF has no equal as a batch query here",
                    "verify what lies below it, with a job of its own");
    }
    timed_ = job::HasOperator(plan, "WindowAggregate") ||
             job::HasOperator(plan, "UpdatingWindowAggregate") ||
             job::HasOperator(plan, "IntervalJoin") || job::HasOperator(plan, "TimeSort");
    for (const char* op : {"RegularJoin", "GroupAggregate", "SetOperation", "KeepFirst"}) {
      if (job_->settings.state_ttl_us > 0 && job::HasOperator(plan, op)) {
        return Refuse(name(), "'table.exec.state.ttl' lets it forget rows that a batch would know",
                      "set it to 0 for this job");
      }
    }
    return Status::Ok();
  }

  // ---- the batch's input ------------------------------------------------------------------------

  Status OpenScratch() {
    duck::WarehouseOptions options;
    options.memory_limit_bytes = runtime_.project().config().warehouse_memory_bytes;
    options.threads = runtime_.project().config().warehouse_threads;
    MR_ASSIGN_OR_RETURN(scratch_, duck::Warehouse::Open(":memory:", options));
    duckdb::DuckDB database(scratch_->instance());
    MR_RETURN_IF_ERROR(duck::RegisterFunctions(database));
    MR_RETURN_IF_ERROR(sql::RegisterFlinkFunctions(database));
    connection_ = scratch_->Connect();
    MR_RETURN_IF_ERROR(sql::UseFlinkArithmetic(scratch()));
    return sql::UseTimeZone(scratch(), job_->settings.time_zone);
  }

  Status LoadInput(size_t index) {
    const job::SourceTable& source = job_->sources[index];
    const model::Schema& schema = source.bound.scan.schema;
    MR_RETURN_IF_ERROR(CreateTable(source.table->name, schema));
    VerifiedTable input;
    input.name = source.table->name;
    for (const job::SplitPosition& split : position_.sources[index]) {
      input.ranges.push_back(fmt::format("{}: {}..{}", split.split, split.from, split.to));
    }
    const connectors::Services services = runtime_.Services();
    std::set<std::pair<int, int64_t>> late;  // partition, offset
    job::BatchInputCounters counters;
    Status status = duck::AtTheDoor([&]() -> Status {
      duckdb::Appender appender(scratch(), source.table->name);
      MR_RETURN_IF_ERROR(job::ReadBatchInput(
          *job_, index, position_, services,
          [&](const job::BatchInputRows& rows) { return Keep(source, rows, appender, late); },
          counters));
      appender.Close();
      return Status::Ok();
    });
    MR_RETURN_IF_ERROR(status);
    MR_RETURN_IF_ERROR(CheckLateOnlyByTheJob(source, index, late));
    input.records = counters.records;
    input.refused = counters.refused;
    input.dropped = counters.dropped;
    input.late = static_cast<int64_t>(late.size());
    report_.inputs.push_back(std::move(input));
    return Status::Ok();
  }

  Status CreateTable(const std::string& table, const model::Schema& schema) {
    std::vector<std::string> columns;
    for (const model::Column& column : schema.columns) {
      columns.push_back(QuoteIdentifier(column.name) + " " + column.type.ToString());
    }
    return Execute(
        fmt::format("CREATE TABLE {} ({})", QuoteIdentifier(table), Join(columns, ", ")));
  }

  // Appends the rows that are not too late.
  Status Keep(const job::SourceTable& source, const job::BatchInputRows& rows,
              duckdb::Appender& appender, std::set<std::pair<int, int64_t>>& late) {
    const duckdb::idx_t count = rows.rows->size();
    duckdb::SelectionVector kept(STANDARD_VECTOR_SIZE);
    duckdb::idx_t kept_count = 0;
    for (uint32_t row = 0; row < count; row++) {
      bool too_late = false;
      if (rows.reached[row] > model::kTimeMin) {
        MR_ASSIGN_OR_RETURN(too_late, IsTooLate(source, rows, row));
      }
      if (!too_late) {
        kept.set_index(kept_count++, row);
        continue;
      }
      model::DeadLetter letter = rows.origin(row);
      late.emplace(letter.partition, letter.offset);
    }
    duckdb::DataChunk out;
    out.InitializeEmpty(rows.rows->GetTypes());
    out.Slice(*rows.rows, kept, kept_count);
    out.SetCardinality(kept_count);
    if (kept_count > 0) appender.AppendDataChunk(out);
    return Status::Ok();
  }

  // Whether a row that came behind its split's frontier missed its window. Where that is a question
  // of row and window, or of a join, a batch cannot say it.
  Result<bool> IsTooLate(const job::SourceTable& source, const job::BatchInputRows& rows,
                         uint32_t row) {
    const auto column = static_cast<duckdb::idx_t>(source.bound.scan.time_column);
    duckdb::Value time = rows.rows->GetValue(column, row);
    int64_t at = time.GetValueUnsafe<int64_t>();  // of either kind of TIMESTAMP
    model::EventTime closed = rows.reached[row] - source.settings.allowed_lateness_us;
    auto zone = duck::SessionTimeZone(*scratch().context);
    if (zone && time.type().id() == duckdb::LogicalTypeId::TIMESTAMP_TZ) {
      at = zone->ToLocal(at);
      closed = zone->LowestLocalFrom(closed);
    }
    const bool missed = std::any_of(windows_.begin(), windows_.end(),
                                    [&](const WindowCall& w) { return w.Of(at) < w.Of(closed); });
    const bool joined =
        job::HasOperator(job_->plan, "IntervalJoin") || job::HasOperator(job_->plan, "TimeSort");
    if (!missed && !joined) return false;
    const bool simple =
        !joined && windows_.size() == 1 && windows_.begin()->kind == WindowCall::Kind::kTumble &&
        !job::HasOperator(job_->plan, "RegularJoin") && job::AllThroughWindows(job_->plan);
    if (simple) return true;
    model::DeadLetter letter = rows.origin(row);
    return Refuse(
        name(),
        fmt::format("table \"{}\" has a row that came late (partition {}, offset {}), and "
                    "what that means differs between the windows or joins of the query",
                    source.table->name, letter.partition, letter.offset),
        "late rows are understood where all rows go through one TUMBLE");
  }

  // While a partition is idle the others move time on without it: that is not in the log.
  Status CheckLateOnlyByTheJob(const job::SourceTable& source, size_t index,
                               const std::set<std::pair<int, int64_t>>& late) {
    MR_ASSIGN_OR_RETURN(
        auto letters,
        runtime_.warehouse().Query(fmt::format(
            "SELECT DISTINCT \"partition\", \"offset\" FROM millrace.dead_letters WHERE job = {} "
            "AND \"table\" = {} AND kind = 'late' AND \"offset\" IS NOT NULL",
            QuoteLiteral(name()), QuoteLiteral(source.table->name))));
    for (size_t r = 0; r < letters.row_count(); r++) {
      const int partition = letters.Get(r, 0).GetValue<int32_t>();
      const auto offset = letters.Get(r, 1).GetValue<int64_t>();
      bool in_range = false;
      for (const job::SplitPosition& split : position_.sources[index]) {
        in_range |=
            split.split == std::to_string(partition) && offset >= split.from && offset < split.to;
      }
      if (!in_range || late.count({partition, offset})) continue;
      return Refuse(name(),
                    fmt::format("in table \"{}\" partition {}, offset {} was late only because the "
                                "partition had been idle, which depends on when it ran",
                                source.table->name, partition, offset),
                    "");
    }
    return Status::Ok();
  }

  // ---- both sides, and their difference -------------------------------------------------------

  // What was read and what the sink holds, as of one epoch. A running job is held up at the end of
  // an epoch: for as long as it takes to begin a transaction on the warehouse, or, where the table
  // is in PostgreSQL, to fetch its rows.
  Status TakePoint() {
    auto running = runtime_.FindJob(name());
    if (!running) {
      MR_ASSIGN_OR_RETURN(JobVersions versions, JobVersions::Load(runtime_.project(), name()));
      MR_ASSIGN_OR_RETURN(position_,
                          job::ReadPosition(*job_, versions.StateDirectory(versions.serving)));
      MR_RETURN_IF_ERROR(CheckOneText());
      return PinSink();
    }
    return running->AtBoundary([&](const job::JobPosition& position) -> Status {
      const int64_t began_us = env::Clock::System()->MonotonicMicros();
      position_ = position;
      MR_RETURN_IF_ERROR(CheckOneText());
      MR_RETURN_IF_ERROR(PinSink());
      report_.paused_us = env::Clock::System()->MonotonicMicros() - began_us;
      return Status::Ok();
    });
  }

  Status CheckOneText() const {
    if (position_.text_since == 0) return Status::Ok();
    return Refuse(name(),
                  fmt::format("its query changed at epoch {} and it kept its state: rows of epochs "
                              "before are the old query's",
                              position_.text_since),
                  fmt::format("make all of them anew: millrace reprocess {}", name()));
  }

  std::string SelectSink() const {
    const bool embedded = job_->sink_binding.connector->spec.name == "warehouse";
    std::string stored = job_->sink->name;
    if (embedded) {
      auto option = job_->sink_binding.options.find("table-name");
      if (option != job_->sink_binding.options.end()) stored = option->second;
      if (size_t dot = stored.rfind('.'); dot != std::string::npos) stored = stored.substr(dot + 1);
    }
    std::vector<std::string> columns;
    for (const model::Column& column : job_->sink->schema.columns) {
      columns.push_back(
          fmt::format("CAST({} AS {})", QuoteIdentifier(column.name), column.type.ToString()));
    }
    return fmt::format("SELECT {} FROM {}", Join(columns, ", "), QuoteIdentifier(stored));
  }

  Status PinSink() {
    snapshot_ = runtime_.warehouse().Connect();
    const std::string select = SelectSink();
    if (job_->sink_binding.connector->spec.name == "warehouse") {
      MR_RETURN_IF_ERROR(duck::Warehouse::Execute(*snapshot_, "BEGIN TRANSACTION READ ONLY"));
      // DuckDB takes its snapshot when the transaction first touches the database.
      return duck::Warehouse::QueryOn(*snapshot_, select + " LIMIT 0").status();
    }
    MR_ASSIGN_OR_RETURN(found_, duck::Warehouse::QueryOn(*snapshot_, select));
    return Status::Ok();
  }

  Status LoadSink() {
    MR_RETURN_IF_ERROR(CreateTable("mr_found", job_->sink->schema));
    if (!found_) {
      MR_ASSIGN_OR_RETURN(found_, duck::Warehouse::QueryOn(*snapshot_, SelectSink()));
    }
    Status loaded = duck::AtTheDoor([&]() -> Status {
      duckdb::Appender appender(scratch(), "mr_found");
      for (auto& chunk : found_->rows->Chunks()) appender.AppendDataChunk(chunk);
      appender.Close();
      return Status::Ok();
    });
    found_.reset();
    snapshot_.reset();  // and its transaction
    return loaded;
  }

  Status ComputeBatch() {
    for (const sql::Function* function : job_->functions) {
      MR_RETURN_IF_ERROR(Execute(function->Statement()));
    }
    for (const sql::View* view : job_->views) {
      std::vector<std::string> columns;
      for (const std::string& column : view->columns) columns.push_back(QuoteIdentifier(column));
      MR_RETURN_IF_ERROR(Execute(
          fmt::format("CREATE VIEW {}{} AS {}", QuoteIdentifier(view->name),
                      columns.empty() ? "" : " (" + Join(columns, ", ") + ")", view->query.text)));
    }
    MR_RETURN_IF_ERROR(Execute("CREATE TABLE mr_expected AS " + job_->batch_query));
    if (job_->sink->primary_key.empty()) return Status::Ok();
    std::vector<std::string> key;
    for (const std::string& column : job_->sink->primary_key)
      key.push_back(QuoteIdentifier(column));
    MR_ASSIGN_OR_RETURN(
        auto twice, duck::Warehouse::QueryOn(
                        scratch(), fmt::format("SELECT count(*) FROM (SELECT 1 FROM mr_expected "
                                               "GROUP BY {} HAVING count(*) > 1)",
                                               Join(key, ", "))));
    if (twice.Get(0, 0).GetValue<int64_t>() == 0) return Status::Ok();
    return Refuse(name(),
                  fmt::format("several rows have one PRIMARY KEY ({}), and which of them stays "
                              "depends on their order",
                              Join(job_->sink->primary_key, ", ")),
                  "choose a key that tells the rows of the result apart");
  }

  // The condition for rows that are final; "" when all are. Refuses when it cannot be told.
  Result<std::string> FinalRows() {
    const auto sources_end = position_.frontiers.end() - 1;
    const bool all_ended = std::all_of(position_.frontiers.begin(), sources_end,
                                       [](auto f) { return f >= model::kTimeMax; });
    if (!timed_ || all_ended) return std::string();
    for (size_t c = 0; c < job_->plan.frontiers.size(); c++) {
      const stream::ColumnFrontier& frontier = job_->plan.frontiers[c];
      const auto type = job_->sink->schema.columns[c].type.id();
      if (!frontier.known() || type != duckdb::LogicalTypeId::TIMESTAMP) continue;
      const model::EventTime at = frontier.At(position_.frontiers);
      const std::string column = QuoteIdentifier(job_->sink->schema.columns[c].name);
      if (at <= model::kTimeMin) {
        report_.final_before = "nothing is final yet";
        return std::string("false");
      }
      report_.final_before = fmt::format("{} < {}", job_->sink->schema.columns[c].name,
                                         duckdb::Timestamp::ToString(duckdb::timestamp_t(at)));
      return fmt::format("{} < make_timestamp({})", column, at);
    }
    if (job_->plan.changelog == stream::ChangelogKind::kRetract) {
      return Refuse(name(), "it updates results that rest on windows or timed joins",
                    "verify the windows with a job of their own");
    }
    return Refuse(name(), "no column of its result tells when a row is final",
                  "add window_start or window_end to the result");
  }

  Status Compare() {
    MR_ASSIGN_OR_RETURN(const std::string final_rows, FinalRows());
    const std::string where = final_rows.empty() ? "" : " WHERE " + final_rows;
    if (!where.empty()) {
      MR_ASSIGN_OR_RETURN(
          report_.rows_not_final,
          Number(fmt::format("SELECT count(*) FROM mr_found WHERE ({}) IS NOT TRUE", final_rows)));
    }
    std::vector<std::string> columns;
    for (const model::Column& column : job_->sink->schema.columns) {
      const std::string quoted = QuoteIdentifier(column.name);
      const auto type = column.type.id();
      const bool real =
          type == duckdb::LogicalTypeId::DOUBLE || type == duckdb::LogicalTypeId::FLOAT;
      // Sums of doubles depend on the order of the rows in their last digits.
      columns.push_back(real ? fmt::format("format('{{:.11e}}', {0}) AS {0}", quoted) : quoted);
    }
    const std::string list = Join(columns, ", ");
    for (const char* side : {"expected", "found"}) {
      MR_RETURN_IF_ERROR(Execute(
          fmt::format("CREATE VIEW mr_{0}_rows AS SELECT {1} FROM mr_{0}{2}", side, list, where)));
    }
    MR_ASSIGN_OR_RETURN(report_.rows_expected, Number("SELECT count(*) FROM mr_expected_rows"));
    MR_ASSIGN_OR_RETURN(report_.rows_found, Number("SELECT count(*) FROM mr_found_rows"));
    MR_ASSIGN_OR_RETURN(report_.checksum_expected, Checksum("mr_expected_rows"));
    MR_ASSIGN_OR_RETURN(report_.checksum_found, Checksum("mr_found_rows"));
    MR_RETURN_IF_ERROR(Execute(
        "CREATE TABLE mr_differences AS SELECT * EXCLUDE (mr_side), sum(mr_side) AS mr_more "
        "FROM (SELECT *, 1 AS mr_side FROM mr_expected_rows UNION ALL SELECT *, -1 FROM "
        "mr_found_rows) GROUP BY ALL HAVING sum(mr_side) <> 0"));
    MR_ASSIGN_OR_RETURN(
        report_.differences,
        Number("SELECT coalesce(sum(abs(mr_more)), 0)::BIGINT FROM mr_differences"));
    return ShowDifferences();
  }

  Status ShowDifferences() {
    if (report_.differences == 0) return Status::Ok();
    // By the first columns, so that the two sides of one row are near each other.
    MR_ASSIGN_OR_RETURN(auto rows, duck::Warehouse::QueryOn(
                                       scratch(), fmt::format("SELECT * FROM mr_differences ORDER "
                                                              "BY ALL LIMIT {}",
                                                              2 * lines_max_)));
    std::vector<TextRow> expected, found;
    const size_t width = rows.columns.size() - 1;
    for (size_t r = 0; r < rows.row_count(); r++) {
      TextRow row;
      for (size_t c = 0; c < width; c++) row.push_back(TextOf(rows.Get(r, c)));
      const auto more = rows.Get(r, width).GetValue<int64_t>();
      for (int64_t i = 0; i < std::abs(more); i++) (more > 0 ? expected : found).push_back(row);
    }
    const std::string text =
        DiffRows(job_->sink->schema.Names(), expected, found, false, lines_max_);
    report_.lines = Split(std::string(Trim(text)), '\n');
    return Status::Ok();
  }

  Result<int64_t> Number(const std::string& sql) {
    MR_ASSIGN_OR_RETURN(auto result, duck::Warehouse::QueryOn(scratch(), sql));
    return result.Get(0, 0).GetValue<int64_t>();
  }

  // The same for equal bags of rows, whatever their order.
  Result<std::string> Checksum(const std::string& table) {
    MR_ASSIGN_OR_RETURN(
        auto result,
        duck::Warehouse::QueryOn(
            scratch(), fmt::format("SELECT lower(hex(coalesce(bit_xor(hash(r, n)), 0))) FROM "
                                   "(SELECT {0} AS r, count(*) AS n FROM {0} GROUP BY ALL)",
                                   table)));
    return result.Get(0, 0).ToString();
  }

  Runtime& runtime_;
  const size_t lines_max_;
  std::shared_ptr<const Project> text_;  // by which the job was made
  std::unique_ptr<job::CompiledJob> job_;
  job::JobPosition position_;
  std::unique_ptr<duckdb::Connection> snapshot_;  // of the sink, at that position
  std::optional<duck::QueryResult> found_;        // its rows, where they were fetched at once
  std::set<WindowCall> windows_;
  bool timed_ = false;
  std::unique_ptr<duck::Warehouse> scratch_;
  std::unique_ptr<duckdb::Connection> connection_;
  VerifyReport report_;
};

}  // namespace

Result<VerifyReport> VerifyJob(Runtime& runtime, const std::string& job, size_t lines_max) {
  return Verifier(runtime, lines_max).Run(job);
}

std::string VerifyReport::ToText() const {
  std::string out = fmt::format("job \"{}\", table \"{}\", as of epoch {}\n", job, sink, epoch);
  if (paused_us >= 0) {
    out += fmt::format("  point   taken while it runs, held up for {}\n",
                       FormatDurationMicros(paused_us));
  }
  for (const VerifiedTable& input : inputs) {
    out += fmt::format("  input   {}: {} records ({} refused, {} dropped, {} late) of {}\n",
                       input.name, input.records, input.refused, input.dropped, input.late,
                       Join(input.ranges, ", "));
  }
  if (!final_before.empty()) {
    out += fmt::format("  final   {}; {} rows are not, and were not compared\n", final_before,
                       rows_not_final);
  }
  out += fmt::format("  batch   {} rows, checksum {}\n", rows_expected, checksum_expected);
  out += fmt::format("  sink    {} rows, checksum {}\n", rows_found, checksum_found);
  out +=
      equal() ? "equal\n" : fmt::format("DIFFERENT: {} rows are on one side only\n", differences);
  for (const std::string& line : lines) out += "  " + line + "\n";
  return out;
}

std::string VerifyReport::ToJson() const {
  std::vector<std::string> tables, texts;
  for (const VerifiedTable& input : inputs) {
    std::vector<std::string> ranges;
    for (const std::string& range : input.ranges) ranges.push_back(JsonQuote(range));
    tables.push_back(fmt::format(
        R"({{"table":{},"ranges":[{}],"records":{},"refused":{},"dropped":{},"late":{}}})",
        JsonQuote(input.name), Join(ranges, ","), input.records, input.refused, input.dropped,
        input.late));
  }
  for (const std::string& line : lines) texts.push_back(JsonQuote(line));
  return fmt::format(
      R"({{"job":{},"sink":{},"epoch":{},"paused_us":{},"equal":{},"inputs":[{}],"final_before":{},)"
      R"("rows_expected":{},"rows_found":{},"rows_not_final":{},"checksum_expected":{},)"
      R"("checksum_found":{},"differences":{},"lines":[{}]}})",
      JsonQuote(job), JsonQuote(sink), epoch, paused_us, equal(), Join(tables, ","),
      JsonQuote(final_before), rows_expected, rows_found, rows_not_final,
      JsonQuote(checksum_expected), JsonQuote(checksum_found), differences, Join(texts, ","));
}

}  // namespace millrace::project
