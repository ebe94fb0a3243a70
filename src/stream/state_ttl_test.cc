// table.exec.state.ttl: plans of whole queries against models that are maps from keys to rows and
// the time they were written: appended and retracting input, NULLs, duplicates, weights,
// retractions of what was forgotten, one shard and two, and operators that are restored from a
// checkpoint at random epochs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "duck/functions.h"
#include "duck/planner.h"
#include "stream/job_plan.h"

namespace millrace::stream {
namespace {

using duckdb::LogicalType;
using duckdb::Value;

constexpr int64_t kSecond = 1'000'000;

struct Row {
  std::optional<std::string> k;
  std::optional<int64_t> v;
  int table = 0;
  int32_t weight = 1;

  auto Content() const { return std::make_tuple(table, k, v); }
};
using Changes = std::vector<std::string>;  // "+ column column" or "- column column", sorted

std::string Text(const std::optional<std::string>& k) {
  return k ? *k : "NULL";
}
std::string Text(const std::optional<int64_t>& v) {
  return v ? std::to_string(*v) : "NULL";
}

class Collector : public Operator {
 public:
  Collector() : Operator(99) {}
  void Process(int, const Batch& batch) override {
    for (duckdb::idx_t row = 0; row < batch.size(); row++) {
      const int32_t weight = batch.weights ? batch.weights[row] : 1;
      std::string text = weight > 0 ? "+" : "-";
      for (duckdb::idx_t c = 0; c < batch.rows->ColumnCount(); c++) {
        text += " " + batch.rows->GetValue(c, row).ToString();
      }
      for (int32_t copy = 0; copy < std::abs(weight); copy++) rows.push_back(text);
    }
  }
  OperatorDescription Describe() const override { return {}; }
  Changes rows;
};

class LetterCounter : public DeadLetterSink {
 public:
  void Add(model::DeadLetter) override { count++; }
  int count = 0;
};

// What a query should answer, epoch by epoch.
class Model {
 public:
  virtual ~Model() = default;
  virtual Changes Epoch(int64_t now_us, const std::vector<Row>& rows) = 0;
};

// Things that are written, by key, and forgotten `ttl_us` after that.
template <typename State>
class Keyed : public Model {
 public:
  explicit Keyed(int64_t ttl_us) : ttl_us_(ttl_us) {}

  Changes Epoch(int64_t now_us, const std::vector<Row>& rows) override {
    if (ttl_us_ > 0) {
      std::erase_if(states_,
                    [&](const auto& entry) { return entry.second.written_us <= now_us - ttl_us_; });
    }
    Changes changes;
    std::map<std::string, Changes> before;
    for (const Row& row : rows) {
      for (const std::string& key : KeysOf(row)) {
        auto found = states_.find(key);
        before.try_emplace(key, found == states_.end() ? Changes() : Shown(key, found->second));
        if (found == states_.end()) found = states_.try_emplace(key).first;
        if (Take(found->second, row)) found->second.written_us = now_us;
        if (IsGone(found->second)) states_.erase(found);
      }
    }
    for (const auto& [key, old] : before) {
      auto found = states_.find(key);
      const Changes now = found == states_.end() ? Changes() : Shown(key, found->second);
      Changes gone, came;
      if (ttl_us_ > 0 && shows_again_) {
        gone = old;
        came = now;
      } else {
        std::set_difference(old.begin(), old.end(), now.begin(), now.end(),
                            std::back_inserter(gone));
        std::set_difference(now.begin(), now.end(), old.begin(), old.end(),
                            std::back_inserter(came));
      }
      for (const std::string& row : gone) changes.push_back("- " + row);
      for (const std::string& row : came) changes.push_back("+ " + row);
    }
    std::sort(changes.begin(), changes.end());
    return changes;
  }

 protected:
  virtual std::vector<std::string> KeysOf(const Row& row) = 0;
  virtual bool Take(State& state, const Row& row) = 0;  // whether that is a write
  virtual bool IsGone(const State& state) = 0;
  virtual Changes Shown(const std::string& key, const State& state) = 0;  // sorted
  bool shows_again_ = true;
  const int64_t ttl_us_;

