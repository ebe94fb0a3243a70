#include "duck/time_zone.h"

#include <fmt/format.h>

#include <algorithm>
#include <duckdb/main/client_context.hpp>
#include <duckdb/main/client_context_state.hpp>
#include <limits>
#include <map>
#include <mutex>
#include <optional>

#include "base/strings.h"
#include "duck/door.h"

namespace millrace::duck {

namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kHour = 3600 * kSecond;
constexpr int64_t kFirst = -2'208'988'800 * kSecond;  // 1900-01-01
constexpr int64_t kLast = 7'258'118'400 * kSecond;    // 2200-01-01
// No zone changes its offset and takes that back within so short a time.
constexpr int64_t kStep = 7 * 24 * kHour;
constexpr const char* kZoneState = "millrace_time_zone";

struct ZoneState : public duckdb::ClientContextState {
  std::shared_ptr<const TimeZone> zone;
};

// Hours of "GMT+03:00", "UTC-8", "+03:00"; nothing for other forms.
std::optional<int> FixedHours(const std::string& name) {
  std::string_view rest = name;
  for (std::string_view prefix : {"GMT", "UTC", "UT"}) {
    if (!rest.starts_with(prefix)) continue;
    rest.remove_prefix(prefix.size());
    break;
  }
  if (rest.size() < 2 || (rest[0] != '+' && rest[0] != '-')) return std::nullopt;
  const bool west = rest[0] == '-';
  rest.remove_prefix(1);
  if (rest.ends_with(":00")) rest.remove_suffix(3);
  if (rest.empty() || rest.size() > 2) return std::nullopt;
  int hours = 0;
  for (char c : rest) {
    if (c < '0' || c > '9') return std::nullopt;
    hours = hours * 10 + (c - '0');
  }
  if (hours > 12) return std::nullopt;
  return west ? -hours : hours;
}

}  // namespace

// Finds a zone's changes by asking ICU what time it is at many points, then ever closer.
class TimeZoneReader {
 public:
  TimeZoneReader(std::string name, duckdb::Connection& connection)
      : name_(std::move(name)), connection_(connection) {}

  Result<std::shared_ptr<const TimeZone>> Read() {
    MR_ASSIGN_OR_RETURN(std::vector<int64_t> offsets,
                        Offsets(fmt::format("range({}, {}, {})", kFirst, kLast, kStep)));
    if (std::all_of(offsets.begin(), offsets.end(), [](int64_t o) { return o == 0; })) {
      return std::shared_ptr<const TimeZone>();
    }
    auto zone = std::make_shared<TimeZone>();
    zone->name_ = name_;
    const int64_t lowest = std::numeric_limits<int64_t>::min();
    zone->changes_.push_back({lowest, offsets.front(), lowest});
    std::vector<Span> spans;
    for (size_t i = 1; i < offsets.size(); i++) {
      if (offsets[i] == offsets[i - 1]) continue;
      const int64_t at = kFirst + static_cast<int64_t>(i) * kStep;
      spans.push_back({at - kStep, at, offsets[i - 1], offsets[i]});
    }
    MR_RETURN_IF_ERROR(Narrow(spans));
    for (const Span& span : spans) {
      zone->changes_.push_back(
          {span.high, span.after, span.high + std::max(span.before, span.after)});
    }
    return std::shared_ptr<const TimeZone>(std::move(zone));
  }

 private:
  // The offset changes within (low, high].
  struct Span {
    int64_t low = 0;
    int64_t high = 0;
    int64_t before = 0;
    int64_t after = 0;
  };

  // All of them at once, until each is known to the second.
  Status Narrow(std::vector<Span>& spans) {
    auto wide = [](const Span& span) { return span.high - span.low > kSecond; };
    while (std::any_of(spans.begin(), spans.end(), wide)) {
      std::string middles;
      for (const Span& span : spans) {
        middles += fmt::format("{}{}", middles.empty() ? "[" : ", ", Middle(span));
      }
      MR_ASSIGN_OR_RETURN(std::vector<int64_t> offsets,
                          Offsets(fmt::format("CAST({}] AS BIGINT[])", middles)));
      for (size_t i = 0; i < spans.size(); i++) {
        (offsets[i] == spans[i].before ? spans[i].low : spans[i].high) = Middle(spans[i]);
      }
    }
    return Status::Ok();
  }

  // Of whole seconds; `high` where there is none between.
  static int64_t Middle(const Span& span) {
    const int64_t seconds = (span.high - span.low) / kSecond;
    return seconds <= 1 ? span.high : span.low + seconds / 2 * kSecond;
  }

