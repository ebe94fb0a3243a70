#include <random>

#include "connectors/delta/delta_fixture.h"

namespace millrace::connectors::delta {
namespace {

using DeltaKeysTest = DeltaTest;

const model::Schema kPrices = {{{"shop", LogicalType::VARCHAR, false},
                                {"item", LogicalType::BIGINT, false},
                                {"weight", LogicalType::VARCHAR},
                                {"price", LogicalType::INTEGER}}};

using Key = std::pair<std::string, int64_t>;
using Prices = std::map<Key, int>;  // what the table should hold

const Key kBusy = {"a/b", 1000};  // changes in each epoch

std::vector<Value> Row(const Key& key, int price) {
  const Value kind = price % 4 == 0 ? Value() : Value("kind " + std::to_string(price % 4));
  return {Value(key.first), Value::BIGINT(key.second), kind, Value::INTEGER(price)};
}

// Random changes of one epoch, applied to `prices`. An update is the old row and the new one, in
// any order.
struct Changes {
  std::vector<std::vector<Value>> rows;
  std::vector<int32_t> weights;

  Changes(std::mt19937& random, Prices& prices) {
    for (size_t i = random() % 30; i > 0; i--) {
      const Key key = {random() % 3 == 0 ? "" : "a/b", static_cast<int64_t>(random() % 60)};
      const auto found = prices.find(key);
      const size_t begin = rows.size();
      if (found != prices.end()) {
        rows.push_back(Row(key, found->second));
        weights.push_back(-1);
      }
      if (found == prices.end() || random() % 3 > 0) {
        const int price = static_cast<int>(random() % 100);
        rows.push_back(Row(key, price));
        weights.push_back(1);
        prices[key] = price;
      } else {
        prices.erase(found);
      }
      if (rows.size() == begin + 2 && random() % 2 == 0) {
        std::swap(rows[begin], rows[begin + 1]);
        std::swap(weights[begin], weights[begin + 1]);
      }
    }
    ChangeBusy(prices);
  }

 private:
  void ChangeBusy(Prices& prices) {
    const auto found = prices.find(kBusy);
    const int price = found == prices.end() ? 100 : found->second + 1;
    if (found != prices.end()) {
      rows.push_back(Row(kBusy, found->second));
      weights.push_back(-1);
    }
    rows.push_back(Row(kBusy, price));
    weights.push_back(1);
    prices[kBusy] = price;
  }
};

std::string Csv(const Prices& prices) {
  std::string csv = "shop,item,weight,price\n";
  for (const auto& [key, price] : prices) {
    csv += fmt::format("{},{},{},{}\n", key.first, key.second,
                       price % 4 == 0 ? "" : "kind " + std::to_string(price % 4), price);
  }
  return csv;
}

// Epochs of random changes with a process that dies at any step, without partitions, with rows that
// move from one to another, and with a partition that is part of the key.
TEST_F(DeltaKeysTest, HoldTheNewestRowWhateverDies) {
  constexpr model::Epoch kEpochs = 16;
  const std::map<std::string, std::vector<std::string>> partitions = {
      {"whole", {}}, {"moving", {"weight"}}, {"by_shop", {"shop"}}};
  for (const auto& [name, partitioned_by] : partitions) {
    std::mt19937 random(name.size());
    const std::map<std::string, std::string> options = {{"path", name},
                                                        {"maintenance.interval", "1 s"},
                                                        {"retention", "2 s"},
                                                        {"checkpoint.versions", "4"}};
    TableContext table = Table(options, kPrices, {"shop", "item"});
    table.partitioned_by = partitioned_by;
    // Another job that appends rows with a key of this one: they are replaced, too.
    TableContext other = Table(options, kPrices);
    other.job = "other";
    other.partitioned_by = partitioned_by;
    auto sink = OpenSink(table), others = OpenSink(other);
    std::vector<Prices> expected(1);
    std::vector<Changes> changes;
    for (model::Epoch epoch = 1; epoch <= kEpochs; epoch++) {
      expected.push_back(expected.back());
      changes.emplace_back(random, expected.back());
    }
    for (model::Epoch epoch = 1; epoch <= kEpochs; epoch++) {
      const auto at = static_cast<size_t>(epoch);
      const Changes& now = changes[at - 1];
      ASSERT_TRUE(WriteRows(*sink, kPrices, now.rows, now.weights).ok());
      clock_.Advance(300'000);
      if (random() % 2 == 0 || epoch == kEpochs) {
        ASSERT_TRUE(WriteRows(*others, kPrices, {Row(kBusy, 7), Row(kBusy, 8)}).ok());
        ASSERT_TRUE(others->Commit(epoch).ok());
        const Status committed = sink->Commit(epoch);
        ASSERT_TRUE(committed.ok()) << committed.ToString();
        if (random() % 3 == 0 || epoch == kEpochs) {
          std::string all = Ask("SELECT * FROM {} ORDER BY shop NULLS FIRST, item", name);
          std::erase(all, '"');
          ASSERT_EQ(all, Csv(expected[at])) << name << ", epoch " << epoch;
        }
      }
      if (random() % 6 != 0) continue;
      sink.reset();
      LeaveOrphan(name);
      sink = OpenSink(table);
      epoch = *sink->LastCommitted();
    }
  }
}

}  // namespace
}  // namespace millrace::connectors::delta