 private:
  std::map<std::string, State> states_;
};

struct Group {
  int64_t written_us = 0;
  int64_t rows = 0;
  int64_t valid = 0;
  int64_t sum = 0;
  std::map<int64_t, int64_t> values;  // copies; below 0 when more were taken away than came
  std::multiset<int64_t> list;        // what is not there is not taken away
};

class Groups : public Keyed<Group> {
 public:
  enum class Of { kKey, kRow, kSets, kAll };
  Groups(int64_t ttl_us, Of of) : Keyed(ttl_us), of_(of) {}

 protected:
  std::vector<std::string> KeysOf(const Row& row) override {
    switch (of_) {
      case Of::kKey:
        return {Text(row.k)};
      case Of::kRow:
        return {Text(row.k) + " " + Text(row.v)};
      case Of::kSets:  // a NULL of the data and one of the set are two groups
        return {Text(row.k) + " NULL 1", "NULL " + Text(row.v) + " 2"};
      case Of::kAll:
        return {""};
    }
    return {};
  }
  bool Take(Group& group, const Row& row) override {
    const int64_t weight = std::max<int64_t>(row.weight, -group.rows);
    group.rows += weight;
    if (row.v) {
      group.valid += weight;
      group.sum += weight * *row.v;
      group.values[*row.v] += weight;
      for (int64_t copy = 0; copy < weight; copy++) group.list.insert(*row.v);
      for (int64_t copy = weight; copy < 0; copy++) {
        if (auto at = group.list.find(*row.v); at != group.list.end()) group.list.erase(at);
      }
    }
    return true;
  }
  bool IsGone(const Group& group) override { return group.rows == 0; }
  Changes Shown(const std::string& key, const Group& group) override {
    if (of_ == Of::kRow) return {key};
    if (of_ == Of::kSets) {
      return {fmt::format("{} {}", key.substr(0, key.size() - 2), group.rows)};
    }
    std::string text = of_ == Of::kAll ? "" : key + " ";
    text += fmt::format("{} {}", group.rows, group.valid == 0 ? "NULL" : std::to_string(group.sum));
    if (of_ == Of::kAll) return {text};
    int64_t distinct = 0;
    int64_t large = 0;
    std::optional<int64_t> lowest;
    for (const auto& [value, copies] : group.values) {
      if (copies <= 0) continue;
      distinct++;
      large += value > 3 ? 1 : 0;
      if (!lowest) lowest = value;
    }
    std::string list;
    for (int64_t value : group.list) list += (list.empty() ? "" : ",") + std::to_string(value);
    return {fmt::format("{} {} {} {} {}", text, distinct, large, Text(lowest),
                        list.empty() ? "NULL" : list)};
  }

 private:
  Of of_;
};

struct Ranked {
  int64_t written_us = 0;
  std::vector<std::optional<int64_t>> values;  // the best first
};

class BestTwo : public Keyed<Ranked> {
 public:
  BestTwo(int64_t ttl_us, bool retracts) : Keyed(ttl_us), retracts_(retracts) {
    shows_again_ = false;
  }

 protected:
  std::vector<std::string> KeysOf(const Row& row) override { return {Text(row.k)}; }
  bool Take(Ranked& ranked, const Row& row) override {
    auto& values = ranked.values;
    if (row.weight < 0) {
      auto at = std::find(values.begin(), values.end(), row.v);
      if (at == values.end()) return false;
      values.erase(at);
      return true;
    }
    if (!retracts_ && values.size() == 2 && row.v <= values.back()) return false;
    values.push_back(row.v);
    std::sort(values.rbegin(), values.rend());
    if (!retracts_ && values.size() > 2) values.pop_back();
    return true;
  }
  bool IsGone(const Ranked& ranked) override { return ranked.values.empty(); }
  Changes Shown(const std::string& key, const Ranked& ranked) override {
    Changes shown;
    for (size_t i = 0; i < ranked.values.size() && i < 2; i++) {
      shown.push_back(key + " " + Text(ranked.values[i]));
    }
    std::sort(shown.begin(), shown.end());
    return shown;
  }

