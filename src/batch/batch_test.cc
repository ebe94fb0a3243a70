#include "batch/batch.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "base/strings.h"
#include "duck/warehouse.h"
#include "env/files.h"

namespace millrace::batch {
namespace {

namespace fs = std::filesystem;

class BatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "millrace_batch_XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    settings_.databases = {{"sales", Path("sales.duckdb"), {}}};
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  // The outcomes of the statements, one a line; of a query, its rows as CSV.
  Result<std::string> Run(const std::string& sql, const std::string& run = "run") {
    Options options;
    options.run = run;
    options.variables = variables_;
    options.directory = Path("work");
    std::string outcomes;
    MR_RETURN_IF_ERROR(RunBatch(sql, "t.sql", settings_, options, [&](const Step& step) {
      outcomes += step.answer ? step.answer->ToCsv() : step.outcome + "\n";
    }));
    std::erase(outcomes, '\r');
    return outcomes;
  }
  std::string MustRun(const std::string& sql, const std::string& run = "run") {
    auto outcomes = Run(sql, run);
    EXPECT_TRUE(outcomes.ok()) << outcomes.status().ToString();
    return outcomes.ok() ? *outcomes : "";
  }

  std::string directory_;
  Settings settings_;
  std::map<std::string, std::string> variables_;
};

// Results of random rows, with partitions that come and go, NULL and odd keys, and none at all:
// after each overwrite the files hold the newest result and nothing else.
TEST_F(BatchTest, OverwriteLeavesExactlyTheResult) {
  std::mt19937 random(7);
  const std::string target = QuoteLiteral(Path("out"));
  for (int round = 0; round < 12; round++) {
    const auto rows = random() % 4 == 0 ? 0 : random() % 5000;
    const auto keys = 1 + random() % 8;
    const std::string query = fmt::format(
        "SELECT CASE WHEN n % {0} = 0 THEN NULL ELSE 'a/ö=' || (n * {1}) % {0} END AS key, n, "
        "hash(n, {1}) AS value FROM range({2}) AS numbers(n)",
        keys, random() % 100, rows);
    MustRun("COPY (" + query + ") TO " + target +
            " (FORMAT parquet, PARTITION_BY (key), OVERWRITE)");
    const std::string files = fmt::format(
        "FROM read_parquet('{}/*/data.parquet', hive_partitioning = true, "
        "hive_types = {{'key': VARCHAR}})",
        Path("out"));
    if (rows == 0) {
      EXPECT_EQ(MustRun("SELECT count(*) AS files FROM glob('" + Path("out") + "/*/*.parquet')"),
                "files\n0\n");
      continue;
    }
    EXPECT_EQ(MustRun("SELECT count(*) AS differ FROM ((" + query +
                      " EXCEPT ALL SELECT key, n, value " + files +
                      ") UNION ALL (SELECT key, n, value " + files + " EXCEPT ALL " + query + "))"),
              "differ\n0\n");
  }
}

TEST_F(BatchTest, OverwriteOrIgnoreLeavesOtherPartitions) {
  auto overwrite = [&](const char* keys, const char* option) {
    return MustRun(
        fmt::format("COPY (SELECT unnest({}) AS k, 1 AS v) TO '{}' (FORMAT parquet, "
                    "PARTITION_BY (k), {})",
                    keys, Path("out"), option));
  };
  EXPECT_EQ(overwrite("[1, 2]", "OVERWRITE"), "2 partitions, 2 rows\n");
  EXPECT_EQ(overwrite("[2, 3]", "OVERWRITE_OR_IGNORE"), "2 partitions, 2 rows\n");
  EXPECT_EQ(overwrite("[3]", "OVERWRITE"), "1 partition, 1 row, 2 removed\n");
  for (const char* on : {"OVERWRITE true", "OVERWRITE 1", "OVERWRITE 'true'", "OVERWRITE (TRUE)"}) {
    EXPECT_EQ(overwrite("[3]", on), "1 partition, 1 row\n") << on;
  }
  // DuckDB's own, which does not write to a directory that has files.
  EXPECT_FALSE(Run("COPY (SELECT 1 AS k, 1 AS v) TO '" + Path("out") +
                   "' (FORMAT parquet, PARTITION_BY (k), OVERWRITE false)")
                   .ok());
}

TEST_F(BatchTest, OverwriteTouchesNothingWhenItFails) {
  const std::string target = QuoteLiteral(Path("out"));
  const std::string options = " (FORMAT parquet, PARTITION_BY (k), OVERWRITE";
  MustRun("COPY (SELECT 1 AS k, 'old' AS v) TO " + target + options + ")");
  const std::string fails =
      "COPY (SELECT n % 3 AS k, (CASE WHEN n > 5000 THEN 'x' ELSE '1' END)::INT "
      "AS v FROM range(9000) AS numbers(n)) TO ";
  EXPECT_EQ(Run(fails + target + options + ")").status().code(), Code::kType);
  for (const char* option : {"FILE_SIZE_BYTES 1000", "FILENAME_PATTERN 'x_{i}'"}) {
    EXPECT_EQ(Run("COPY (SELECT 1 AS k, 2 AS v) TO " + target + options + ", " + option + ")")
                  .status()
                  .code(),
              Code::kUnsupported);
  }
  EXPECT_EQ(MustRun("SELECT v FROM read_parquet('" + Path("out") + "/*/*.parquet')"), "v\nold\n");
  auto lock = env::FileSystem::Real()->Lock(Path("out/.staging/lock"));
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(Run("COPY (SELECT 1 AS k, 2 AS v) TO " + target + options + ")").status().code(),
            Code::kFailedPrecondition);
}

TEST_F(BatchTest, ChangesOfDatabasesHappenOncePerRun) {
  const std::string batch =
      "CREATE TABLE IF NOT EXISTS sales.t (day VARCHAR, n INT);\n"
      "DELETE FROM sales.t WHERE day = getvariable('day');\n"
      "INSERT INTO sales.t SELECT getvariable('day'), n FROM range(3) AS numbers(n);\n";
  const std::string count = "SELECT count(*) AS n FROM sales.t;";
  variables_["day"] = "monday";
  EXPECT_EQ(MustRun(batch + count), "\n0 rows\n3 rows\nn\n3\n");
  EXPECT_EQ(MustRun(batch + count),
            "\ndone before by run \"run\"\ndone before by run \"run\"\nn\n3\n");
  EXPECT_EQ(MustRun(batch + count, "again"), "\n3 rows\n3 rows\nn\n3\n");
  // What fails leaves no trace, and is done when it is mended.
  const std::string fails = "INSERT INTO sales.t SELECT 'tuesday', v::INT FROM (VALUES ('1'), (";
  EXPECT_FALSE(Run(fails + "'x')) AS rows(v); " + count, "third").ok());
  EXPECT_EQ(MustRun(fails + "'2')) AS rows(v); " + count, "third"), "2 rows\nn\n5\n");
  EXPECT_EQ(Run(fails + "'3')) AS rows(v)", "third").status().code(), Code::kFailedPrecondition);
  // Tables of the batch itself are made every time.
  EXPECT_EQ(MustRun("CREATE TABLE own (n INT); INSERT INTO own VALUES (1); FROM own", "third"),
            "\n1 row\nn\n1\n");
}

TEST_F(BatchTest, ErrorsSayWhere) {
  auto place = [&](const std::string& sql) {
    auto failed = Run(sql);
    EXPECT_FALSE(failed.ok()) << sql;
    const SourceSpan span = failed.status().span();
    return fmt::format("{}:{}:{}", span.file, span.line, span.column);
  };
  EXPECT_EQ(place("SELECT 1;\n\nSELECT 2 +;"), "t.sql:3:11");
  EXPECT_EQ(place("SELECT 1;\n-- two\n  SELECT\n  nope FROM range(3);"), "t.sql:4:3");
  settings_.databases.push_back({"secretive", "postgres:postgresql://u:hidden@127.0.0.1:1/x", {}});
  settings_.secrets = {"hidden"};
  auto refused = Run("SELECT * FROM secretive.t");
  EXPECT_EQ(refused.status().ToString().find("hidden"), std::string::npos);
  EXPECT_NE(refused.status().message().find("\"secretive\""), std::string::npos);
}

}  // namespace
}  // namespace millrace::batch
