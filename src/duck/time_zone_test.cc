#include "duck/time_zone.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace millrace::duck {
namespace {

constexpr int64_t kMinute = 60'000'000;

class TimeZoneTest : public testing::Test {
 protected:
  TimeZoneTest() : database_(nullptr), connection_(database_) {}

  std::shared_ptr<const TimeZone> Find(const std::string& name) {
    auto zone = TimeZone::Find(name, connection_);
    EXPECT_TRUE(zone.ok()) << zone.status().ToString();
    return zone.ok() ? *zone : nullptr;
  }
  int64_t Micros(const std::string& timestamp) {
    return duckdb::Timestamp::FromString(timestamp, false).value;
  }

  duckdb::DuckDB database_;
  duckdb::Connection connection_;
};

TEST_F(TimeZoneTest, TimesThatAreTwiceOrLeftOutAreJavas) {
  auto zone = Find("Europe/Berlin");
  ASSERT_TRUE(zone);
  auto utc = [&](const char* local) { return zone->ToUtc(Micros(local)); };
  EXPECT_EQ(utc("2024-03-31 01:59:59"), Micros("2024-03-31 00:59:59"));
  EXPECT_EQ(utc("2024-03-31 02:00:00"), Micros("2024-03-31 01:00:00"));
  EXPECT_EQ(utc("2024-03-31 02:30:00"), Micros("2024-03-31 01:30:00"));
  EXPECT_EQ(utc("2024-03-31 03:00:00"), Micros("2024-03-31 01:00:00"));
  EXPECT_EQ(utc("2024-10-27 02:00:00"), Micros("2024-10-27 00:00:00"));
  EXPECT_EQ(utc("2024-10-27 02:59:59"), Micros("2024-10-27 00:59:59"));
  EXPECT_EQ(utc("2024-10-27 03:00:00"), Micros("2024-10-27 02:00:00"));
  EXPECT_EQ(zone->ToLocal(Micros("2024-10-27 00:30:00")), Micros("2024-10-27 02:30:00"));
  EXPECT_EQ(zone->ToLocal(Micros("2024-10-27 01:30:00")), Micros("2024-10-27 02:30:00"));
  EXPECT_EQ(zone->LowestLocalFrom(Micros("2024-10-27 00:59:00")), Micros("2024-10-27 02:00:00"));
  EXPECT_EQ(zone->LowestLocalFrom(Micros("2024-10-26 23:59:00")), Micros("2024-10-27 01:59:00"));
  EXPECT_EQ(zone->LowestUtcFrom(Micros("2024-03-31 02:30:00")), Micros("2024-03-31 01:00:00"));
}

// Against ICU point by point, and the lowest values against a search.
TEST_F(TimeZoneTest, AgreesWithIcuAtRandomTimes) {
  std::mt19937_64 random(7);
  for (const char* name :
       {"Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
        "Africa/Casablanca", "Pacific/Apia", "America/Sao_Paulo"}) {
    auto zone = Find(name);
    ASSERT_TRUE(zone);
    for (int i = 0; i < 300; i++) {
      int64_t t =
          static_cast<int64_t>(random() % 6'500'000'000ull) * 1'000'000 - 500'000'000'000'000;
      auto asked = connection_.Query("SELECT epoch_us(timezone('" + std::string(name) +
                                     "', make_timestamptz(" + std::to_string(t) + ")))");
      ASSERT_FALSE(asked->HasError()) << asked->GetError();
      const int64_t local = zone->ToLocal(t);
      EXPECT_EQ(local, asked->GetValue(0, 0).GetValue<int64_t>()) << name << " " << t;
      int64_t lowest_local = local;
      int64_t lowest_utc = zone->ToUtc(local);
      for (int64_t ahead = 0; ahead < 26 * 60; ahead++) {
        lowest_local = std::min(lowest_local, zone->ToLocal(t + ahead * kMinute));
        lowest_utc = std::min(lowest_utc, zone->ToUtc(local + ahead * kMinute));
      }
      EXPECT_LE(zone->LowestLocalFrom(t), lowest_local) << name << " " << t;
      EXPECT_GT(zone->LowestLocalFrom(t), lowest_local - kMinute) << name << " " << t;
      EXPECT_LE(zone->LowestUtcFrom(local), lowest_utc) << name << " " << t;
      EXPECT_GT(zone->LowestUtcFrom(local), lowest_utc - kMinute) << name << " " << t;
    }
  }
}

TEST_F(TimeZoneTest, NamesAreCheckedAndHoursUnderstood) {
  for (const char* utc : {"UTC", "default", "GMT", "GMT+00:00", "Z"}) {
    EXPECT_FALSE(Find(utc)) << utc;
  }
  for (const char* three : {"GMT+03:00", "UTC+3", "+03:00", "Etc/GMT-3"}) {
    ASSERT_TRUE(Find(three)) << three;
    EXPECT_EQ(Find(three)->ToLocal(0), 180 * kMinute) << three;
  }
  EXPECT_EQ(Find("europe/berlin")->name(), "Europe/Berlin");
  auto wrong = TimeZone::Find("Europe/Berln", connection_);
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.status().hint().find("Europe/Berlin"), std::string::npos);
  EXPECT_FALSE(TimeZone::Find("GMT+05:30", connection_).ok());
}

TEST_F(TimeZoneTest, IsTheConnectionsOwn) {
  duckdb::Connection other(database_);
  ASSERT_TRUE(SetTimeZone(connection_, "Asia/Kolkata").ok());
  ASSERT_TRUE(SetTimeZone(other, "UTC").ok());
  EXPECT_EQ(SessionTimeZone(*connection_.context)->name(), "Asia/Kolkata");
  EXPECT_FALSE(SessionTimeZone(*other.context));
  auto local = connection_.Query("SELECT CAST(make_timestamptz(0) AS TIMESTAMP)");
  EXPECT_EQ(local->GetValue(0, 0).ToString(), "1970-01-01 05:30:00");
}

}  // namespace
}  // namespace millrace::duck