 private:
  bool retracts_;
};

struct Copies {
  int64_t written_us = 0;
  int64_t side[2] = {0, 0};
};

class Sets : public Keyed<Copies> {
 public:
  Sets(int64_t ttl_us, bool except, bool all) : Keyed(ttl_us), except_(except), all_(all) {}

 protected:
  std::vector<std::string> KeysOf(const Row& row) override {
    return {Text(row.k) + " " + Text(row.v)};
  }
  bool Take(Copies& copies, const Row& row) override {
    int64_t& side = copies.side[row.table];
    side = std::max<int64_t>(0, side + row.weight);
    return true;
  }
  bool IsGone(const Copies& copies) override { return copies.side[0] + copies.side[1] == 0; }
  Changes Shown(const std::string& key, const Copies& copies) override {
    const auto& side = copies.side;
    const bool shown = side[0] > 0 && (except_ ? side[1] == 0 : side[1] > 0);
    const int64_t all =
        except_ ? std::max<int64_t>(0, side[0] - side[1]) : std::min(side[0], side[1]);
    return Changes(static_cast<size_t>(all_ ? all : shown ? 1 : 0), key);
  }

 private:
  bool except_;
  bool all_;
};

// Of a table with a key each record says at once what it changes.
class LastRows : public Model {
 public:
  explicit LastRows(int64_t ttl_us) : ttl_us_(ttl_us) {}
  Changes Epoch(int64_t now_us, const std::vector<Row>& rows) override {
    if (ttl_us_ > 0) {
      std::erase_if(last_,
                    [&](const auto& entry) { return entry.second.first <= now_us - ttl_us_; });
    }
    Changes changes;
    for (const Row& row : rows) {
      const auto found = last_.find(*row.k);
      const bool was = found != last_.end();
      if (was && row.weight > 0 && found->second.second == *row.v && ttl_us_ == 0) continue;
      if (was) changes.push_back(fmt::format("- {} {}", *row.k, found->second.second));
      if (was) last_.erase(found);
      if (row.weight < 0) continue;
      changes.push_back(fmt::format("+ {} {}", *row.k, *row.v));
      last_[*row.k] = {now_us, *row.v};
    }
    std::sort(changes.begin(), changes.end());
    return changes;
  }

 private:
  const int64_t ttl_us_;
  std::map<std::string, std::pair<int64_t, int64_t>> last_;  // when it was written, v
};

class StateTtl : public ::testing::Test {
 protected:
  void SetUp() override {
    auto planner = duck::Planner::Create();
    ASSERT_TRUE(planner.ok()) << planner.status().ToString();
    planner_ = std::move(*planner);
    const model::Schema schema{{{"k", LogicalType::VARCHAR}, {"v", LogicalType::BIGINT}}};
    for (const char* table : {"t", "u"}) {
      ASSERT_TRUE(planner_->DefineTable(table, schema).ok());
      tables_[table].schema = schema;
    }
  }

  void SetChangelog(ChangelogKind kind) {
    for (auto& [name, table] : tables_) {
      table.changelog = kind;
      table.key.clear();
      if (kind == ChangelogKind::kUpsert) table.key = {0};
    }
  }

  void NewState() {
    for (auto& store : stores_) store = state::StateStore::InMemory();
    checkpoint_ = 0;
    letters_.count = 0;
  }

