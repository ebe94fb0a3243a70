#include "connectors/warehouse/warehouse_sink.h"

#include "connectors/connector_fixture.h"
#include "duck/warehouse.h"

namespace millrace::connectors::warehouse {
namespace {

model::Schema TestSchema() {
  return {{{"k", LogicalType::INTEGER},
           {"s", LogicalType::VARCHAR},
           {"l", LogicalType::LIST(LogicalType::INTEGER)}}};
}

class WarehouseSinkTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    sink_.reset();
    warehouse_.reset();
    auto opened = duck::Warehouse::Open(directory_.path() + "/w.duckdb");
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    warehouse_ = std::move(*opened);
  }
  Status OpenSink(std::vector<std::string> key = {}) {
    table_ = MakeTable("warehouse", TestSchema(), {}, std::move(key));
    table_.services.warehouse = warehouse_.get();
    sink_ = std::move(*NewWarehouseSink(table_));
    return sink_->Open();
  }
  Status Write(const std::vector<std::vector<Value>>& rows,
               const std::vector<int32_t>& weights = {}) {
    return WriteRows(*sink_, table_.schema, rows, weights);
  }
  std::string Rows() {
    auto result = warehouse_->Query("SELECT k, s, l FROM t ORDER BY ALL");
    return result.ok() ? result->ToCsv() : result.status().ToString();
  }
  static std::vector<Value> Row(int k, const char* s) {
    return {Value::INTEGER(k), s ? Value(s) : Value(), Value::LIST({Value::INTEGER(k)})};
  }

  TemporaryDirectory directory_;
  std::unique_ptr<duck::Warehouse> warehouse_;
  TableContext table_;
  std::unique_ptr<Sink> sink_;
};

TEST_F(WarehouseSinkTest, AppendsAndRemembersTheEpoch) {
  ASSERT_TRUE(OpenSink().ok());
  EXPECT_EQ(*sink_->LastCommitted(), 0);
  ASSERT_TRUE(Write({Row(1, "a"), Row(2, nullptr)}).ok());
  ASSERT_TRUE(Write({Row(3, "b"), Row(4, "c")}, {2, 0}).ok());
  ASSERT_TRUE(sink_->Commit(5).ok());
  ASSERT_TRUE(sink_->Commit(5).ok());
  ASSERT_TRUE(sink_->Commit(6).ok());  // nothing written
  EXPECT_EQ(Rows(), "k,s,l\r\n1,a,[1]\r\n2,,[2]\r\n3,b,[3]\r\n3,b,[3]\r\n");
  EXPECT_EQ(Write({Row(1, "a")}, {-1}).code(), Code::kUnsupported);
  Reopen();
  ASSERT_TRUE(OpenSink().ok());
  EXPECT_EQ(*sink_->LastCommitted(), 6);
}

TEST_F(WarehouseSinkTest, UpsertsNetChanges) {
  ASSERT_TRUE(OpenSink({"k"}).ok());
  ASSERT_TRUE(Write({Row(1, "a"), Row(2, "b"), Row(3, "c")}).ok());
  ASSERT_TRUE(sink_->Commit(1).ok());
  // The new row of 1 comes before the removal of the old one; 2 goes; 3 goes and comes back;
  // 4 comes and goes; 5 changes twice.
  ASSERT_TRUE(Write({Row(1, "A"), Row(1, "a"), Row(2, "b"), Row(3, "c"), Row(3, "c"), Row(4, "x"),
                     Row(4, "x"), Row(5, "p"), Row(5, "p"), Row(5, "q")},
                    {1, -1, -1, -1, 1, 1, -1, 1, -1, 1})
                  .ok());
  ASSERT_TRUE(sink_->Commit(2).ok());
  EXPECT_EQ(Rows(), "k,s,l\r\n1,A,[1]\r\n3,c,[3]\r\n5,q,[5]\r\n");
  // Upserts without removals: the last wins.
  ASSERT_TRUE(Write({Row(1, "1"), Row(1, "2"), Row(3, nullptr)}).ok());
  ASSERT_TRUE(sink_->Commit(3).ok());
  EXPECT_EQ(Rows(), "k,s,l\r\n1,2,[1]\r\n3,,[3]\r\n5,q,[5]\r\n");
}

