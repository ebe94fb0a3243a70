// The log on a disk that loses power at any operation, fills up and fails, many seeds:
//   no acknowledged record is lost or doubled, order is kept, what a reader saw stays, the log
//   opens again and goes on. MILLRACE_SIM_SEEDS sets the number of seeds, MILLRACE_SIM_SEED one.
#include <algorithm>
#include <cstdlib>
#include <future>
#include <map>
#include <random>

#include "log/log_fixture.h"

namespace millrace::log {
namespace {

constexpr int kPartitions = 2;
constexpr int64_t kProducer = 5;

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed), files_(seed * 7 + 1) {}

  void Run() {
    const int lives = 2 + Pick(4);
    for (int life = 0; life < lives && !testing::Test::HasFatalFailure(); life++) {
      files_.CrashAt(1 + Pick(life == 0 ? 60 : 250));
      Live();
      log_.reset();
      files_.Restart();
    }
    Open();
    ASSERT_TRUE(log_) << status_.ToString();
    EnsureTopic();
    Check();
    for (int p = 0; p < kPartitions; p++) Resend(p);
    Check();
    for (int p = 0; p < kPartitions; p++) {
      EXPECT_EQ(*log_->NextSequence("t", p, kProducer), sent_[p]) << "all sequences are there";
    }
  }

 private:
  // What became of a value: at most one copy each, at least one if acknowledged.
  struct Fate {
    bool acknowledged = false;
    int64_t number = 0;
  };

  int Pick(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }

  void Open() {
    LogOptions options;
    options.directory = "/log";
    options.files = &files_;
    options.clock = &clock_;
    options.retention_check_ms = 3'600'000;
    auto log = Log::Open(options);
    status_ = log.status();
    log_ = log.ok() ? *std::move(log) : nullptr;
  }

  void EnsureTopic() {
    if (log_->Describe("t").ok()) return;
    ASSERT_TRUE(fates_.empty() || std::none_of(fates_.begin(), fates_.end(),
                                               [](const auto& f) { return f.second.acknowledged; }))
        << "the topic itself is lost";
    (void)log_->CreateTopic("t", {.partitions = kPartitions, .segment_bytes = 4096}).ok();
  }

  // One run of the process, up to the crash.
  void Live() {
    Open();
    if (!log_) {
      ASSERT_TRUE(files_.crashed()) << status_.ToString();
      return;
    }
    EnsureTopic();
    if (!log_->Describe("t").ok()) return;
    if (!files_.crashed()) Check();
    while (!files_.crashed() && !testing::Test::HasFatalFailure()) {
      Disturb();
      const int p = Pick(kPartitions);
      if (Pick(3) == 0) {
        Resend(p);
      } else {
        AppendSome(p);
      }
      Follow(p);
    }
    files_.SetCapacity(-1);
  }

  void Disturb() {
    files_.SetCapacity(Pick(8) == 0 ? files_.used_bytes() + Pick(3000) : -1);
    if (Pick(10) == 0) files_.FailSyncs(1 + Pick(2));
    if (Pick(10) == 0) files_.FailOperation(1 + Pick(6), Status(Code::kIo, "planned"));
  }

  // A few appends without sequences at once; they may share a commit.
  void AppendSome(int p) {
    const int appends = 1 + Pick(4);
    std::vector<std::future<AppendResult>> results;
    std::vector<std::vector<std::string>> values;
    for (int a = 0; a < appends; a++) {
      auto promise = std::make_shared<std::promise<AppendResult>>();
      results.push_back(promise->get_future());
      values.emplace_back();
      std::vector<NewRecord> records;
      const int count = Pick(4);
      for (int i = 0; i < count; i++) values.back().push_back(NewValue());
      for (const auto& value : values.back()) records.push_back({.value = value});
      log_->Append("t", p, records, {},
                   [promise](const AppendResult& r) { promise->set_value(r); });
    }
    for (int a = 0; a < appends; a++) {
      const AppendResult result = results[static_cast<size_t>(a)].get();
      const auto& appended = values[static_cast<size_t>(a)];
      for (const auto& value : appended) fates_[value] = {result.status.ok(), next_number_++};
      if (!result.status.ok() || appended.empty()) continue;
      for (size_t i = 0; i < appended.size(); i++) {
        places_[p][result.base_offset + static_cast<int64_t>(i)] = appended[i];
      }
    }
  }

