#include "generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <string_view>

namespace millrace::nexmark {

namespace {

constexpr int64_t kPeople = 1;  // of kEvents events in a row
constexpr int64_t kAuctions = 3;
constexpr int64_t kEvents = 50;

constexpr int64_t kFirstId = 1000;  // of people and of auctions
constexpr int64_t kHotEvery = 100;  // one id in so many is a hot one
constexpr int64_t kActivePeople = 1000;
constexpr int64_t kOpenAuctions = 100;
constexpr int64_t kIdsAhead = 10;
constexpr int64_t kFirstCategory = 10;
constexpr int64_t kCategories = 5;
constexpr int64_t kChannels = 10'000;
constexpr int64_t kLetters = 1 << 20;

constexpr int64_t kPersonBytes = 200;  // average sizes
constexpr int64_t kAuctionBytes = 500;
constexpr int64_t kBidBytes = 100;

constexpr int64_t kStartMs = 1'436'918'400'000;  // 2015-07-15 00:00:00

constexpr std::array<std::string_view, 4> kHotChannels = {"Google", "Facebook", "Baidu", "Apple"};
constexpr std::array<std::string_view, 6> kStates = {"AZ", "CA", "ID", "OR", "WA", "WY"};
constexpr std::array<std::string_view, 10> kCities = {
    "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland",
    "Bend",    "Redmond",     "Seattle",       "Kent",  "Cheyenne"};
constexpr std::array<std::string_view, 11> kFirstNames = {
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"};
constexpr std::array<std::string_view, 9> kLastNames = {
    "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"};

// The last person and the last auction, counted from 0, that exist when event `id` happens.
int64_t LastPerson(int64_t id) {
  return id / kEvents * kPeople + std::min(id % kEvents, kPeople - 1);
}
int64_t LastAuction(int64_t id) {
  return id / kEvents * kAuctions + std::min(id % kEvents - kPeople, kAuctions - 1);
}

uint32_t ReverseBits(uint32_t value) {
  uint32_t reversed = 0;
  for (int bit = 0; bit < 32; bit++) reversed |= (value >> bit & 1) << (31 - bit);
  return reversed;
}

void AppendNumber(const char* name, int64_t value, std::string& out) {
  const fmt::format_int digits(value);
  out += name;
  out.append(digits.data(), digits.size());
}

void AppendDigits(int64_t value, int count, std::string& out) {
  const size_t end = out.size() + static_cast<size_t>(count);
  out.resize(end);
  for (size_t at = end; count-- > 0; value /= 10) out[--at] = static_cast<char>('0' + value % 10);
}

}  // namespace

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
class Generator::Random {
 public:
  Random(uint64_t seed, uint64_t stream) : state_(Mix(seed ^ Mix(stream + kStep))) {}

  uint64_t Next() { return Mix(state_ += kStep); }
  // [0, bound), for bounds below 2^32.
  int64_t Below(int64_t bound) {
    return static_cast<int64_t>((Next() >> 32) * static_cast<uint64_t>(bound) >> 32);
  }
  template <size_t kSize>
  std::string_view Pick(const std::array<std::string_view, kSize>& values) {
    return values[static_cast<size_t>(Below(kSize))];
  }
  int64_t Price() {
    const double unit = static_cast<double>(Next() >> 11) * 0x1p-53;
    return std::llround(std::exp2(unit * 6.0 * std::log2(10.0)) * 100.0);
  }
  // 3 to size_max - 1 small letters, one in 13 replaced by `other`; blanks at the ends are cut.
  std::string Text(int64_t size_max, char other) {
    std::string text(static_cast<size_t>(3 + Below(size_max - 3)), other);
    for (char& c : text) {
      const int64_t draw = Below(13 * 26);
      if (draw % 13 != 0) c = static_cast<char>('a' + draw / 13);
    }
    const size_t first = text.find_first_not_of(' ');
    if (first == std::string::npos) return "";
    return text.substr(first, text.find_last_not_of(' ') + 1 - first);
  }
  // One of the newest people, or a few who do not exist yet; counted from 0.
  int64_t ActivePerson(int64_t event) {
    const int64_t people = LastPerson(event) + 1;
    const int64_t active = std::min(people, kActivePeople);
    return people - active + Below(active + kIdsAhead);
  }

 private:
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15;

  static uint64_t Mix(uint64_t z) {
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }

