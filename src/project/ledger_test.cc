// Every row is accounted for: the ledger closes for jobs of all kinds, in every way of running
// them, over crashes; and when a row gets lost, it says where.
#include "job/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>

#include "base/strings.h"
#include "duck/warehouse.h"
#include "env/hand_clock.h"
#include "project/ledger_report.h"
#include "project/project_fixture.h"
#include "tests/support/http_service.h"

namespace millrace::project {
namespace {

using job::Count;
using testing::HasSubstr;

std::string Sink(const std::string& name, const std::string& columns) {
  return fmt::format(
      "CREATE TABLE {0} ({1}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
      "'table-name' = '{0}');\n",
      name, columns);
}

constexpr const char* kTopic =
    "'connector' = 'kafka', 'properties.bootstrap.servers' = 'x', 'format' = 'json', "
    "'scan.startup.mode' = 'earliest-offset'";
constexpr const char* kBounded = ", 'scan.bounded.mode' = 'latest-offset'";

std::string Tables(bool bounded) {
  return fmt::format(
             "CREATE TABLE orders (id STRING NOT NULL, customer STRING, quantity INT, note "
             "STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND, CONSTRAINT "
             "positive CHECK (quantity > 0)) WITH ({0}, 'topic' = 'orders');\n"
             "CREATE TABLE payments (id STRING, amount INT, ts TIMESTAMP(3), WATERMARK FOR ts AS "
             "ts - INTERVAL '2' SECOND) WITH ({0}, 'topic' = 'payments');\n",
             kTopic + std::string(bounded ? kBounded : "")) +
         Sink("by_window", "ws TIMESTAMP(3), customer STRING, c BIGINT") +
         Sink("by_hop", "ws TIMESTAMP(3), c BIGINT") + Sink("plain", "id STRING, n INT") +
         Sink("by_customer", "customer STRING, c BIGINT, PRIMARY KEY (customer) NOT ENFORCED") +
         Sink("paid", "id STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED") +
         Sink("close_by", "id STRING, amount INT") +
         Sink("firsts", "id STRING, quantity INT, PRIMARY KEY (id) NOT ENFORCED") +
         Sink("sessions", "customer STRING, c BIGINT") +
         Sink("seen", "id STRING, quantity INT, PRIMARY KEY (id) NOT ENFORCED") +
         Sink("scored", "id STRING, score BIGINT");
}

constexpr const char* kJobs = R"(
INSERT INTO by_window SELECT window_start, customer, COUNT(*) FROM TABLE(TUMBLE(TABLE orders,
  DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY window_start, window_end, customer;
INSERT INTO by_hop SELECT window_start, COUNT(*) FROM TABLE(HOP(TABLE orders, DESCRIPTOR(ts),
  INTERVAL '2' SECOND, INTERVAL '6' SECOND)) GROUP BY window_start, window_end;
INSERT INTO plain SELECT id, CAST(note AS INT) FROM orders WHERE quantity > 1;
INSERT INTO by_customer SELECT COALESCE(customer, 'none'), COUNT(*) FROM orders
  GROUP BY COALESCE(customer, 'none');
INSERT INTO paid SELECT o.id, MAX(p.amount) FROM orders o JOIN payments p ON o.id = p.id
  GROUP BY o.id;
INSERT INTO close_by SELECT o.id, p.amount FROM orders o JOIN payments p ON o.id = p.id
  AND p.ts BETWEEN o.ts - INTERVAL '2' SECOND AND o.ts + INTERVAL '2' SECOND;
INSERT INTO firsts SELECT id, quantity FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY id
  ORDER BY ts) AS n FROM orders) WHERE n = 1;
INSERT INTO sessions SELECT customer, COUNT(*) FROM TABLE(SESSION(TABLE orders PARTITION BY
  customer, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, customer;
INSERT INTO seen SELECT id, quantity FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY id
  ORDER BY PROCTIME()) AS n FROM orders) WHERE n = 1;
)";
// Asks a service; answers of 4 are errors, so that rows fail.
constexpr const char* kServedJob =
    "INSERT INTO scored SELECT id, score(quantity) FROM orders WHERE score(quantity) > 1;\n";
constexpr const char* kJobNames[] = {"by_window", "by_hop", "plain",    "by_customer", "paid",
                                     "close_by",  "firsts", "sessions", "seen",        "scored"};

std::string FunctionAt(const test::HttpService& service) {
  return "CREATE FUNCTION score(n BIGINT) RETURNS BIGINT LANGUAGE HTTP AS '" +
         service.Url("/score") + "';\n";
}

test::HttpAnswer Score(const test::HttpRequest& request) {
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(simdjson::padded_string(request.body));
  std::vector<std::string> results;
  const simdjson::dom::array rows = document["rows"].get_array();
  for (simdjson::dom::element row : rows) {
    const std::string n = simdjson::minify(row.at(0));
    results.push_back(n == "4" ? R"({"error":"four"})" : n);
  }
  return {200, "{\"results\": [" + Join(results, ", ") + "]}"};
}

// Good rows, late ones, equal ones, NULLs, broken JSON, rows that a CHECK refuses, casts that fail.
std::vector<std::string> Orders(std::mt19937& random, int count) {
  std::vector<std::string> rows;
  for (int i = 0; i < count; i++) {
    const int second = std::min(59, i * 60 / count);
    const int back = random() % 9 == 0 ? std::min(second, 15) : 0;
    std::string customer = random() % 7 == 0 ? "null" : fmt::format("\"c{}\"", random() % 5);
    std::string note = random() % 4 == 0 ? "\"x\"" : fmt::format("\"{}\"", random() % 100);
    std::string time =
        random() % 23 == 0 ? "null" : fmt::format("\"2026-03-01 10:00:{:02}\"", second - back);
    rows.push_back(
        random() % 17 == 0
            ? "{broken"
            : fmt::format(R"({{"id":"o{}","customer":{},"quantity":{},"note":{},"ts":{}}})",
                          random() % 40, customer, static_cast<int>(random() % 5), note, time));
    if (random() % 11 == 0) rows.push_back(rows.back());
  }
  return rows;
}

std::vector<std::string> Payments(std::mt19937& random, int count) {
  std::vector<std::string> rows;
  for (int i = 0; i < count; i++) {
    rows.push_back(fmt::format(R"({{"id":{},"amount":{},"ts":"2026-03-01 10:00:{:02}"}})",
                               random() % 6 == 0 ? "null" : fmt::format("\"o{}\"", random() % 40),
                               random() % 9, i * 60 / count));
  }
  return rows;
}

// A project's log, warehouse and text, without anything that runs by itself.
class Shop {
 public:
  explicit Shop(const std::string& directory) : directory_(directory) {
    std::vector<Status> faults;
    project_ = Project::Load(directory, "", faults);
    for (const Status& fault : faults) ADD_FAILURE() << fault.ToString();
    log::LogOptions options;
    options.directory = directory + "/log";
    std::filesystem::create_directories(options.directory);
    auto log = log::Log::Open(options);
    EXPECT_TRUE(log.ok()) << log.status().ToString();
    log_ = std::move(*log);
    auto warehouse = duck::Warehouse::Open(directory + "/warehouse.duckdb");
    EXPECT_TRUE(warehouse.ok()) << warehouse.status().ToString();
    warehouse_ = std::move(*warehouse);
    for (const auto& [topic, partitions] : {std::pair("orders", 3), std::pair("payments", 2)}) {
      if (log_->Describe(topic).ok()) continue;
      EXPECT_TRUE(log_->CreateTopic(topic, log::TopicConfig{.partitions = partitions}).ok());
    }
  }

