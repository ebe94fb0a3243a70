// Random projects run with 1 to 8 threads in a database that is none: what starts when, how many at
// once and how each node ends must be as the graph alone says. A node stays at work until as many
// are as there can be, so a run that leaves a thread idle does not end.
#include "dbt/runner.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "base/strings.h"
#include "env/clock.h"

namespace millrace::dbt {
namespace {

namespace fs = std::filesystem;
using Ids = std::set<std::string>;

constexpr auto kDeadline = std::chrono::seconds(120);

// What the graph says of a run, by brute force over sets of ids.
struct Expectation {
  std::map<std::string, Ids> waits;           // by planned id: all of the plan that comes before it
  std::map<std::string, std::string> status;  // by planned id

  Expectation(Project& project, const std::vector<Node*>& plan, bool build, const Ids& failing) {
    std::map<std::string, Ids> above;
    std::function<const Ids&(const std::string&)> all_above = [&](const std::string& id) -> Ids& {
      auto found = above.find(id);
      if (found != above.end()) return found->second;
      Ids ids;
      for (const std::string& parent : project.Find(id)->depends_on) {
        ids.insert(parent);
        ids.insert(all_above(parent).begin(), all_above(parent).end());
      }
      return above[id] = ids;
    };
    Ids planned;
    for (const Node* node : plan) planned.insert(node->id);
    for (const Node* node : plan) {
      Ids& before = waits[node->id];
      for (const std::string& id : all_above(node->id)) {
        if (planned.contains(id)) before.insert(id);
      }
      if (!build || node->kind == "test") continue;
      for (const Node* test : plan) {
        if (test->kind != "test") continue;
        const auto& read = test->depends_on;
        if (std::all_of(read.begin(), read.end(),
                        [&](const std::string& id) { return all_above(node->id).contains(id); })) {
          before.insert(test->id);
        }
      }
    }
    for (const Node* node : plan) {
      const bool is_test = node->kind == "test";
      bool skipped = false;
      for (const std::string& id : waits[node->id]) skipped |= IsBad(id);
      status[node->id] = skipped                      ? "skipped"
                         : failing.contains(node->id) ? (is_test ? "fail" : "error")
                         : is_test                    ? "pass"
                                                      : "success";
    }
  }
  bool IsBad(const std::string& id) const {
    const std::string& how = status.at(id);
    return how == "skipped" || how == "error" || how == "fail";
  }
};

// Where the nodes of all threads meet.
class Stage {
 public:
  size_t threads = 1;
  const Expectation* expected = nullptr;  // null: nodes end at once
  Ids failing;
  size_t meet = 0;       // nodes wait until so many are here
  bool hold = false;     // then all but those that fail wait until they are interrupted
  size_t conflicts = 0;  // so many transactions meet and are taken back

  // The node's statement; `interrupted` is its connection's.
  Status Visit(const std::string& id, const std::atomic<bool>& interrupted) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!visited_.insert(id).second) Fault(id + " runs twice");
    here_.insert(id);
    most_ = std::max(most_, here_.size());
    if (here_.size() > threads) Fault("more nodes than threads");
    if (expected != nullptr) {
      if (expected->status.at(id) == "skipped") Fault(id + " is to be skipped");
      for (const std::string& other : expected->waits.at(id)) {
        if (!done_.contains(other)) Fault(id + " starts before the end of " + other);
      }
    }
    changed_.notify_all();
    const bool met = changed_.wait_for(lock, kDeadline, [&] {
      return most_ >= meet && (expected == nullptr || here_.size() >= std::min(threads, Able()));
    });
    if (!met) Fault("a thread is idle beside " + id);
    if (hold && !failing.contains(id)) {
      while (!interrupted) changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
    here_.erase(id);
    done_.insert(id);
    changed_.notify_all();
    if (interrupted) return Status(Code::kInvalidArgument, "interrupted");
    return failing.contains(id) ? Status(Code::kBind, "made to fail") : Status::Ok();
  }

  Status Attempt(const Adapter::Body& body, Session& session) {
    if (conflicts == 0) return body(session);
    std::unique_lock<std::mutex> lock(mutex_);
    if (repeating_) Fault("a repeated transaction is not alone");
    at_once_++;
    const bool repeated = taken_back_.erase(std::this_thread::get_id()) == 1;
    if (repeated && at_once_ > 1) Fault("a transaction is repeated beside another");
    repeating_ = repeated;
    const bool clashes = ++attempts_ <= conflicts;
    changed_.notify_all();
    if (!changed_.wait_for(lock, kDeadline, [&] { return attempts_ >= conflicts; })) {
      Fault("no meeting");
    }
    Status status(Code::kUnavailable, "conflict");
    if (clashes) {
      taken_back_.insert(std::this_thread::get_id());
    } else {
      lock.unlock();
      status = body(session);
      lock.lock();
    }
    repeating_ = false;
    at_once_--;
    return status;
  }

