// Which records a request names, against a scan of what was written.
#include "project/trace_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "project/project_fixture.h"
#include "project/trace_fixture.h"

namespace millrace::project {
namespace {

using testing::HasSubstr;

constexpr int kPartitions = 3;
constexpr const char* kScript = R"(
CREATE TABLE orders (id BIGINT, customer STRING, amount INT) WITH ('connector' = 'kafka',
  'topic' = 'orders', 'properties.bootstrap.servers' = 'x', 'format' = 'json',
  'key.format' = 'raw', 'key.fields' = 'customer', 'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset');
CREATE TABLE large (id BIGINT, amount INT) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'stored_large');
INSERT INTO large SELECT id, amount FROM orders WHERE amount > 50;
)";

TraceRequest ByKeys(const std::string& table, std::vector<std::string> keys, int64_t limit = 5) {
  TraceRequest request;
  request.table = table;
  request.keys = std::move(keys);
  request.limit = limit;
  return request;
}
TraceRequest ByPlace(const std::string& topic, int partition, int64_t offset) {
  TraceRequest request;
  request.topic = topic;
  request.partition = partition;
  request.offset = offset;
  return request;
}
TraceRequest ByRow(const std::string& sink, const std::string& where) {
  TraceRequest request;
  request.sink = sink;
  request.where = where;
  return request;
}

struct Written {
  int partition;
  int64_t offset;
  std::string customer;  // "": NULL
  int amount;
};

class TraceRequestTest : public testing::Test {
 protected:
  void SetUp() override {
    Write(directory_.path() + "/sql/a.sql", kScript);
    Write(directory_.path() + "/millrace.yml",
          fmt::format("name: shop\ntopics:\n  orders: {{partitions: {}}}\n", kPartitions));
  }
  // Customers come again and again, some rows twice.
  std::vector<Written> Produce(Runtime& runtime, int count) {
    std::mt19937 random(11);
    auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    std::vector<Written> all;
    std::vector<std::string> values[kPartitions];
    for (int i = 0; i < count; i++) {
      const int partition = pick(kPartitions);
      auto& to = values[partition];
      if (!to.empty() && pick(5) == 0) {
        to.push_back(to.back());
        Written again = *std::find_if(all.rbegin(), all.rend(), [&](const Written& one) {
          return one.partition == partition;
        });
        again.offset++;
        all.push_back(again);
        continue;
      }
      const std::string customer = pick(6) == 0 ? "" : fmt::format("c{}", pick(4));
      all.push_back({partition, static_cast<int64_t>(to.size()), customer, pick(100)});
      to.push_back(fmt::format(R"({{"id":{},"customer":{},"amount":{}}})", i,
                               customer.empty() ? "null" : "\"" + customer + "\"",
                               all.back().amount));
    }
    for (int p = 0; p < kPartitions; p++) Append(runtime, "orders", p, values[p]);
    return all;
  }
  static Result<std::vector<Trace>> Ask(Runtime& runtime, const TraceRequest& request) {
    const auto log = NewTraceLog(runtime.log());
    return TracesOf(runtime.project(), request, *log, AccessTo(runtime).ask);
  }
  static std::vector<std::pair<int, int64_t>> PlacesOf(const Result<std::vector<Trace>>& traces) {
    std::vector<std::pair<int, int64_t>> places;
    EXPECT_TRUE(traces.ok()) << traces.status().ToString();
    if (!traces.ok()) return places;
    for (const Trace& trace : *traces) {
      places.emplace_back(trace.record.partition, trace.record.offset);
    }
    return places;
  }
  TempDirectory directory_;
};

TEST_F(TraceRequestTest, FindsByKeyTheNewestOfEachInTheirOrder) {
  auto runtime = Open(directory_.path(), false);
  ASSERT_NE(runtime, nullptr);
  const std::vector<Written> written = Produce(*runtime, 24);
  for (const int64_t limit : {1, 1000}) {
    const TraceRequest request = ByKeys("orders", {"c2", "c0"}, limit);
    std::vector<std::pair<int, int64_t>> wanted;
    for (const std::string& key : request.keys) {
      std::vector<std::pair<int, int64_t>> of_key;
      for (const Written& one : written) {
        if (one.customer == key) of_key.emplace_back(one.partition, one.offset);
      }
      std::sort(of_key.begin(), of_key.end());
      const size_t shown = std::min(of_key.size(), static_cast<size_t>(limit));
      wanted.insert(wanted.end(), of_key.end() - static_cast<int64_t>(shown), of_key.end());
    }
    EXPECT_EQ(PlacesOf(Ask(*runtime, request)), wanted);
  }
}

TEST_F(TraceRequestTest, FindsByPlaceAndByARowOfTheSink) {
  std::vector<Written> written;
  {
    auto before = Open(directory_.path(), false);
    ASSERT_NE(before, nullptr);
    written = Produce(*before, 8);
  }
  auto runtime = RunToEnd(directory_.path());
  ASSERT_NE(runtime, nullptr);
  for (const Written& one : written) {
    const auto traces = Ask(*runtime, ByPlace("orders", one.partition, one.offset));
    ASSERT_EQ(PlacesOf(traces), (std::vector{std::pair(one.partition, one.offset)}));
    const TraceJob& job = traces->at(0).tables.at(0).jobs.at(0);
    EXPECT_EQ(job.in_sink.rows.empty(), one.amount <= 50);
    if (job.in_sink.rows.empty()) continue;
    // Back from its row: to it and those that are equal.
    const std::string id = *job.in_sink.rows[0][0];
    const auto back = PlacesOf(Ask(*runtime, ByRow("large", "id = " + id)));
    EXPECT_THAT(back, testing::Contains(std::pair(one.partition, one.offset)));
    for (const auto& [partition, offset] : back) {
      const auto source = std::find_if(written.begin(), written.end(), [&](const Written& w) {
        return w.partition == partition && w.offset == offset;
      });
      EXPECT_TRUE(source->customer == one.customer && source->amount == one.amount);
    }
  }
}

TEST_F(TraceRequestTest, SaysWhatThereIsNotWhereAndWhatToDo) {
  auto runtime = Open(directory_.path(), false);
  ASSERT_NE(runtime, nullptr);
  auto refusal = [&](const TraceRequest& request) { return Ask(*runtime, request).status(); };
  EXPECT_EQ(refusal({}).code(), Code::kInvalidArgument);
  EXPECT_EQ(refusal(ByKeys("orders", {})).code(), Code::kInvalidArgument);
  EXPECT_THAT(refusal(ByKeys("order", {"c1"})).hint(), HasSubstr("orders"));
  EXPECT_EQ(refusal(ByKeys("large", {"c1"})).code(), Code::kUnsupported);
  EXPECT_THAT(refusal(ByKeys("orders", {"c1"})).message(),
              HasSubstr("no record of topic \"orders\" has the key \"c1\", or customer = that"));
  EXPECT_THAT(refusal(ByPlace("order", 0, 1)).hint(), HasSubstr("orders"));
  EXPECT_THAT(refusal(ByPlace("orders", 7, 1)).message(), HasSubstr("no partition 7"));
  EXPECT_THAT(refusal(ByPlace("orders", 0, 1)).hint(), HasSubstr("holds no records"));
  Produce(*runtime, 60);
  EXPECT_THAT(refusal(ByPlace("orders", 0, 1'000'000)).hint(), HasSubstr("it keeps offsets 0 to "));
}

}  // namespace
}  // namespace millrace::project
