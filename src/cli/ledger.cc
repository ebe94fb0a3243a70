// millrace ledger: what became of the rows of each job, stage by stage, and whether it adds up.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/path_argument.h"
#include "cli/sql_answer.h"
#include "cli/terminal.h"
#include "cli/text_table.h"

namespace millrace::cli {

namespace {

constexpr const char* kRuns =
    "SELECT run, any_value(job), min(from_epoch), max(to_epoch), strftime(max(committed_at), "
    "'%Y-%m-%d %H:%M:%S'), count(DISTINCT from_epoch) FROM millrace.ledger WHERE {} GROUP BY run "
    "ORDER BY max(committed_at), run";
constexpr const char* kStages =
    "SELECT run, stage, name, sum(rows_in), sum(rows_out), sum(rows_taken), sum(rows_filtered), "
    "sum(rows_late), sum(rows_failed), sum(rows_dropped), sum(rows_unchanged), sum(rows_added) - "
    "sum(rows_merged), sum(rows_missing) FROM millrace.ledger WHERE {} GROUP BY run, stage, name "
    "ORDER BY run, CASE WHEN name = 'source' THEN 0 WHEN stage[1] = '#' THEN 1 ELSE 2 END, "
    "try_cast(stage[2:] AS BIGINT), stage";
constexpr const char* kOffsets =
    "SELECT run, table_name, split, min(from_offset), max(to_offset), coalesce(sum(hole), 0) FROM "
    "(SELECT *, abs(from_offset - lag(to_offset) OVER (PARTITION BY run, table_name, split ORDER "
    "BY epoch)) AS hole FROM millrace.ledger_offsets WHERE {}) GROUP BY run, table_name, split "
    "ORDER BY run, table_name, len(split), split";
constexpr const char* kGaps =
    "SELECT run, what, rows FROM millrace.ledger_gaps WHERE {} ORDER BY from_epoch";
constexpr const char* kEntries =
    "SELECT job, from_epoch, to_epoch, strftime(any_value(committed_at), '%Y-%m-%d %H:%M:%S') AS "
    "\"committed (UTC)\", sum(rows_in) FILTER (WHERE name = 'source') AS \"read\", sum(rows_in) "
    "FILTER "
    "(WHERE stage = 'sink') AS to_sink, sum(rows_missing) AS missing FROM millrace.ledger WHERE {} "
    "GROUP "
    "BY job, run, from_epoch, to_epoch ORDER BY any_value(committed_at) DESC, from_epoch DESC "
    "LIMIT {}";

using Rows = std::vector<std::vector<SqlCell>>;

struct Run {
  Rows stages, offsets, gaps;
};

class Printer {
 public:
  Printer(Access& access, std::string where) : access_(access), where_(std::move(where)) {}

  // Whether every job closes.
  Result<bool> Print() {
    MR_ASSIGN_OR_RETURN(SqlAnswer runs, Ask(kRuns));
    std::map<std::string, Run> by_run;
    MR_ASSIGN_OR_RETURN(SqlAnswer stages, Ask(kStages));
    for (auto& row : stages.rows) by_run[row[0].text].stages.push_back(row);
    MR_ASSIGN_OR_RETURN(SqlAnswer offsets, Ask(kOffsets));
    for (auto& row : offsets.rows) by_run[row[0].text].offsets.push_back(row);
    MR_ASSIGN_OR_RETURN(SqlAnswer gaps, Ask(kGaps));
    for (auto& row : gaps.rows) by_run[row[0].text].gaps.push_back(row);
    bool closes = true;
    for (const auto& row : runs.rows) closes = PrintRun(row, by_run[row[0].text]) && closes;
    if (runs.rows.empty()) fmt::print("no entries yet: a job with input writes one a second\n");
    return closes;
  }

 private:
  Result<SqlAnswer> Ask(const char* sql) {
    MR_ASSIGN_OR_RETURN(std::string json, access_.Sql(fmt::format(fmt::runtime(sql), where_)));
    return ParseSqlAnswer(json);
  }

  static bool PrintRun(const std::vector<SqlCell>& head, const Run& run) {
    TextTable stages({{"stage"},
                      {""},
                      {"in", true},
                      {"out", true},
                      {"taken", true},
                      {"filtered", true},
                      {"late", true},
                      {"failed", true},
                      {"dropped", true},
                      {"unchanged", true},
                      {"made more", true},
                      {"missing", true}});
    bool closes = run.gaps.empty();
    for (const auto& row : run.stages) {
      std::vector<std::string> cells;
      for (size_t c = 1; c < row.size(); c++) cells.push_back(row[c].text);
      closes = closes && row.back().text == "0";
      stages.Add(std::move(cells));
    }
    TextTable offsets({{"read"}, {"split"}, {"from", true}, {"to", true}, {"holes", true}});
    for (const auto& row : run.offsets) {
      closes = closes && row[5].text == "0";
      offsets.Add({row[1].text, row[2].text, row[3].text, row[4].text, row[5].text});
    }
    fmt::print("{}: epochs {} to {}, last committed {} UTC, {} entries: {}\n", head[1].text,
               head[2].text, head[3].text, head[4].text, head[5].text,
               closes ? "every row is accounted for" : "DOES NOT CLOSE");
    fmt::print("{}\n{}", stages.Render(true), offsets.Render(true));
    for (const auto& gap : run.gaps) fmt::print("{}\n", gap[1].text);
    fmt::print("\n");
    return closes;
  }

  Access& access_;
  const std::string where_;
};

Result<bool> Print(const LedgerOptions& options) {
  const bool only_job = options.job.empty() && !LooksLikePath(options.directory);
  const std::string job = only_job ? options.directory : options.job;
  MR_ASSIGN_OR_RETURN(auto access,
                      Access::Open(only_job ? "." : options.directory, options.target));
  const std::string where = job.empty() ? "true" : "job = " + QuoteLiteral(job);
  if (!job.empty()) {
    MR_ASSIGN_OR_RETURN(std::string json,
                        access->Sql("SELECT DISTINCT job FROM millrace.ledger ORDER BY job"));
    MR_ASSIGN_OR_RETURN(SqlAnswer names, ParseSqlAnswer(json));
    std::vector<std::string> known;
    for (const auto& row : names.rows) known.push_back(row[0].text);
    if (std::find(known.begin(), known.end(), job) == known.end()) {
      return Status(Code::kNotFound, fmt::format("the ledger has no entry of job \"{}\"", job))
          .WithHint(known.empty() ? "a job with input writes one a second"
                                  : DidYouMean(job, known));
    }
  }
  if (options.entries <= 0 && options.format == "table") return Printer(*access, where).Print();
  MR_ASSIGN_OR_RETURN(
      std::string json,
      access->Sql(options.entries > 0 ? fmt::format(fmt::runtime(kEntries), where, options.entries)
                                      : fmt::format(fmt::runtime(kStages), where)));
  MR_ASSIGN_OR_RETURN(SqlAnswer answer, ParseSqlAnswer(json));
  fmt::print("{}", RenderAnswer(answer, options.format));
  return true;
}

}  // namespace

int RunLedger(const LedgerOptions& options) {
  Result<bool> closes = Print(options);
  if (!closes.ok()) return Fail(closes.status());
  return *closes ? kExitOk : kExitFault;
}

}  // namespace millrace::cli
