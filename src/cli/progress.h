// Progress: what the jobs of a run are doing, while they do it and when they are done.
//
//   on a terminal     one line that is written over, five times a second:
//                     1.2 M rows in · 410 k rows/s · watermark 12:00:05 (5.2 s ago) · lag 0 · 12
//                     rows out
//   anywhere else     the same as a plain line every ten seconds
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "job/job.h"

namespace millrace::cli {

// "2026-01-31 12:00:05", or "-" when there is none.
std::string WatermarkText(model::EventTime frontier);

// Sums over the jobs, as one line without its end. `rows_per_second` < 0: not known yet.
std::string ProgressLine(const std::vector<job::JobStatus>& jobs, double rows_per_second,
                         int64_t wall_us);

// `page_view_counts: finished, 1000 rows in, 12 out, 3 late, 2 dead letters`; counts that are 0 and
// not in or out are left out; an error follows.
std::string JobSummary(const job::JobStatus& job);

class Progress {
 public:
  Progress();
  // Call about every 100 ms.
  void Update(const std::vector<job::JobStatus>& jobs);
  // Wipes the line, so that other text can follow.
  void Clear();

 private:
  bool terminal_;
  bool drawn_ = false;
  int64_t last_draw_us_ = 0;
  int64_t last_rate_us_ = 0;
  int64_t last_rows_in_ = 0;
  double rows_per_second_ = -1;
};

}  // namespace millrace::cli