  void Open(const std::string& query, int64_t ttl_us, size_t shards = 1) {
    auto plan = planner_->PlanQuery(query);
    ASSERT_TRUE(plan.ok()) << plan.status().ToString();
    JobPlanOptions options;
    options.state_ttl_us = ttl_us;
    options.shard.count = shards;
    OperatorContext context;
    context.client = &planner_->context();
    context.dead_letters = &letters_;
    plans_.clear();
    for (size_t shard = 0; shard < shards; shard++) {
      options.shard.index = shard;
      auto built = BuildJobPlan(*plan, planner_->context(), tables_, options);
      ASSERT_TRUE(built.ok()) << built.status().ToString();
      plans_.push_back(std::move(*built));
      plans_[shard].output->emitter().Add(&out_, 0);
      for (auto& op : plans_[shard].operators) {
        ASSERT_TRUE(op->Open(context, *stores_[shard]).ok());
      }
    }
  }

  void Checkpoint() {
    checkpoint_++;
    for (size_t shard = 0; shard < plans_.size(); shard++) {
      auto write = [&](state::StateWriter& writer) {
        for (auto& op : plans_[shard].operators) op->Snapshot(writer);
      };
      ASSERT_TRUE(stores_[shard]->Checkpoint(checkpoint_, write).ok());
    }
  }

  // The shard that reads a row: rows that are equal come in order.
  size_t ShardOf(const Row& row) const {
    if (plans_.size() == 1) return 0;
    const bool by_key = tables_.at("t").changelog == ChangelogKind::kUpsert;
    return by_key ? static_cast<size_t>(row.k->back()) % 2
                  : static_cast<size_t>(row.v.value_or(0)) % 2;
  }

  // In batches of neighbours that go to the same table and shard.
  Changes Epoch(int64_t now_us, const std::vector<Row>& rows, bool weighted) {
    duck::SetEpochClock(planner_->context(), now_us);
    for (size_t first = 0, next = 0; first < rows.size(); first = next) {
      const size_t shard = ShardOf(rows[first]);
      while (next < rows.size() && next - first < 7 && rows[next].table == rows[first].table &&
             ShardOf(rows[next]) == shard) {
        next++;
      }
      for (SourceUse& source : plans_[shard].sources) {
        if (source.table == (rows[first].table == 0 ? "t" : "u")) {
          Send(source, rows.data() + first, next - first, weighted);
        }
      }
    }
    const size_t last_stage = *std::max_element(plans_[0].stages.begin(), plans_[0].stages.end());
    for (size_t stage = 0; stage <= last_stage; stage++) {
      for (size_t shard = 0; shard < plans_.size(); shard++) FinishStage(stage, shard);
    }
    Changes changes = std::move(out_.rows);
    out_.rows.clear();
    std::sort(changes.begin(), changes.end());
    return changes;
  }

  void FinishStage(size_t stage, size_t shard) {
    JobPlan& plan = plans_[shard];
    for (size_t e = 0; e < plan.exchanges.size(); e++) {
      if (plan.exchanges[e].stage + 1 != stage) continue;
      for (JobPlan& sender : plans_) {
        plan.exchanges[e].exchange->Receive(*sender.exchanges[e].exchange, shard);
      }
    }
    for (size_t i = 0; i < plan.operators.size(); i++) {
      if (plan.stages[i] == stage) plan.operators[i]->OnEpochEnd();
    }
  }

  void Send(SourceUse& source, const Row* rows, size_t count, bool weighted) {
    duckdb::vector<LogicalType> types;
    for (size_t c : source.columns) types.push_back(tables_[source.table].schema.columns[c].type);
    duckdb::DataChunk chunk;
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
    std::vector<int32_t> weights;
    for (size_t i = 0; i < count; i++) {
      for (size_t c = 0; c < source.columns.size(); c++) {
        const bool is_key = source.columns[c] == 0;
        chunk.SetValue(c, i,
                       is_key      ? rows[i].k ? Value(*rows[i].k) : Value(LogicalType::VARCHAR)
                            : rows[i].v ? Value::BIGINT(*rows[i].v)
                                   : Value(LogicalType::BIGINT));
      }
      weights.push_back(rows[i].weight);
    }
    chunk.SetCardinality(count);
    Batch batch;
    batch.rows = &chunk;
    batch.weights = weighted ? weights.data() : nullptr;
    for (Operator* consumer : source.consumers) consumer->Process(0, batch);
  }

