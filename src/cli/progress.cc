#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <duckdb/common/types/timestamp.hpp>

#include "base/units.h"
#include "cli/terminal.h"
#include "cli/text_table.h"
#include "env/clock.h"

namespace millrace::cli {

namespace {
constexpr int64_t kDrawEveryUs = 200'000;
constexpr int64_t kPlainEveryUs = 10'000'000;
constexpr int64_t kRateOverUs = 1'000'000;

bool Known(model::EventTime frontier) {
  return frontier > model::kTimeMin && frontier < model::kTimeMax;
}
}  // namespace

std::string WatermarkText(model::EventTime frontier) {
  if (frontier >= model::kTimeMax) return "end";
  if (!Known(frontier)) return "-";
  // A frontier is the watermark + 1 ms.
  int64_t seconds = (frontier - 1000) / 1'000'000;
  return duckdb::Timestamp::ToString(duckdb::timestamp_t(seconds * 1'000'000));
}

std::string ProgressLine(const std::vector<job::JobStatus>& jobs, double rows_per_second,
                         int64_t wall_us) {
  int64_t rows_in = 0;
  int64_t rows_out = 0;
  int64_t lag = 0;
  int64_t failing = 0;
  model::EventTime frontier = model::kTimeMax;
  for (const job::JobStatus& job : jobs) {
    rows_in += job.rows_in;
    rows_out += job.rows_out;
    lag += job.lag_rows;
    failing += job.error.ok() ? 0 : 1;
    if (job.frontier != model::kTimeMin) frontier = std::min(frontier, job.frontier);
  }
  std::string line = FormatCount(static_cast<double>(rows_in)) + " rows in";
  if (rows_per_second >= 0) line += fmt::format(" · {} rows/s", FormatCount(rows_per_second));
  if (Known(frontier)) {
    line += " · watermark " + WatermarkText(frontier);
    // Of data that is not from today the distance says nothing.
    int64_t behind_us = wall_us - frontier;
    if (behind_us > 0 && behind_us < 86'400'000'000) {
      line += fmt::format(" ({} ago)", FormatDurationMicros(behind_us));
    }
  }
  line += fmt::format(" · lag {} · {} rows out", FormatCount(static_cast<double>(lag)),
                      FormatCount(static_cast<double>(rows_out)));
  if (failing > 0) line += fmt::format(" · {} failing", failing);
  return line;
}

std::string JobSummary(const job::JobStatus& job) {
  std::string line = fmt::format("{}: {}, {} rows in, {} out", job.name,
                                 job::JobStateName(job.state), job.rows_in, job.rows_out);
  if (job.rows_filtered > 0) line += fmt::format(", {} filtered", job.rows_filtered);
  if (job.rows_late > 0) line += fmt::format(", {} late", job.rows_late);
  if (job.rows_dead_lettered > 0) {
    line += fmt::format(", {} dead letter{}", job.rows_dead_lettered,
                        job.rows_dead_lettered == 1 ? "" : "s");
  }
  if (job.rows_rejected > 0) {
    line += fmt::format(", {} rejected by \"{}\"", job.rows_rejected, job.sink_table);
  }
  if (!job.error.ok()) line += ": " + job.error.message();
  return line;
}

Progress::Progress() : terminal_(IsTerminal(STDERR_FILENO)) {
  last_draw_us_ = last_rate_us_ = env::Clock::System()->MonotonicMicros();
}

void Progress::Update(const std::vector<job::JobStatus>& jobs) {
  int64_t now = env::Clock::System()->MonotonicMicros();
  if (now - last_rate_us_ >= kRateOverUs) {
    int64_t rows_in = 0;
    for (const job::JobStatus& job : jobs) rows_in += job.rows_in;
    rows_per_second_ = static_cast<double>(rows_in - last_rows_in_) * 1e6 /
                       static_cast<double>(now - last_rate_us_);
    last_rows_in_ = rows_in;
    last_rate_us_ = now;
  }
  if (now - last_draw_us_ < (terminal_ ? kDrawEveryUs : kPlainEveryUs)) return;
  last_draw_us_ = now;
  std::string line = ProgressLine(jobs, rows_per_second_, env::Clock::System()->WallMicros());
  if (terminal_) {
    line = "\r\033[K" + OneLine(line, static_cast<size_t>(std::max(20, TerminalWidth() - 1)));
    drawn_ = true;
  } else {
    line += "\n";
  }
  fmt::print(stderr, "{}", line);
}

void Progress::Clear() {
  if (drawn_) fmt::print(stderr, "\r\033[K");
  drawn_ = false;
}

}  // namespace millrace::cli