  void Append(const std::string& topic, int partition, const std::vector<std::string>& values) {
    for (const std::string& value : values) {
      log::NewRecord record;
      record.value = value;
      auto written = log_->AppendAndWait(topic, partition, {&record, 1});
      ASSERT_TRUE(written.ok()) << written.status().ToString();
    }
  }

  // `change`: of the plan, before it is opened.
  std::unique_ptr<job::Job> Open(const std::string& name, env::Clock* clock,
                                 const std::function<void(job::CompiledJob&)>& change = nullptr) {
    for (const JobStatement& statement : project_->jobs()) {
      if (statement.settings.name != name) continue;
      auto compiled = project_->Compile(statement);
      EXPECT_TRUE(compiled.ok()) << compiled.status().ToString();
      if (!compiled.ok()) return nullptr;
      if (change) change(**compiled);
      job::JobOptions options;
      options.state_directory = directory_ + "/state/" + name;
      options.services.log = log_.get();
      options.services.warehouse = warehouse_.get();
      options.services.clock = clock;
      auto opened = job::Job::Open(std::move(*compiled), std::move(options));
      EXPECT_TRUE(opened.ok()) << opened.status().ToString();
      return opened.ok() ? std::move(*opened) : nullptr;
    }
    ADD_FAILURE() << "no job " << name;
    return nullptr;
  }

