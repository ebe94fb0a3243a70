#include "dbt/batches.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>

namespace millrace::dbt {

namespace {

constexpr int64_t kHourUs = 3'600'000'000;
constexpr int64_t kDayUs = 24 * kHourUs;

int64_t Floor(int64_t value, int64_t step) {
  return (value / step - (value % step < 0 ? 1 : 0)) * step;
}

}  // namespace

Result<BatchSize> ParseBatchSize(const std::string& text) {
  for (BatchSize size : {BatchSize::kHour, BatchSize::kDay, BatchSize::kMonth, BatchSize::kYear}) {
    if (text == BatchSizeName(size)) return size;
  }
  return Status(Code::kBadOption, fmt::format("batch_size \"{}\" is not known", text))
      .WithHint("there is: hour, day, month, year");
}

const char* BatchSizeName(BatchSize size) {
  static constexpr const char* kNames[] = {"hour", "day", "month", "year"};
  return kNames[static_cast<int>(size)];
}

int64_t StartOfBatch(int64_t time_us, BatchSize size, int64_t steps) {
  if (size == BatchSize::kHour) return Floor(time_us, kHourUs) + steps * kHourUs;
  if (size == BatchSize::kDay) return Floor(time_us, kDayUs) + steps * kDayUs;
  using namespace std::chrono;
  const year_month_day date{sys_days{days{Floor(time_us, kDayUs) / kDayUs}}};
  year_month month = date.year() / date.month();
  if (size == BatchSize::kYear) month = date.year() / January;
  month += months{steps * (size == BatchSize::kYear ? 12 : 1)};
  return int64_t{sys_days{month / 1}.time_since_epoch().count()} * kDayUs;
}

std::vector<Batch> BatchesBetween(int64_t from_us, int64_t to_us, BatchSize size) {
  std::vector<Batch> out;
  for (int64_t start = StartOfBatch(from_us, size); start < to_us;) {
    const int64_t end = StartOfBatch(start, size, 1);
    out.push_back({start, end});
    start = end;
  }
  return out;
}

Result<int64_t> ParseTime(const std::string& text, const std::string& what) {
  int parts[6] = {0, 0, 0, 0, 0, 0};
  int read = 0;
  char between = ' ';
  const int found = std::sscanf(text.c_str(), "%4d-%2d-%2d%n%c%2d:%2d:%2d%n", &parts[0], &parts[1],
                                &parts[2], &read, &between, &parts[3], &parts[4], &parts[5], &read);
  using namespace std::chrono;
  const year_month_day date{year{parts[0]}, month{static_cast<unsigned>(parts[1])},
                            day{static_cast<unsigned>(parts[2])}};
  const std::string rest = text.substr(static_cast<size_t>(read));
  const bool whole = rest.empty() || rest == "Z" || rest == "+00:00" || rest.starts_with(".");
  if ((found != 3 && found != 7) || !whole || !date.ok() || (between != ' ' && between != 'T')) {
    return Status(Code::kBadOption, fmt::format("{} \"{}\" is no time", what, text))
        .WithHint("write it as 2024-01-31 or '2024-01-31 10:00:00'");
  }
  const int64_t seconds = parts[3] * 3600 + parts[4] * 60 + parts[5];
  return int64_t{sys_days{date}.time_since_epoch().count()} * kDayUs + seconds * 1'000'000;
}

std::string TimeText(int64_t time_us) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S}",
                     fmt::gmtime(static_cast<std::time_t>(Floor(time_us, 1'000'000) / 1'000'000)));
}

}  // namespace millrace::dbt