  void AwaitMeeting() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!changed_.wait_for(lock, kDeadline, [&] { return here_.size() >= meet; }))
      Fault("no meeting");
  }
  size_t most() const { return most_; }
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  // How many nodes could be at work now.
  size_t Able() const {
    size_t count = 0;
    for (const auto& [id, before] : expected->waits) {
      if (done_.contains(id) || expected->status.at(id) == "skipped") continue;
      count += std::includes(done_.begin(), done_.end(), before.begin(), before.end()) ? 1 : 0;
    }
    return count;
  }
  void Fault(const std::string& text) { faults_.push_back(text); }

  std::mutex mutex_;
  std::condition_variable changed_;
  Ids visited_, here_, done_;
  size_t most_ = 0, attempts_ = 0, at_once_ = 0;
  bool repeating_ = false;
  std::set<std::thread::id> taken_back_;
  std::vector<std::string> faults_;
};

class StageSession : public Session {
 public:
  StageSession(Stage& stage, const std::atomic<bool>& interrupted)
      : stage_(stage), interrupted_(interrupted) {}
  Status Run(const std::string&) override { return Status::Ok(); }
  Result<int64_t> Count(const std::string&) override { return int64_t{0}; }
  Result<Rows> Query(const std::string& sql) override {
    Rows rows;
    const size_t at = sql.find("/*test:");
    if (at == std::string::npos) return rows;  // which relations there are
    const std::string name = sql.substr(at + 7, sql.find("*/", at) - at - 7);
    Status status = stage_.Visit("test.p." + name, interrupted_);
    if (status.code() == Code::kInvalidArgument) return status;
    rows.rows.push_back(Value::List{status.ok() ? 0 : 1, !status.ok(), !status.ok()});
    return rows;
  }
  Result<std::vector<Column>> ColumnsOf(const std::string&) override {
    return std::vector<Column>();
  }
  Result<std::vector<Column>> ColumnsOfQuery(const std::string&) override {
    return std::vector<Column>();
  }
  Result<int64_t> LoadCsv(const std::string&, const std::string&, const std::string&) override {
    return int64_t{0};
  }

 private:
  Stage& stage_;
  const std::atomic<bool>& interrupted_;
};

class StageAdapter : public Adapter {
 public:
  explicit StageAdapter(Stage& stage) : stage_(stage) {}
  std::string type() const override { return "duckdb"; }
  Result<std::unique_ptr<Session>> Reader() override {
    return std::unique_ptr<Session>(std::make_unique<StageSession>(stage_, interrupted_));
  }
  void Interrupt() override { interrupted_ = true; }
  std::string Temporary(const std::string& name) const override { return name; }
  Result<int64_t> CreateTemporary(Session&, const std::string&, const std::string&) override {
    return int64_t{0};
  }
  Result<int64_t> Replace(Session&, const Node& node, const std::string&,
                          const Definition&) override {
    MR_RETURN_IF_ERROR(stage_.Visit(node.id, interrupted_));
    return int64_t{1};
  }
  std::string TimestampLiteral(int64_t) const override { return ""; }
  std::string MicrosOf(const std::string& expression) const override { return expression; }
  std::string SeedType(const std::string& type) const override { return type; }

 protected:
  Result<std::unique_ptr<Adapter>> Connected() const override {
    return std::unique_ptr<Adapter>(std::make_unique<StageAdapter>(stage_));
  }
  Status Attempt(const Body& body) override {
    StageSession session(stage_, interrupted_);
    return stage_.Attempt(body, session);
  }
  bool IsConflict(const Status& status) const override { return status.message() == "conflict"; }

 private:
  Stage& stage_;
  std::atomic<bool> interrupted_{false};
};

