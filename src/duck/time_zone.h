// TimeZone: the session's time zone ('table.local-time-zone'), in which a point in time
// (TIMESTAMP_LTZ) is read as a TIMESTAMP and back.
//
// Contract: immutable, safe from any thread; made once per name and kept for the process. The rules
// are those of the ICU in DuckDB, from 1900 to 2200; beyond, the first and last offset hold.
// Daylight saving is resolved as Java (and so Flink) does: a local time that is there twice is the
// earlier of the two, one that is left out is moved by as much as the clocks were.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::duck {

class TimeZone {
 public:
  // By name (Europe/Berlin) or whole hours from UTC (GMT+03:00, +03:00); case does not matter.
  // Null: UTC. Errors: kBadOption.
  static Result<std::shared_ptr<const TimeZone>> Find(const std::string& name,
                                                      duckdb::Connection& connection);

  const std::string& name() const { return name_; }  // as DuckDB's setting TimeZone takes it

  // Microseconds since 1970, of UTC and of local time.
  int64_t ToLocal(int64_t utc_us) const;
  int64_t ToUtc(int64_t local_us) const;
  // The lowest value that the above have from here on: local time goes back once a year, and so do
  // points in time where local times are left out. What a frontier becomes.
  int64_t LowestLocalFrom(int64_t utc_us) const;
  int64_t LowestUtcFrom(int64_t local_us) const;

 private:
  friend class TimeZoneReader;
  struct Change {
    int64_t utc_us = 0;     // from then on
    int64_t offset_us = 0;  // local less UTC
    // From this local time on the offset holds when local times become points in time.
    int64_t local_us = 0;
  };
  const Change& At(int64_t utc_us) const;
  const Change& AtLocal(int64_t local_us) const;

  std::string name_;
  std::vector<Change> changes_;  // in order; the first one since ever
};

// From now on this is the connection's zone: DuckDB's own setting, and SessionTimeZone.
Status SetTimeZone(duckdb::Connection& connection, const std::string& name);
// Null: UTC.
std::shared_ptr<const TimeZone> SessionTimeZone(duckdb::ClientContext& context);

}  // namespace millrace::duck