  // Runs a query over rows of a generator, epoch by epoch, and compares each with the model.
  template <typename MakeModel>
  void Compare(const std::string& query, ChangelogKind kind, const MakeModel& make_model,
               bool nulls = true) {
    SetChangelog(kind);
    for (int64_t ttl_us : {int64_t{0}, 4 * kSecond, 15 * kSecond}) {
      for (uint64_t seed = 1; seed <= 8; seed++) {
        SCOPED_TRACE(fmt::format("{} ttl {} s, seed {}", query, ttl_us / kSecond, seed));
        CompareOnce(query, kind, *make_model(ttl_us), ttl_us, seed, nulls);
        if (HasFatalFailure()) return;
      }
    }
  }

  void CompareOnce(const std::string& query, ChangelogKind kind, Model& model, int64_t ttl_us,
                   uint64_t seed, bool nulls) {
    NewState();
    const size_t shards = 1 + seed % 2;
    Open(query, ttl_us, shards);
    std::mt19937_64 random(seed);
    std::vector<Row> living;  // what may be taken away
    int64_t now_us = kSecond;
    for (int epoch = 1; epoch <= 80; epoch++) {
      now_us += static_cast<int64_t>(random() % 2'000'000);
      if (random() % 20 == 0) now_us += 20 * kSecond;  // everything is too old
      std::vector<Row> rows;
      for (size_t count = random() % 3 * (random() % 12); count > 0; count--) {
        Row row;
        row.table = static_cast<int>(random() % 2);
        if (!nulls || random() % 9 != 0) {
          row.k = fmt::format("key{:0{}}", random() % 12, random() % 2 ? 1 : 40);
        }
        if (!nulls || random() % 7 != 0) row.v = static_cast<int64_t>(random() % 8);
        if (kind == ChangelogKind::kRetract && !living.empty() && random() % 2 == 0) {
          const size_t at = random() % living.size();
          row = living[at];
          living.erase(living.begin() + static_cast<std::ptrdiff_t>(at));
          row.weight = -1;
        } else if (kind == ChangelogKind::kUpsert) {
          row.weight = random() % 4 == 0 ? -1 : 1;
        } else {
          living.push_back(row);
        }
        rows.push_back(row);
      }
      std::vector<Row> read;  // of the tables that the query reads
      for (const Row& row : rows) {
        for (const SourceUse& source : plans_[0].sources) {
          if (source.table == (row.table == 0 ? "t" : "u")) read.push_back(row);
        }
      }
      // An operator gets what one shard read before what the next one did.
      std::stable_sort(read.begin(), read.end(),
                       [&](const Row& a, const Row& b) { return ShardOf(a) < ShardOf(b); });
      ASSERT_EQ(Epoch(now_us, rows, kind != ChangelogKind::kAppend), model.Epoch(now_us, read))
          << "epoch " << epoch;
      ASSERT_NO_FATAL_FAILURE(CheckCounts());
      if (random() % 4 != 0) continue;
      ASSERT_NO_FATAL_FAILURE(Checkpoint());
      if (random() % 2 != 0) continue;
      ASSERT_NO_FATAL_FAILURE(Open(query, ttl_us, shards));
    }
    EXPECT_EQ(letters_.count, 0);
  }

  // Every row is accounted for; see OperatorStats.
  void CheckCounts() {
    for (const JobPlan& plan : plans_) {
      for (const auto& op : plan.operators) {
        if (op->Forwards()) continue;
        const OperatorStats& stats = op->stats();
        ASSERT_EQ(stats.rows_in + stats.rows_added - stats.rows_merged,
                  stats.rows_taken + stats.rows_filtered + stats.rows_unchanged)
            << op->Describe().name;
      }
    }
  }

