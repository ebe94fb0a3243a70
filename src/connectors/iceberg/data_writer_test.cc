#include "connectors/iceberg/data_writer.h"

#include <fmt/format.h>

#include <filesystem>
#include <random>

#include "base/strings.h"
#include "connectors/connector_fixture.h"
#include "connectors/iceberg/value_bytes.h"

namespace millrace::connectors::iceberg {
namespace {

const std::pair<const char*, const char*> kColumns[] = {{"flag", "boolean"},
                                                        {"small", "int"},
                                                        {"id", "long"},
                                                        {"ratio", "float"},
                                                        {"weight", "double"},
                                                        {"price", "decimal(12, 2)"},
                                                        {"huge", "decimal(38, 4)"},
                                                        {"day", "date"},
                                                        {"at", "time"},
                                                        {"seen", "timestamp"},
                                                        {"seen_utc", "timestamptz"},
                                                        {"word", "string"},
                                                        {"code", "uuid"},
                                                        {"raw", "binary"}};

IcebergSchema SchemaOf() {
  IcebergSchema schema;
  for (const auto& [name, type] : kColumns) {
    schema.push_back({static_cast<int>(schema.size()) + 1, name, false,
                      {.primitive = type, .fields = {}}});
  }
  return schema;
}

// Rows by chance, as DuckDB makes them: negative and far values, NULLs, NaN where `with_nan`.
std::string RandomRows(int seed, bool with_nan) {
  return fmt::format(
      "SELECT CASE WHEN x % 5 > 0 THEN x % 2 = 0 END, (x % 1000 - 500)::INTEGER, x * 7919 - 10**9, "
      "CASE WHEN {1} AND x % 7 = 0 THEN 'nan'::FLOAT ELSE (x % 97 / 7)::FLOAT END, "
      "(x % 1009 - 500) / 3::DOUBLE, ((x % 100000) / 100 - 300)::DECIMAL(12, 2), "
      "(x - 10**9)::DECIMAL(38, 4), DATE '1969-06-01' + (x % 700)::INTEGER, "
      "TIME '00:00:00' + to_microseconds(x % 86400 * 999983), "
      "TIMESTAMP '1969-12-20 00:00:00' + to_microseconds((x % 2000000) * 1234567), "
      "(TIMESTAMP '1969-12-20 00:00:00' + to_microseconds((x % 2000000) * 1234567))::TIMESTAMP::"
      "VARCHAR::TIMESTAMP, "
      "CASE WHEN x % 3 > 0 THEN repeat('wört ', (x % 9)::INTEGER) || x END, uuid(), 'ab'::BLOB "
      "FROM (SELECT (hash(i + {0}) % 1000000007)::BIGINT AS x FROM range(3000) AS r(i))",
      seed, with_nan);
}

class DataWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto writer = DataWriter::Open(directory_.path() + "/spill");
    ASSERT_TRUE(writer.ok()) << writer.status().ToString();
    writer_ = std::move(*writer);
  }

  duck::QueryResult Ask(const std::string& sql) {
    auto answer = database_->Query(sql);
    EXPECT_TRUE(answer.ok()) << answer.status().ToString();
    return answer.ok() ? std::move(*answer) : duck::QueryResult();
  }

