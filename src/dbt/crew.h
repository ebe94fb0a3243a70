// Crew: the threads that carry a schedule's nodes out.
//
// Contract
//   Work        all of it is called one at a time but `carry` and `break_off`; the number is the
//               turn's, from 1.
//   stopping    once `stopped` gives a reason nothing further starts: what is left is skipped for
//               it, and what runs is broken off, again and again until it has ended, for a request
//               between two statements hits nothing.
//   errors      of `carry` and `end`: nothing further starts or is skipped, what runs ends, and
//               Carry returns the first one.
#pragma once

#include <functional>
#include <string>

#include "base/status.h"
#include "dbt/schedule.h"

namespace millrace::dbt {

struct Work {
  std::function<void(size_t index, size_t number)> start;
  // In thread `worker` (0 …) of the crew. Gives whether what waits for the node may start.
  std::function<Result<bool>(size_t index, size_t number, size_t worker)> carry;
  std::function<Status(size_t index, size_t number)> end;
  std::function<Status(size_t index, size_t number, const std::string& because)> skip;
  std::function<std::string()> stopped;  // why; "": it goes on
  std::function<void(size_t worker)> break_off;
};

// Returns once every node is done.
Status Carry(Schedule& schedule, size_t threads, const Work& work);

}  // namespace millrace::dbt