  std::unique_ptr<duck::Planner> planner_;
  std::unique_ptr<state::StateStore> stores_[2];  // by shard
  std::map<std::string, ScanTable> tables_;
  Collector out_;
  LetterCounter letters_;
  std::vector<JobPlan> plans_;  // by shard
  model::Epoch checkpoint_ = 0;
};

constexpr const char* kGroups =
    "SELECT k, count(*), sum(v), count(DISTINCT v), count(DISTINCT v) FILTER (WHERE v > 3), "
    "min(v), string_agg(v::VARCHAR, ',' ORDER BY v) FROM t GROUP BY k";

TEST_F(StateTtl, GroupsOfAppendedRows) {
  Compare(kGroups, ChangelogKind::kAppend,
          [](int64_t ttl_us) { return std::make_unique<Groups>(ttl_us, Groups::Of::kKey); });
}

TEST_F(StateTtl, GroupsOfRetractedRows) {
  Compare(kGroups, ChangelogKind::kRetract,
          [](int64_t ttl_us) { return std::make_unique<Groups>(ttl_us, Groups::Of::kKey); });
}

TEST_F(StateTtl, DistinctRows) {
  for (ChangelogKind kind : {ChangelogKind::kAppend, ChangelogKind::kRetract}) {
    Compare("SELECT DISTINCT k, v FROM t", kind,
            [](int64_t ttl_us) { return std::make_unique<Groups>(ttl_us, Groups::Of::kRow); });
  }
}

TEST_F(StateTtl, GroupingSets) {
  Compare("SELECT k, v, count(*) FROM t GROUP BY GROUPING SETS ((k), (v))", ChangelogKind::kRetract,
          [](int64_t ttl_us) { return std::make_unique<Groups>(ttl_us, Groups::Of::kSets); });
}

TEST_F(StateTtl, OneGroupOfAllRows) {
  Compare("SELECT count(*), sum(v) FROM t", ChangelogKind::kAppend,
          [](int64_t ttl_us) { return std::make_unique<Groups>(ttl_us, Groups::Of::kAll); });
}

TEST_F(StateTtl, OneGroupOfAllRowsThatMayGo) {
  SetChangelog(ChangelogKind::kRetract);
  NewState();
  Open("SELECT count(*), sum(v) FROM t", 5 * kSecond);
  const Row row{"a", 1};
  const Row away{"a", 1, 0, -1};
  EXPECT_EQ(Epoch(1 * kSecond, {row, row}, true), (Changes{"+ 2 2"}));
  EXPECT_EQ(Epoch(9 * kSecond, {away}, true), (Changes{}));  // it was forgotten
  EXPECT_EQ(Epoch(10 * kSecond, {away, row}, true), (Changes{"+ 1 1"}));
  CheckCounts();
  EXPECT_EQ(letters_.count, 0);
}

TEST_F(StateTtl, RowThatAJoinReliesOnIsThereAlways) {
  NewState();
  const char* query = "SELECT t.v, (SELECT count(*) FROM u) FROM t";
  Open(query, 5 * kSecond);
  EXPECT_EQ(Epoch(1 * kSecond, {{"a", 1, 0}, {"a", 1, 1}}, false), (Changes{"+ 1 1"}));
  Checkpoint();
  Open(query, 5 * kSecond);
  EXPECT_EQ(Epoch(20 * kSecond, {}, false), (Changes{}));
  EXPECT_EQ(Epoch(21 * kSecond, {{"a", 1, 1}}, false), (Changes{}));
  EXPECT_EQ(Epoch(22 * kSecond, {{"a", 7, 0}}, false), (Changes{"+ 7 2"}));
}

// The distinct outer values of a correlated subquery are groups, too.
TEST_F(StateTtl, CorrelatedSubqueriesKeepWhatIsInUse) {
  NewState();
  Open("SELECT t.v, (SELECT max(u.v) FROM u WHERE u.k = t.k) FROM t", 5 * kSecond);
  std::map<std::string, int> net;
  for (int64_t second = 1; second <= 30; second += 2) {
    for (const std::string& change :
         Epoch(second * kSecond, {{"a", second, 0}, {"a", 100, 1}}, false)) {
      net[change.substr(2)] += change[0] == '+' ? 1 : -1;
    }
    EXPECT_EQ(net[fmt::format("{} 100", second)], 1) << "second " << second;
  }
}

TEST_F(StateTtl, TopN) {
  const char* query =
      "SELECT k, v FROM (SELECT k, v, row_number() OVER (PARTITION BY k ORDER BY v DESC) AS r "
      "FROM t) WHERE r <= 2";
  for (ChangelogKind kind : {ChangelogKind::kAppend, ChangelogKind::kRetract}) {
    Compare(query, kind, [&](int64_t ttl_us) {
      return std::make_unique<BestTwo>(ttl_us, kind == ChangelogKind::kRetract);
    });
  }
}

TEST_F(StateTtl, SetOperations) {
  for (const char* operation : {"INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"}) {
    for (ChangelogKind kind : {ChangelogKind::kAppend, ChangelogKind::kRetract}) {
      const std::string text = operation;
      Compare(fmt::format("SELECT k, v FROM t {} SELECT k, v FROM u", text), kind,
              [&](int64_t ttl_us) {
                return std::make_unique<Sets>(ttl_us, text.starts_with("EXCEPT"),
                                              text.ends_with("ALL"));
              });
    }
  }
}

TEST_F(StateTtl, RowsByKey) {
  Compare(
      "SELECT k, v FROM t", ChangelogKind::kUpsert,
      [](int64_t ttl_us) { return std::make_unique<LastRows>(ttl_us); }, false);
}

// Retractions of a row that a join forgot take back what it gave, and leave nothing behind.
TEST_F(StateTtl, JoinsForgetRetractionsOfForgottenRows) {
  SetChangelog(ChangelogKind::kRetract);
  NewState();
  Open("SELECT t.v, u.v FROM t JOIN u ON t.k = u.k", 5 * kSecond);
  EXPECT_EQ(Epoch(1 * kSecond, {{"a", 1, 0}}, true), (Changes{}));
  EXPECT_EQ(Epoch(4 * kSecond, {{"a", 2, 1}}, true), (Changes{"+ 1 2"}));
  EXPECT_EQ(Epoch(7 * kSecond, {}, true), (Changes{}));  // the left row is forgotten
  EXPECT_EQ(Epoch(8 * kSecond, {{"a", 1, 0, -1}}, true), (Changes{"- 1 2"}));
  EXPECT_EQ(Epoch(8 * kSecond, {{"a", 3, 1}}, true), (Changes{}));
  EXPECT_EQ(Epoch(8 * kSecond, {{"a", 1, 0, -1}, {"a", 1, 0}}, true),
            (Changes{"+ 1 2", "+ 1 3", "- 1 2", "- 1 3"}));
  EXPECT_EQ(Epoch(8 * kSecond, {{"a", 4, 1}}, true), (Changes{"+ 1 4"}));
}

// What EXPLAIN says of each.
TEST_F(StateTtl, IsSaid) {
  NewState();
  for (const char* query :
       {kGroups, "SELECT DISTINCT k FROM t", "SELECT k FROM t INTERSECT SELECT k FROM u",
        "SELECT k, v FROM (SELECT k, v, rank() OVER (PARTITION BY k ORDER BY v) AS r FROM t) "
        "WHERE r = 1"}) {
    for (int64_t ttl_us : {int64_t{0}, 3600 * kSecond}) {
      Open(query, ttl_us);
      int says = 0;
      for (const auto& op : plans_[0].operators) {
        const std::string freed = op->Describe().freed_by;
        says += freed.find("table.exec.state.ttl") != std::string::npos &&
                (freed.find("1 h") != std::string::npos) == (ttl_us > 0);
      }
      EXPECT_EQ(says, 1) << query;
    }
  }
}

}  // namespace
}  // namespace millrace::stream