  // Chunk by chunk, some rows twice and some not at all.
  int64_t Gather(const std::string& rows) {
    auto made = Ask(rows);
    int64_t taken = 0;
    for (auto& chunk : made.rows->Chunks()) {
      std::vector<int32_t> weights;
      for (duckdb::idx_t r = 0; r < chunk.size(); r++) {
        weights.push_back(static_cast<int32_t>(r % 3));
        taken += weights.back();
      }
      const Status done = writer_->Append({&chunk, &weights});
      EXPECT_TRUE(done.ok()) << done.ToString();
    }
    return taken;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<duck::Warehouse> database_ = std::move(*duck::Warehouse::Open(""));
  std::unique_ptr<DataWriter> writer_;
};

// Each number that a file's description gives, against what DuckDB counts in the file.
TEST_F(DataWriterTest, DescribesWhatIsInItsFiles) {
  const IcebergSchema schema = SchemaOf();
  ASSERT_TRUE(writer_->Describe(schema, {}).ok());
  EXPECT_TRUE(writer_->WriteFiles(directory_.path())->empty());
  for (const bool with_nan : {false, true}) {
    const int64_t taken = Gather(RandomRows(with_nan ? 1 : 2, with_nan));
    EXPECT_EQ(writer_->rows(), taken);
    auto files = writer_->WriteFiles(directory_.path());
    ASSERT_TRUE(files.ok()) << files.status().ToString();
    ASSERT_EQ(files->size(), 1U);
    const DataFile& file = (*files)[0];
    EXPECT_EQ(file.record_count, taken);
    EXPECT_EQ(static_cast<uintmax_t>(file.size_bytes), std::filesystem::file_size(file.path));
    for (const IcebergField& column : schema) {
      const std::string name = QuoteIdentifier(column.name);
      auto facts =
          Ask(fmt::format("SELECT count(*) - count({0}), min({0}), max({0}), "
                          "count(*) FILTER ({0}::VARCHAR = 'nan') FROM '{1}'",
                          name, file.path));
      EXPECT_EQ(file.null_counts.at(column.id), facts.Get(0, 0).GetValue<int64_t>()) << name;
      EXPECT_EQ(file.value_counts.at(column.id), taken) << name;
      EXPECT_GT(file.column_sizes.at(column.id), 0) << name;
      if (facts.Get(0, 3).GetValue<int64_t>() > 0) {
        EXPECT_FALSE(file.nan_counts.contains(column.id)) << name;
        EXPECT_FALSE(file.lower_bounds.contains(column.id)) << name;
        continue;
      }
      if (!ValueBytes(facts.Get(0, 1))) continue;  // uuid, binary
      ASSERT_TRUE(file.lower_bounds.contains(column.id)) << name;
      ASSERT_TRUE(file.upper_bounds.contains(column.id)) << name;
      EXPECT_EQ(file.lower_bounds.at(column.id), BoundBytes(facts.Get(0, 1), true)) << name;
      EXPECT_EQ(file.upper_bounds.at(column.id), BoundBytes(facts.Get(0, 2), false)) << name;
    }
    auto numbers = Ask("SELECT list(field_id) FROM parquet_schema('" + file.path +
                       "') WHERE field_id IS NOT NULL");
    EXPECT_EQ(numbers.Get(0, 0).ToString(), "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]");
    ASSERT_TRUE(writer_->Forget().ok());
    EXPECT_EQ(writer_->rows(), 0);
  }
}

// Every transform: rows are in the file of their partition, whose value DuckDB computes otherwise.
TEST_F(DataWriterTest, PutsRowsIntoTheirPartitions) {
  const IcebergSchema schema = SchemaOf();
  const std::tuple<const char*, const char*, const char*> kCases[] = {
      {"flag", "identity", "flag"},
      {"word", "identity", "word"},
      {"day", "identity", "day"},
      {"day", "day", "day"},
      {"day", "month", "datediff('month', DATE '1970-01-01', day)"},
      {"seen", "year", "datediff('year', DATE '1970-01-01', seen)"},
      {"seen", "day", "seen::DATE"},
      {"seen", "hour", "datediff('hour', TIMESTAMP '1970-01-01', seen)"},
      {"seen_utc", "day", "(seen_utc::TIMESTAMP)::DATE"},
      {"word", "truncate[3]", "substr(word, 1, 3)"},
      {"small", "truncate[100]", "(floor(small / 100) * 100)::INTEGER"},
      {"id", "truncate[500000000]", "(floor(id / 500000000) * 500000000)::BIGINT"},
  };
  for (const auto& [column, transform, oracle] : kCases) {
    const PartitionField field{FindField(schema, std::string(column))->id, 1000, "p", transform};
    auto found = PartitionTransformOf(field, schema);
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    ASSERT_TRUE(writer_->Describe(schema, {*found}).ok());
    const int64_t taken = Gather(RandomRows(3, false) + " LIMIT 12");
    auto files = writer_->WriteFiles(directory_.path());
    ASSERT_TRUE(files.ok()) << transform << ": " << files.status().ToString();
    int64_t rows = 0;
    std::set<std::string> values;
    for (const DataFile& file : *files) {
      rows += file.record_count;
      ASSERT_EQ(file.partition.size(), 1U);
      const std::string value = file.partition[0].ToSQLString();
      EXPECT_TRUE(values.insert(value).second) << value;
      EXPECT_EQ(file.partition[0].type(), found->result);
      auto wrong = Ask(fmt::format("SELECT count(*) FROM '{}' WHERE {} IS DISTINCT FROM {}",
                                   file.path, oracle, value));
      EXPECT_EQ(wrong.Get(0, 0).GetValue<int64_t>(), 0) << column << " " << transform;
    }
    EXPECT_EQ(rows, taken) << transform;
    EXPECT_GT(files->size(), 1U) << transform;
    ASSERT_TRUE(writer_->Forget().ok());
  }
  for (const auto& [column, transform] : {std::pair{1, "bucket[16]"},
                                          {3, "bucket[0]"},
                                          {3, "bucket[x]"},
                                          {3, "bucket"},
                                          {6, "truncate[10]"},
                                          {3, "zorder[2]"}}) {
    const PartitionField field{column, 1000, "p", transform};
    EXPECT_EQ(PartitionTransformOf(field, schema).status().code(), Code::kUnsupported) << transform;
  }
}

}  // namespace
}  // namespace millrace::connectors::iceberg
