// What the tests of Delta tables share: tables in a directory that goes with the test, and the
// views of other clients.
#pragma once

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "base/strings.h"
#include "connectors/connector_fixture.h"
#include "connectors/delta/delta.h"
#include "duck/extensions.h"
#include "duck/warehouse.h"
#include "env/hand_clock.h"

namespace millrace::connectors::delta {

inline const model::Schema kColumns = {{{"id", LogicalType::BIGINT},
                                        {"filename", LogicalType::VARCHAR},
                                        {"amount", LogicalType::DECIMAL(12, 2)},
                                        {"moment", LogicalType::TIMESTAMP},
                                        {"the day", LogicalType::DATE},
                                        {"mark", LogicalType::VARCHAR}}};

class DeltaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (duck::ExtensionDirectory().empty()) GTEST_SKIP() << "no extensions: scripts/setup.sh";
  }

  TableContext Table(std::map<std::string, std::string> more = {},
                     const model::Schema& schema = kColumns,
                     std::vector<std::string> primary_key = {}) {
    more.try_emplace("path", "t");
    TableContext table = MakeTable("delta", schema, more, std::move(primary_key));
    table.services.base_dir = directory_.path();
    table.services.clock = &clock_;
    return table;
  }

  std::unique_ptr<Sink> OpenSink(const TableContext& table) {
    auto sink = NewDeltaSink(table);
    EXPECT_TRUE(sink.ok()) << sink.status().ToString();
    const Status opened = (*sink)->Open();
    EXPECT_TRUE(opened.ok()) << opened.ToString();
    return std::move(*sink);
  }

  // The answer of another client of Delta, DuckDB's extension. `sql` has "{}" for the table.
  std::string Ask(const std::string& sql, const std::string& path = "t") {
    auto database = duck::Warehouse::Open("");
    auto connection = (*database)->Connect();
    EXPECT_TRUE(duck::UseExtensions(*connection).ok());
    const std::string scan = "delta_scan(" + QuoteLiteral(directory_.path() + "/" + path) + ")";
    auto answer = duck::Warehouse::QueryOn(*connection, fmt::format(fmt::runtime(sql), scan));
    EXPECT_TRUE(answer.ok()) << answer.status().ToString();
    std::string csv = answer.ok() ? answer->ToCsv() : "";
    std::erase(csv, '\r');
    return csv;
  }

  // As another writer would, who looks at nothing: the next version with these lines.
  void AddVersion(const std::string& lines, const std::string& path = "t") {
    for (int version = 0;; version++) {
      const std::string name =
          fmt::format("{}/{}/_delta_log/{:020}.json", directory_.path(), path, version);
      if (std::filesystem::exists(name)) continue;
      std::ofstream(name) << lines;
      return;
    }
  }

  // As a process does that dies within a commit.
  void LeaveOrphan(const std::string& path) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(directory_.path() + "/" + path)) {
      if (!entry.path().filename().string().starts_with("part-")) continue;
      std::filesystem::copy(entry.path(), entry.path().string() + ".orphan.parquet",
                            std::filesystem::copy_options::overwrite_existing);
      return;
    }
  }

  size_t Files(const std::string& below, const std::string& ending) {
    size_t files = 0;
    const std::string root = directory_.path() + "/" + below;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      files += entry.is_regular_file() && entry.path().string().ends_with(ending) ? 1 : 0;
    }
    return files;
  }

  TemporaryDirectory directory_;
  env::HandClock clock_{1'700'000'000'000'000};
};

}  // namespace millrace::connectors::delta