  uint64_t state_;
};

Generator::Generator(const GeneratorOptions& options) : options_(options) {
  Random random(options.seed, ~uint64_t{0});
  letter_at_.reserve(kLetters + 1);
  for (int64_t i = 0; i < kLetters; i++) {
    letter_at_.push_back(static_cast<uint32_t>(letters_.size()));
    const auto letter =
        static_cast<char>(random.Below(2) == 0 ? 'a' + random.Below(26) : 'a' - random.Below(26));
    if (letter == '\\') letters_ += '\\';
    letters_ += letter;
  }
  letter_at_.push_back(static_cast<uint32_t>(letters_.size()));

  auto channel = [&](std::string_view name) {
    return fmt::format(
        R"(,"channel":"{}","url":"https://www.nexmark.com/{}/{}/{}/item.htm?query=1)", name,
        random.Text(5, '_'), random.Text(5, '_'), random.Text(5, '_'));
  };
  for (const std::string_view name : kHotChannels) hot_channels_.push_back(channel(name) + '"');
  for (int64_t i = 0; i < kChannels; i++) {
    std::string text = channel(fmt::format("channel-{}", i));
    if (random.Below(10) != 0) {
      text += fmt::format("&channel_id={}",
                          std::abs(static_cast<int32_t>(ReverseBits(static_cast<uint32_t>(i)))));
    }
    channels_.push_back(text + '"');
  }
}

void Generator::Append(int64_t number, std::string& out) const {
  const int64_t group = options_.out_of_order_group;
  const int64_t id = number / group * group + number * 953 % group;
  Random random(options_.seed, static_cast<uint64_t>(id));
  if (id % kEvents < kPeople) {
    AppendPerson(id, random, out);
  } else if (id % kEvents < kPeople + kAuctions) {
    AppendAuction(id, random, out);
  } else {
    AppendBid(id, random, out);
  }
}

void Generator::AppendPerson(int64_t id, Random& random, std::string& out) const {
  AppendNumber(R"({"event_type":0,"person":{"id":)", LastPerson(id) + kFirstId, out);
  const size_t texts = out.size();
  out += R"(,"name":")";
  out += random.Pick(kFirstNames);
  out += ' ';
  out += random.Pick(kLastNames);
  out += R"(","emailAddress":")";
  out += random.Text(7, ' ');
  out += '@';
  out += random.Text(5, ' ');
  out += R"(.com","creditCard":")";
  for (int group = 0; group < 4; group++) {
    if (group > 0) out += ' ';
    AppendDigits(random.Below(10'000), 4, out);
  }
  out += R"(","city":")";
  out += random.Pick(kCities);
  out += R"(","state":")";
  out += random.Pick(kStates);
  out += '"';
  constexpr size_t kNames =
      std::string_view(R"(,"name":"","emailAddress":"","creditCard":"","city":"","state":"")")
          .size();
  const auto bytes = static_cast<int64_t>(8 + out.size() - texts - kNames);
  AppendTime(R"(,"dateTime":")", TimeMs(id), out);
  AppendExtra(bytes, kPersonBytes, random, out);
}

void Generator::AppendAuction(int64_t id, Random& random, std::string& out) const {
  int64_t seller = LastPerson(id) / kHotEvery * kHotEvery;
  if (random.Below(4) == 0) seller = random.ActivePerson(id);
  const std::string name = random.Text(20, ' ');
  const std::string description = random.Text(100, ' ');
  const int64_t initial_bid = random.Price();
  const int64_t ahead = TimeMs(id + kOpenAuctions * kEvents / kAuctions) - TimeMs(id);
  const int64_t length_ms = 1 + random.Below(std::max<int64_t>(ahead * 2, 1));

  AppendNumber(R"({"event_type":1,"auction":{"id":)", LastAuction(id) + kFirstId, out);
  out += R"(,"itemName":")";
  out += name;
  out += R"(","description":")";
  out += description;
  AppendNumber(R"(","initialBid":)", initial_bid, out);
  AppendNumber(R"(,"reserve":)", initial_bid + random.Price(), out);
  AppendTime(R"(,"dateTime":")", TimeMs(id), out);
  AppendTime(R"(,"expires":")", TimeMs(id) + length_ms, out);
  AppendNumber(R"(,"seller":)", seller + kFirstId, out);
  AppendNumber(R"(,"category":)", kFirstCategory + random.Below(kCategories), out);
  const auto bytes = static_cast<int64_t>(48 + name.size() + description.size());
  AppendExtra(bytes, kAuctionBytes, random, out);
}

void Generator::AppendBid(int64_t id, Random& random, std::string& out) const {
  const int64_t last = LastAuction(id);
  int64_t auction = last / kHotEvery * kHotEvery;
  if (random.Below(2) == 0) {
    const int64_t oldest = std::max<int64_t>(last - kOpenAuctions, 0);
    auction = oldest + random.Below(last - oldest + 1 + kIdsAhead);
  }
  int64_t bidder = LastPerson(id) / kHotEvery * kHotEvery + 1;
  if (random.Below(4) == 0) bidder = random.ActivePerson(id);

  AppendNumber(R"({"event_type":2,"bid":{"auction":)", auction + kFirstId, out);
  AppendNumber(R"(,"bidder":)", bidder + 2 * kFirstId, out);
  AppendNumber(R"(,"price":)", random.Price(), out);
  const bool hot = random.Below(2) != 0;
  const std::vector<std::string>& channels = hot ? hot_channels_ : channels_;
  out += channels[static_cast<size_t>(random.Below(static_cast<int64_t>(channels.size())))];
  AppendTime(R"(,"dateTime":")", TimeMs(id), out);
  AppendExtra(32, kBidBytes, random, out);
}

void Generator::AppendExtra(int64_t bytes, int64_t bytes_wanted, Random& random,
                            std::string& out) const {
  out += R"(,"extra":")";
  if (bytes < bytes_wanted) {
    const int64_t average = bytes_wanted - bytes;
    const int64_t spread = (average + 2) / 5;  // a fifth, rounded
    const int64_t size = average - spread + (spread == 0 ? 0 : random.Below(2 * spread));
    const auto first = static_cast<size_t>(random.Below(kLetters - size));
    const uint32_t begin = letter_at_[first];
    out.append(letters_, begin, letter_at_[first + static_cast<size_t>(size)] - begin);
  }
  out += "\"}}\n";
}

void Generator::AppendTime(const char* name, int64_t ms, std::string& out) const {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(kStartMs + ms)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const int64_t of_day = (time - day).count();
  out += name;
  AppendDigits(static_cast<int>(date.year()), 4, out);
  out += '-';
  AppendDigits(static_cast<unsigned>(date.month()), 2, out);
  out += '-';
  AppendDigits(static_cast<unsigned>(date.day()), 2, out);
  out += ' ';
  AppendDigits(of_day / 3'600'000, 2, out);
  out += ':';
  AppendDigits(of_day / 60'000 % 60, 2, out);
  out += ':';
  AppendDigits(of_day / 1000 % 60, 2, out);
  out += '.';
  AppendDigits(of_day % 1000, 3, out);
  out += '"';
}

}  // namespace millrace::nexmark