  // The idempotent producer sends what the log does not have yet, and some records more.
  void Resend(int p) {
    if (Pick(2) == 0 && !files_.crashed()) sent_[p] += Pick(5);
    const auto next = log_->NextSequence("t", p, kProducer);
    if (!next.ok()) return;
    // Often from too far back: those are dropped.
    const int64_t from = std::max<int64_t>(0, *next - Pick(4));
    ASSERT_LE(*next, sent_[p]);
    ASSERT_GE(*next, acknowledged_[p]) << "acknowledged sequences are forgotten";
    std::vector<std::string> values;
    for (int64_t s = from; s < sent_[p]; s++) values.push_back("s" + std::to_string(s));
    std::vector<NewRecord> records;
    for (const auto& value : values) records.push_back({.value = value});
    if (log_->AppendAndWait("t", p, records, {kProducer, from}).ok()) acknowledged_[p] = sent_[p];
  }

  // A reader that goes on where it was; what it saw is checked against later reads.
  void Follow(int p) {
    const auto next = log_->Read("t", p, seen_end_[p], INT64_MAX, 2000, [&](auto records) {
      for (const auto& r : records) {
        ASSERT_EQ(r.offset, seen_end_[p]++);
        places_[p][r.offset] = r.value;
      }
    });
    if (!next.ok()) {
      ASSERT_TRUE(files_.crashed()) << next.status().ToString();
    }
  }

  void Check() {
    std::map<std::string, int> copies;
    for (int p = 0; p < kPartitions; p++) {
      const auto info = log_->DescribePartition("t", p);
      if (!info.ok()) return;
      ASSERT_GE(info->end_offset, seen_end_[p]) << "a reader's records are lost";
      std::map<int64_t, std::string> found;
      int64_t at = info->start_offset;
      while (at < info->end_offset) {
        const auto next = log_->Read("t", p, at, info->end_offset, 3000, [&](auto records) {
          for (const auto& r : records) found[r.offset] = r.value;
        });
        ASSERT_TRUE(next.ok()) << next.status().ToString();
        ASSERT_GT(*next, at);
        at = *next;
      }
      ASSERT_EQ(std::ssize(found), info->end_offset);
      int64_t sequence = 0;
      for (const auto& [offset, value] : found) {
        if (value[0] == 's') {
          ASSERT_EQ(value, "s" + std::to_string(sequence)) << "lost, doubled or out of order";
          sequence++;
        } else {
          ASSERT_EQ(++copies[value], 1) << value << " is doubled";
        }
      }
      ASSERT_EQ(sequence, *log_->NextSequence("t", p, kProducer));
      ASSERT_GE(sequence, acknowledged_[p]);
      for (const auto& [offset, value] : places_[p]) {
        ASSERT_TRUE(found.contains(offset)) << "offset " << offset << " is lost";
        ASSERT_EQ(found[offset], value) << "at offset " << offset;
      }
    }
    for (const auto& [value, fate] : fates_) {
      if (fate.acknowledged) {
        ASSERT_EQ(copies[value], 1) << value << " is lost";
      }
    }
  }

  std::string NewValue() {
    return "v" + std::to_string(next_value_++) + std::string(static_cast<size_t>(Pick(700)), '.');
  }

  std::mt19937_64 random_;
  env::FaultFileSystem files_;
  HandClock clock_;
  std::unique_ptr<Log> log_;
  Status status_;
  int64_t next_value_ = 0;
  int64_t next_number_ = 0;
  std::map<std::string, Fate> fates_;
  std::map<int64_t, std::string> places_[kPartitions];  // offset -> acknowledged or seen value
  int64_t seen_end_[kPartitions] = {};
  int64_t sent_[kPartitions] = {};
  int64_t acknowledged_[kPartitions] = {};
};

TEST(LogSimTest, CrashesFaultsAndFullDisks) {
  const char* one = std::getenv("MILLRACE_SIM_SEED");
  const char* many = std::getenv("MILLRACE_SIM_SEEDS");
  const uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const uint64_t count = one != nullptr    ? 1
                         : many != nullptr ? std::strtoull(many, nullptr, 10)
                                           : 400;
  for (uint64_t seed = first; seed < first + count; seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation(seed).Run();
    if (testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace millrace::log