  // As a server runs it, until its input ends.
  void RunToEnd(const std::string& name, bool restarts, std::mt19937& random) {
    for (int i = 0; restarts && i < 4; i++) {
      auto job = Open(name, nullptr);
      ASSERT_NE(job, nullptr);
      Status ended;
      std::thread thread([&] { ended = job->Run(); });
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 30));
      job->RequestStop();
      thread.join();
      EXPECT_TRUE(ended.ok()) << ended.ToString();
    }
    auto job = Open(name, nullptr);
    ASSERT_NE(job, nullptr);
    Status ended = job->Run();
    EXPECT_TRUE(ended.ok()) << ended.ToString();
    EXPECT_EQ(job->status().rows_missing, 0) << job->status().ledger_gap;
  }

  log::Log& log() { return *log_; }

 private:
  const std::string directory_;
  std::unique_ptr<Project> project_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<duck::Warehouse> warehouse_;
};

std::map<std::string, LedgerSum> Sums(log::Log& log) {
  std::map<std::string, LedgerSum> sums;
  Status status =
      VisitLedger(log, [&](const job::LedgerEntry& entry) { sums[entry.job].Add(entry); });
  EXPECT_TRUE(status.ok()) << status.ToString();
  return sums;
}

// What must not depend on how the job ran: everything but what updating results emit on their way,
// how equal rows were merged, and where rows changed shards.
std::string Facts(const LedgerSum& sum) {
  std::string text;
  job::StageCounts all;
  for (const job::StageEntry& stage : sum.sum.stages) {
    if (stage.name == "source") {
      text += fmt::format("{}: {} {} {} {} {}|", stage.stage, stage.counts[Count::kIn],
                          stage.counts[Count::kOut], stage.counts[Count::kFailed],
                          stage.counts[Count::kDropped], stage.counts[Count::kUnchanged]);
    } else if (stage.name == "Transform") {
      all.Add(stage.counts);
    }
  }
  return text + fmt::format("filtered {} failed {}", all[Count::kFiltered], all[Count::kFailed]);
}

TEST(Ledger, ClosesForEveryKindOfJobHoweverItRuns) {
  std::map<std::string, std::string> straight;
  const test::HttpService service(Score);
  for (Way way : kEveryWay) {
    SCOPED_TRACE(static_cast<int>(way));
    TempDirectory directory;
    Write(directory.path() + "/sql/a.sql",
          SettingsOf(way) + Tables(true) + kJobs + FunctionAt(service) + kServedJob);
    std::mt19937 random(7);
    int64_t orders = 0;
    Shop shop(directory.path());
    for (int p = 0; p < 2; p++) {  // the third partition stays empty
      auto rows = Orders(random, 120);
      orders += static_cast<int64_t>(rows.size());
      shop.Append("orders", p, rows);
      shop.Append("payments", p, Payments(random, 40));
    }
    const bool restarts = way == Way::kRestarts || way == Way::kShardRestarts;
    for (const char* name : kJobNames) shop.RunToEnd(name, restarts, random);
    auto sums = Sums(shop.log());
    for (const char* name : kJobNames) {
      SCOPED_TRACE(name);
      ASSERT_EQ(sums.count(name), 1u);
      const LedgerSum& sum = sums[name];
      EXPECT_EQ(sum.missing, 0) << sum.ToJson();
      EXPECT_TRUE(sum.sum.gaps.empty()) << sum.ToJson();
      for (const job::StageEntry& stage : sum.sum.stages) {
        EXPECT_EQ(stage.counts.Missing(), 0) << stage.stage << " " << stage.name;
      }
      auto source = std::find_if(sum.sum.stages.begin(), sum.sum.stages.end(),
                                 [](const auto& stage) { return stage.stage == "orders"; });
      ASSERT_NE(source, sum.sum.stages.end());
      EXPECT_EQ(source->counts[Count::kIn], orders);
      EXPECT_GT(source->counts[Count::kFailed], 0);
      std::string& known = straight[name];
      if (known.empty()) known = Facts(sum);
      EXPECT_EQ(Facts(sum), known);
    }
  }
}