// Models m0, m1 … that read earlier ones, and tests t0, t1 … of one or two of them.
class RandomProject {
 public:
  RandomProject(unsigned seed, size_t models, double density) : random_(seed) {
    root_ = fs::temp_directory_path() /
            fmt::format("millrace-runner-{}-{}", seed, env::Clock::System()->WallMicros());
    Write("dbt_project.yml", "name: p\nversion: '1'\nprofile: p\n");
    Write("profiles.yml", "p: {target: t, outputs: {t: {type: duckdb, path: ':memory:'}}}\n");
    for (size_t m = 0; m < models; m++) {
      const char* kinds[] = {"table", "view", "table", "ephemeral"};
      std::string text = fmt::format("{{{{ config(materialized='{}') }}}}\nselect 1 as x",
                                     kinds[Below(density > 0 ? 4 : 3)]);
      for (size_t other = 0; other < m; other++) {
        if (Chance(density)) text += fmt::format("\n-- {{{{ ref('m{}') }}}}", other);
      }
      Write(fmt::format("models/m{}.sql", m), text);
    }
    for (size_t t = 0; density > 0 && t < models; t++) {
      std::string text =
          fmt::format("select /*test:t{}*/ * from {{{{ ref('m{}') }}}}", t, Below(models));
      if (Chance(0.4)) text += fmt::format(", {{{{ ref('m{}') }}}}", Below(models));
      Write(fmt::format("tests/t{}.sql", t), text);
    }
  }
  ~RandomProject() { fs::remove_all(root_); }

  std::unique_ptr<Project> Load(int threads) {
    ProjectOptions options;
    options.directory = root_.string();
    options.profiles_directory = root_.string();
    options.threads = threads;
    auto project = Project::Load(options);
    EXPECT_TRUE(project.ok()) << project.status().ToString();
    return project.ok() ? std::move(*project) : nullptr;
  }
  size_t Below(size_t n) { return random_() % n; }
  bool Chance(double p) { return static_cast<double>(random_() % 1000) < p * 1000; }

 private:
  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  std::mt19937 random_;
  fs::path root_;
};

RunnerOptions On(Stage& stage, const std::string& command) {
  RunnerOptions options;
  options.command = command;
  options.open = [&stage](const Project&) -> Result<std::unique_ptr<Adapter>> {
    return std::unique_ptr<Adapter>(std::make_unique<StageAdapter>(stage));
  };
  return options;
}

const auto kSilent = [](const std::string&) {};
const auto kUnseen = [](const NodeResult&, size_t, size_t) {};

TEST(Runner, RunsEachNodeAfterWhatItWaitsForWithAllThreads) {
  for (unsigned seed = 1; seed <= 40; seed++) {
    SCOPED_TRACE(seed);
    RandomProject files(seed, 4 + seed % 12, 0.05 + 0.05 * (seed % 7));
    const int threads = 1 + static_cast<int>(files.Below(8));
    auto project = files.Load(threads);
    ASSERT_NE(project, nullptr);
    Stage stage;
    stage.threads = static_cast<size_t>(threads);
    RunnerOptions options = On(stage, seed % 4 == 0 ? "run" : "build");
    if (seed % 3 == 0) {
      for (const auto& [id, node] : project->nodes) {
        if (files.Chance(0.25)) options.selection.exclude.push_back(node.name);
      }
    }
    const bool build = options.command == "build";
    Runner runner(*project, options);
    auto plan = runner.Plan();
    ASSERT_TRUE(plan.ok()) << plan.status().ToString();
    for (const Node* node : *plan) {
      if (files.Chance(0.12)) stage.failing.insert(node->id);
    }
    const Expectation expected(*project, *plan, build, stage.failing);
    stage.expected = &expected;
    std::map<std::string, int> seen;  // 1: started, 2: ended
    Status status = runner.Run(
        *plan,
        [&](const NodeResult& result, size_t number, size_t count) {
          const std::string& id = result.node->id;
          EXPECT_EQ(count, plan->size());
          EXPECT_LE(number, count);
          int& step = seen[id];
          if (result.outcome.status.empty()) {
            EXPECT_EQ(step, 0) << id;
            for (const std::string& other : expected.waits.at(id)) {
              EXPECT_EQ(seen[other], 2) << id << " before " << other;
            }
            step = 1;
          } else {
            EXPECT_EQ(step, result.outcome.status == "skipped" ? 0 : 1) << id;
            step = 2;
          }
        },
        kSilent);
    ASSERT_TRUE(status.ok()) << status.ToString();
    EXPECT_EQ(Join(stage.faults(), "; "), "");
    ASSERT_EQ(runner.results().size(), plan->size());
    std::map<std::string, std::string> ended;
    for (size_t i = 0; i < plan->size(); i++) {
      const NodeResult& result = runner.results()[i];
      ended[result.node->id] = result.outcome.status;
      if (threads == 1) { EXPECT_EQ(result.node, (*plan)[i]); }
      EXPECT_LE(result.thread, threads);
      EXPECT_EQ(result.thread == 0, result.outcome.status == "skipped");
    }
    EXPECT_EQ(ended, expected.status);
  }
}