TEST_F(WarehouseSinkTest, ManyRowsOverManyChunks) {
  ASSERT_TRUE(OpenSink({"k"}).ok());
  for (int round = 0; round < 2; round++) {
    std::vector<std::vector<Value>> rows;
    for (int i = 0; i < 5000; i++) {
      rows.push_back(Row(i, round ? "new" : "old"));
      if (rows.size() == 1000) {
        ASSERT_TRUE(Write(rows).ok());
        rows.clear();
      }
    }
    ASSERT_TRUE(sink_->Commit(round + 1).ok());
  }
  auto counts = warehouse_->Query("SELECT count(*), count(DISTINCT k), min(s) FROM t");
  EXPECT_EQ(counts->ToCsv().substr(counts->ToCsv().find('\n') + 1), "5000,5000,new\r\n");
}

TEST_F(WarehouseSinkTest, CrashBeforeCommitLosesNothingAndDoublesNothing) {
  for (model::Epoch epoch = 1; epoch <= 4; epoch++) {
    for (const bool dies : {true, false}) {
      Reopen();
      ASSERT_TRUE(OpenSink().ok());
      EXPECT_EQ(*sink_->LastCommitted(), epoch - 1);
      ASSERT_TRUE(Write({Row(static_cast<int>(epoch), "x")}).ok());
      if (dies) continue;
      ASSERT_TRUE(sink_->Commit(epoch).ok());
    }
  }
  EXPECT_EQ(Rows(), "k,s,l\r\n1,x,[1]\r\n2,x,[2]\r\n3,x,[3]\r\n4,x,[4]\r\n");
}

TEST_F(WarehouseSinkTest, FailedCommitKeepsTheBuffer) {
  ASSERT_TRUE(OpenSink().ok());
  ASSERT_TRUE(Write({Row(1, "a")}).ok());
  ASSERT_TRUE(warehouse_->Query("ALTER TABLE t RENAME TO gone").ok());
  EXPECT_FALSE(sink_->Commit(1).ok());
  ASSERT_TRUE(warehouse_->Query("ALTER TABLE gone RENAME TO t").ok());
  ASSERT_TRUE(sink_->Commit(1).ok());
  EXPECT_EQ(Rows(), "k,s,l\r\n1,a,[1]\r\n");
}

TEST_F(WarehouseSinkTest, SaysWhatToDoAboutANullKey) {
  ASSERT_TRUE(
      warehouse_->Query("CREATE TABLE t (k INTEGER, s VARCHAR NOT NULL, l INTEGER[])").ok());
  ASSERT_TRUE(OpenSink({"s"}).ok());
  ASSERT_TRUE(Write({Row(1, "a"), Row(2, nullptr)}).ok());
  const Status status = sink_->Commit(1);
  EXPECT_NE(status.message().find("t.s"), std::string::npos) << status.ToString();
  EXPECT_NE(status.hint().find("COALESCE"), std::string::npos) << status.ToString();
  EXPECT_EQ(Rows(), "k,s,l\r\n");
}

TEST_F(WarehouseSinkTest, RefusesATableOfAnotherShape) {
  ASSERT_TRUE(warehouse_->Query("CREATE TABLE t (k INTEGER, s BIGINT, l INTEGER[])").ok());
  Status status = OpenSink();
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_NE(status.message().find("column \"s\""), std::string::npos) << status.ToString();
  ASSERT_TRUE(warehouse_->Query("CREATE OR REPLACE TABLE t (k INTEGER)").ok());
  EXPECT_EQ(OpenSink().code(), Code::kFailedPrecondition);
}

TEST_F(WarehouseSinkTest, ServesJdbcTables) {
  table_ = MakeTable("jdbc", TestSchema(),
                     {{"url", "jdbc:postgresql://db/x"}, {"table-name", "public.counts"}});
  table_.services.warehouse = warehouse_.get();
  sink_ = std::move(*NewWarehouseSink(table_));
  ASSERT_TRUE(sink_->Open().ok());
  ASSERT_TRUE(Write({Row(1, "a")}).ok());
  ASSERT_TRUE(sink_->Commit(1).ok());
  EXPECT_EQ(warehouse_->Query("FROM counts")->row_count(), 1u);
}

}  // namespace
}  // namespace millrace::connectors::warehouse