TEST(Ledger, WritesEachEntryOnceOverCrashes) {
  std::string straight;
  for (uint32_t seed = 0; seed < 6; seed++) {  // 0: without crashes
    SCOPED_TRACE(seed);
    TempDirectory directory;
    Write(directory.path() + "/sql/a.sql", Tables(false) + kJobs);
    Shop shop(directory.path());
    std::mt19937 data(11);
    const std::vector<std::string> rows = Orders(data, 80);
    env::HandClock clock(1'772'359'200'000'000);
    auto open = [&] {
      auto job = shop.Open("by_window", &clock);
      Status recovered = job->Recover();
      EXPECT_TRUE(recovered.ok()) << recovered.ToString();
      return job;
    };
    auto job = open();
    std::mt19937 random(seed);
    for (size_t row = 0; row < rows.size(); row++) {
      shop.Append("orders", static_cast<int>(row % 3), {rows[row]});
      // The clock moves as fast in all runs.
      clock.Advance(300'000);
      const bool dies = seed > 0 && random() % 5 == 0;
      job::StepOptions options;
      options.commit = !dies;
      auto more = job->Step(options);
      ASSERT_TRUE(more.ok()) << more.status().ToString();
      ASSERT_TRUE(*more);
      if (seed > 0 && !dies && random() % 4 == 0) {
        ASSERT_TRUE(job->Checkpoint().ok());
      }
      if (!dies && (seed == 0 || random() % 6 != 0)) continue;
      job.reset();
      job = open();
    }
    job->RequestStop();
    ASSERT_TRUE(job->Run().ok());
    EXPECT_EQ(job->status().rows_missing, 0);
    std::string entries;
    Status status = VisitLedger(shop.log(), [&](job::LedgerEntry entry) {
      EXPECT_GT(entry.committed_ms, 0);
      entry.committed_ms = 0;
      entry.run.clear();
      entries += entry.ToJson() + "\n";
    });
    ASSERT_TRUE(status.ok());
    auto sums = Sums(shop.log());
    EXPECT_EQ(sums["by_window"].missing, 0);
    EXPECT_GT(sums["by_window"].entries, 5);
    if (seed == 0) straight = entries;
    EXPECT_EQ(entries, straight);
  }
}

// Hands its input on, but for one row of each third batch.
class Loser : public stream::Operator {
 public:
  Loser(uint32_t id, duckdb::vector<duckdb::LogicalType> types)
      : Operator(id), types_(std::move(types)) {}
  void Process(int, const stream::Batch& batch) override {
    stats_.rows_in += static_cast<int64_t>(batch.size());
    if (++batches_ % 3 != 0) return emitter_.Emit(batch);
    duckdb::DataChunk rest;
    rest.InitializeEmpty(types_);
    duckdb::SelectionVector rows(STANDARD_VECTOR_SIZE);
    for (duckdb::idx_t row = 1; row < batch.size(); row++) rows.set_index(row - 1, row);
    rest.Slice(*batch.rows, rows, batch.size() - 1);
    rest.SetCardinality(batch.size() - 1);
    stream::Batch out;
    out.rows = &rest;
    emitter_.Emit(out);
  }
  bool Forwards() const override { return true; }
  stream::OperatorDescription Describe() const override {
    stream::OperatorDescription description;
    description.name = "Loser";
    return description;
  }

 private:
  duckdb::vector<duckdb::LogicalType> types_;
  int batches_ = 0;
};

TEST(Ledger, SaysWhereARowGotLost) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", Tables(false) + kJobs);
  Shop shop(directory.path());
  env::HandClock clock(1'772'359'200'000'000);
  auto job = shop.Open("plain", &clock, [](job::CompiledJob& compiled) {
    stream::JobPlan& plan = compiled.plan;
    const auto id = static_cast<uint32_t>(plan.operators.size() + 1);
    plan.operators.push_back(std::make_unique<Loser>(id, plan.types));
    plan.stages.push_back(plan.stages.back());
    plan.output->emitter().Add(plan.operators.back().get(), 0);
    plan.output = plan.operators.back().get();
  });
  ASSERT_NE(job, nullptr);
  for (int i = 0; i < 9; i++) {
    shop.Append(
        "orders", 0,
        {fmt::format(R"({{"id":"o{}","quantity":2,"note":"1","ts":"2026-03-01 10:00:0{}"}})", i,
                     i)});
    auto stepped = job->Step();
    ASSERT_TRUE(stepped.ok()) << stepped.status().ToString();
  }
  job->RequestStop();
  ASSERT_TRUE(job->Run().ok());
  const job::JobStatus status = job->status();
  EXPECT_EQ(status.rows_missing, 3);
  // The third record is offset 2, read by the third epoch.
  EXPECT_THAT(status.ledger_gap, HasSubstr("(Loser) lost 1 row in epoch 3"));
  EXPECT_THAT(status.ledger_gap, HasSubstr("orders/0 offsets [2, 3)"));
  auto json = LedgerJson(shop.log(), "plain", 1);
  ASSERT_TRUE(json.ok());
  EXPECT_THAT(*json, HasSubstr("\"missing\":3,\"closes\":false"));
  EXPECT_EQ(LedgerJson(shop.log(), "no such job", 0).status().code(), Code::kNotFound);
}

// ---- the book-keeping itself ----

state::Decision Reads(model::Epoch epoch, model::Offset from, model::Offset to) {
  state::Decision decision;
  decision.epoch = epoch;
  decision.clock_us = 1'000'000 * epoch;
  decision.ranges.push_back({0, "0", from, to, false});
  return decision;
}

job::StageCounts Counted(int64_t in, int64_t taken, int64_t out) {
  job::StageCounts counts;
  counts[Count::kIn] = in;
  counts[Count::kTaken] = taken;
  counts[Count::kOut] = out;
  return counts;
}

TEST(LedgerBook, NoticesHolesAndStagesThatGotTooLittle) {
  job::Ledger ledger("j", "r", {{"orders", "orders"}},
                     {{"orders", "source"}, {"#1", "Transform", {0}}, {"sink", "sink", {1, 1}}});
  auto nothing = [](int, const std::string&) { return int64_t{0}; };
  ledger.AddEpoch(Reads(1, 0, 5), {Counted(5, 5, 5), Counted(5, 5, 5), Counted(10, 10, 10)},
                  nothing);
  EXPECT_TRUE(ledger.found().empty());
  ledger.AddEpoch(Reads(2, 7, 9), {Counted(7, 7, 7), Counted(6, 6, 6), Counted(12, 12, 12)},
                  nothing);
  ASSERT_EQ(ledger.found().size(), 2u);
  EXPECT_THAT(ledger.found()[0].Text(), HasSubstr("orders/0 offsets [5, 7) were not read"));
  EXPECT_THAT(ledger.found()[1].Text(),
              HasSubstr("stage #1 (Transform) did not get 1 row of the stages before it"));
  EXPECT_EQ(ledger.missing(), 3);
  // What was told is not told again.
  ledger.AddEpoch(Reads(3, 9, 10), {Counted(8, 8, 8), Counted(7, 7, 7), Counted(14, 14, 14)},
                  nothing);
  EXPECT_TRUE(ledger.found().empty());
  // In the source: which split it was.
  job::StageCounts lost = Counted(10, 9, 9);
  ledger.AddEpoch(Reads(4, 10, 12), {lost, Counted(8, 8, 8), Counted(16, 16, 16)},
                  [](int, const std::string&) { return int64_t{1}; });
  ASSERT_EQ(ledger.found().size(), 1u);
  EXPECT_THAT(ledger.found()[0].Text(),
              HasSubstr("stage orders (source) lost 1 row in epoch 4, which read orders/0 offsets "
                        "[10, 12)"));
}

TEST(LedgerBook, ReadsBackWhatItWrote) {
  job::LedgerEntry entry;
  entry.job = "a \"job\"";
  entry.run = "a/1";
  entry.from_epoch = 5;
  entry.to_epoch = 9;
  entry.from_ms = 1;
  entry.to_ms = 2;
  entry.committed_ms = 3;
  entry.splits.push_back({1, "t", "topic", "data/part-0", 100, 130, {{5, 110}, {9, 130}}});
  entry.stages.push_back({"#1", "TopN", Counted(3, 2, 1)});
  job::LedgerGap gap{job::LedgerGap::Kind::kInput, "#1", "TopN", -2};
  gap.from_epoch = gap.to_epoch = 7;
  gap.splits = entry.splits;
  gap.splits[0].steps.clear();
  entry.gaps.push_back(gap);
  auto read = job::LedgerEntry::FromJson(entry.ToJson());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->ToJson(), entry.ToJson());
  EXPECT_FALSE(job::LedgerEntry::FromJson("{").ok());
}

}  // namespace
}  // namespace millrace::project