TEST(Runner, UsesEveryThread) {
  RandomProject files(1, 20, 0);
  auto project = files.Load(8);
  ASSERT_NE(project, nullptr);
  Stage stage;
  stage.threads = stage.meet = 8;
  Runner runner(*project, On(stage, "build"));
  auto plan = runner.Plan();
  ASSERT_TRUE(plan.ok());
  ASSERT_TRUE(runner.Run(*plan, kUnseen, kSilent).ok());
  EXPECT_EQ(stage.most(), 8U);
  EXPECT_EQ(Join(stage.faults(), "; "), "");
}

std::map<std::string, int> Statuses(const Runner& runner) {
  std::map<std::string, int> out;
  for (const NodeResult& result : runner.results()) out[result.outcome.status]++;
  return out;
}

TEST(Runner, FailFastBreaksOffWhatRunsBesideTheFailure) {
  RandomProject files(2, 10, 0);
  auto project = files.Load(4);
  ASSERT_NE(project, nullptr);
  Stage stage;
  stage.threads = stage.meet = 4;
  stage.hold = true;
  stage.failing = {"model.p.m1"};
  RunnerOptions options = On(stage, "build");
  options.fail_fast = true;
  Runner runner(*project, options);
  auto plan = runner.Plan();
  ASSERT_TRUE(plan.ok());
  ASSERT_TRUE(runner.Run(*plan, kUnseen, kSilent).ok());
  EXPECT_EQ(Statuses(runner), (std::map<std::string, int>{{"error", 1}, {"skipped", 9}}));
  int broken_off = 0;
  for (const NodeResult& result : runner.results()) {
    broken_off += result.outcome.message == "broken off because of --fail-fast" ? 1 : 0;
  }
  EXPECT_EQ(broken_off, 3);
  EXPECT_EQ(Join(stage.faults(), "; "), "");
}

TEST(Runner, CancelBreaksOffAllThreads) {
  RandomProject files(3, 10, 0);
  auto project = files.Load(4);
  ASSERT_NE(project, nullptr);
  Stage stage;
  stage.threads = stage.meet = 4;
  stage.hold = true;
  Runner runner(*project, On(stage, "build"));
  auto plan = runner.Plan();
  ASSERT_TRUE(plan.ok());
  std::thread canceller([&] {
    stage.AwaitMeeting();
    runner.Cancel();
  });
  Status status = runner.Run(*plan, kUnseen, kSilent);
  canceller.join();
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(Statuses(runner), (std::map<std::string, int>{{"skipped", 10}}));
  auto left = RunJournal::ReadLast(project->Absolute(project->target_directory));
  ASSERT_TRUE(left.ok());
  EXPECT_EQ(left->unfinished.size(), 10U);
}

TEST(Runner, RepeatsAloneATransactionThatMetAnother) {
  RandomProject files(4, 6, 0);
  auto project = files.Load(3);
  ASSERT_NE(project, nullptr);
  Stage stage;
  stage.threads = 3;
  Runner runner(*project, On(stage, "run"));
  auto plan = runner.Plan();
  ASSERT_TRUE(plan.ok());
  // The schemas come before the first node, each by itself.
  const auto clash = [&](const NodeResult&, size_t, size_t) {
    if (stage.conflicts == 0) stage.conflicts = 3;
  };
  ASSERT_TRUE(runner.Run(*plan, clash, kSilent).ok());
  EXPECT_EQ(Statuses(runner), (std::map<std::string, int>{{"success", 6}}));
  EXPECT_EQ(Join(stage.faults(), "; "), "");
}

TEST(Runner, RefusesThreadsThatAreNone) {
  for (const char* text : {"0", "-1", "many", "257", "1.5"}) {
    const fs::path root = fs::temp_directory_path() /
                          fmt::format("millrace-threads-{}", env::Clock::System()->WallMicros());
    fs::create_directories(root);
    std::ofstream(root / "dbt_project.yml") << "name: p\nversion: '1'\nprofile: p\n";
    std::ofstream(root / "profiles.yml")
        << fmt::format("p: {{target: t, outputs: {{t: {{type: duckdb, threads: {}}}}}}}\n", text);
    ProjectOptions options;
    options.directory = root.string();
    auto project = Project::Load(options);
    fs::remove_all(root);
    ASSERT_FALSE(project.ok()) << text;
    EXPECT_EQ(project.status().message(),
              fmt::format("threads is \"{}\", and not a number from 1 to 256", text));
  }
}

}  // namespace
}  // namespace millrace::dbt
