#include "log/record_headers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace millrace::log {

namespace {

void PutLength(std::string& out, int64_t length) {
  char bytes[10];
  out.append(bytes, PutVarint(bytes, length));
}

TEST(RecordHeaders, WhatWasWrittenIsReadAndCutBytesAreLeftOut) {
  EXPECT_TRUE(ParseRecordHeaders("").empty());
  std::mt19937 random(3);
  for (int round = 0; round < 200; round++) {
    std::vector<std::pair<std::string, std::optional<std::string>>> written;
    for (int h = static_cast<int>(random() % 5); h > 0; h--) {
      std::optional<std::string> value;
      if (random() % 3) value = std::string(random() % 200, 'v');
      written.emplace_back(std::string(random() % 4, 'n'), value);
    }
    std::string bytes;
    PutLength(bytes, static_cast<int64_t>(written.size()));
    std::vector<size_t> ends;
    for (const auto& [name, value] : written) {
      PutLength(bytes, static_cast<int64_t>(name.size()));
      bytes += name;
      PutLength(bytes, value ? static_cast<int64_t>(value->size()) : -1);
      bytes += value.value_or("");
      ends.push_back(bytes.size());
    }
    for (size_t cut = 0; cut <= bytes.size(); cut++) {
      const auto read = ParseRecordHeaders(std::string_view(bytes).substr(0, cut));
      const auto whole = static_cast<size_t>(
          std::count_if(ends.begin(), ends.end(), [&](size_t end) { return end <= cut; }));
      ASSERT_EQ(read.size(), whole) << cut;
      for (size_t i = 0; i < read.size(); i++) {
        EXPECT_EQ(read[i].first, written[i].first);
        EXPECT_EQ(read[i].second.has_value(), written[i].second.has_value());
        EXPECT_EQ(read[i].second.value_or(""), written[i].second.value_or(""));
      }
    }
  }
}

}  // namespace

}  // namespace millrace::log