  Result<std::vector<int64_t>> Offsets(const std::string& list) {
    std::vector<int64_t> offsets;
    Status asked = AtTheDoor([&]() -> Status {
      auto result = connection_.Query(fmt::format(
          "SELECT epoch_us(timezone({}, make_timestamptz(t))) - t FROM (SELECT unnest({}) AS t)",
          QuoteLiteral(name_), list));
      if (result->HasError()) return FromDuckError(result->GetErrorObject());
      while (auto chunk = result->Fetch()) {
        if (chunk->size() == 0) break;
        for (duckdb::idx_t row = 0; row < chunk->size(); row++) {
          offsets.push_back(chunk->GetValue(0, row).GetValue<int64_t>());
        }
      }
      return Status::Ok();
    });
    MR_RETURN_IF_ERROR(asked);
    return offsets;
  }

  std::string name_;
  duckdb::Connection& connection_;
};

namespace {

// DuckDB's spelling of the name. Error kBadOption, with names that are near.
Result<std::string> KnownName(const std::string& name, duckdb::Connection& connection) {
  if (EqualsIgnoreCase(name, "default") || name == "Z") return std::string("UTC");
  std::string wanted = name;
  if (auto hours = FixedHours(name)) {  // in "Etc/GMT-3" a minus is east of Greenwich
    wanted = *hours == 0 ? "UTC" : fmt::format("Etc/GMT{:+d}", -*hours);
  }
  std::vector<std::string> names;
  std::string found;
  MR_RETURN_IF_ERROR(AtTheDoor([&]() -> Status {
    auto result = connection.Query("SELECT name FROM pg_timezone_names() ORDER BY name");
    if (result->HasError()) return FromDuckError(result->GetErrorObject());
    for (duckdb::idx_t row = 0; row < result->RowCount(); row++) {
      names.push_back(result->GetValue(0, row).ToString());
      if (EqualsIgnoreCase(names.back(), wanted)) found = names.back();
    }
    return Status::Ok();
  }));
  if (!found.empty()) return found;
  return Status(Code::kBadOption, fmt::format("there is no time zone \"{}\"", name))
      .WithHint(DidYouMean(name, names) +
                "; it is a name such as Europe/Berlin, or whole hours such as GMT+03:00");
}

}  // namespace

Result<std::shared_ptr<const TimeZone>> TimeZone::Find(const std::string& name,
                                                       duckdb::Connection& connection) {
  using Known = std::map<std::string, std::shared_ptr<const TimeZone>>;
  static std::mutex mutex;
  static auto* known = new Known();
  std::lock_guard<std::mutex> lock(mutex);
  if (auto before = known->find(name); before != known->end()) return before->second;
  MR_ASSIGN_OR_RETURN(std::string exact, KnownName(name, connection));
  MR_ASSIGN_OR_RETURN(auto zone, TimeZoneReader(exact, connection).Read());
  known->emplace(name, zone);
  return zone;
}

const TimeZone::Change& TimeZone::At(int64_t utc_us) const {
  auto after = std::upper_bound(changes_.begin(), changes_.end(), utc_us,
                                [](int64_t t, const Change& c) { return t < c.utc_us; });
  return *std::prev(after);
}

const TimeZone::Change& TimeZone::AtLocal(int64_t local_us) const {
  auto after = std::upper_bound(changes_.begin(), changes_.end(), local_us,
                                [](int64_t t, const Change& c) { return t < c.local_us; });
  return *std::prev(after);
}

int64_t TimeZone::ToLocal(int64_t utc_us) const {
  return utc_us + At(utc_us).offset_us;
}

int64_t TimeZone::ToUtc(int64_t local_us) const {
  return local_us - AtLocal(local_us).offset_us;
}

int64_t TimeZone::LowestLocalFrom(int64_t utc_us) const {
  const Change* now = &At(utc_us);
  int64_t lowest = utc_us + now->offset_us;
  const Change* next = now + 1;
  if (next == changes_.data() + changes_.size()) return lowest;
  return std::min(lowest, next->utc_us + next->offset_us);
}

int64_t TimeZone::LowestUtcFrom(int64_t local_us) const {
  const Change* now = &AtLocal(local_us);
  int64_t lowest = local_us - now->offset_us;
  const Change* next = now + 1;
  if (next == changes_.data() + changes_.size()) return lowest;
  return std::min(lowest, next->local_us - next->offset_us);
}

Status SetTimeZone(duckdb::Connection& connection, const std::string& name) {
  MR_ASSIGN_OR_RETURN(auto zone, TimeZone::Find(name, connection));
  connection.context->registered_state->GetOrCreate<ZoneState>(kZoneState)->zone = zone;
  return AtTheDoor([&]() -> Status {
    auto set = connection.Query("SET TimeZone = " +
                                QuoteLiteral(zone ? zone->name() : std::string("UTC")));
    return set->HasError() ? FromDuckError(set->GetErrorObject()) : Status::Ok();
  });
}

std::shared_ptr<const TimeZone> SessionTimeZone(duckdb::ClientContext& context) {
  return context.registered_state->GetOrCreate<ZoneState>(kZoneState)->zone;
}

}  // namespace millrace::duck
